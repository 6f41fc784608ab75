//! Serving the published files, with the headers that caches need.

use core::time::Duration;
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use cwa_export::archive::{self, Archive};
use cwa_export::index::DistributionPath;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::App;
use super::error::ApiError;
use super::tree::Tree;

/// A digest of the content by which the German distribution recognises what it has uploaded already.
const CWA_HASH: HeaderName = HeaderName::from_static("cwa-hash");
/// For how long a file is served from memory before the disk is asked again.
const FRESH: Duration = Duration::from_secs(1);
/// How much content is kept in memory; what is beyond is read from disk each time.
const MEMORY: usize = 256 << 20;

/// The published files, with those in memory that were asked for.
#[derive(Debug)]
pub(super) struct Distribution {
    tree: Tree,
    cache: Mutex<Cache>,
}

#[derive(Debug, Default)]
struct Cache {
    files: HashMap<DistributionPath, (Instant, Arc<File>)>,
    bytes: usize,
}

#[derive(Debug)]
struct File {
    content: Bytes,
    etag: HeaderValue,
    cwa_hash: HeaderValue,
}

impl Distribution {
    pub(super) fn new(tree: Tree) -> Self {
        Self { tree, cache: Mutex::default() }
    }

    /// Forgets what is in memory: the files have changed.
    pub(super) fn forget(&self) {
        *self.cache() = Cache::default();
    }

    async fn file(&self, path: DistributionPath) -> io::Result<Option<Arc<File>>> {
        let now = Instant::now();
        if let Some((read_at, file)) = self.cache().files.get(&path)
            && now.duration_since(*read_at) < FRESH
        {
            return Ok(Some(Arc::clone(file)));
        }
        let tree = self.tree.clone();
        let file = tokio::task::spawn_blocking(move || {
            Ok(tree.read(path)?.map(|content| Arc::new(File::new(content))))
        })
        .await
        .map_err(io::Error::other)
        .flatten()?;
        if let Some(file) = &file {
            self.cache().insert(path, Arc::clone(file), now);
        }
        Ok(file)
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cache {
    fn insert(&mut self, path: DistributionPath, file: Arc<File>, now: Instant) {
        let length = file.content.len();
        if self.bytes.saturating_add(length) > MEMORY {
            *self = Self::default();
        }
        if length > MEMORY {
            return;
        }
        self.bytes += length;
        if let Some((_, old)) = self.files.insert(path, (now, file)) {
            self.bytes -= old.content.len();
        }
    }
}

impl File {
    fn new(content: Vec<u8>) -> Self {
        let etag = format!("\"{}\"", hex::encode(Sha256::digest(&content)));
        // Of a package it is the hash of what is inside, because German archives differ each time they are made.
        let archive = archive::is_archive(&content).then(|| Archive::read(&content).ok()).flatten();
        let hashed = archive.as_ref().map_or(content.as_slice(), |archive| archive.export_bin());
        let cwa_hash = hex::encode(cwa_export::cwa_hash(hashed));
        let value =
            |text: String| HeaderValue::try_from(text).unwrap_or(const { HeaderValue::from_static("") });
        Self { content: content.into(), etag: value(etag), cwa_hash: value(cwa_hash) }
    }
}

/// Answers a `GET` or `HEAD` of anything in the distribution.
pub(super) async fn serve(app: &App, request: Request) -> Response {
    let (request, _body) = request.into_parts();
    let response = match respond(app, &request).await {
        Ok(response) => response,
        Err(error) => {
            app.metrics.failed(error);
            let mut response = error.into_response();
            // A package that is not there may be there at the next full hour.
            response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            if error == ApiError::MethodNotAllowed {
                response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            }
            response
        }
    };
    app.metrics.answered("distribution", response.status().as_u16());
    response
}

async fn respond(app: &App, request: &Parts) -> Result<Response, ApiError> {
    let path: DistributionPath =
        request.uri.path().strip_prefix('/').and_then(|path| path.parse().ok()).ok_or(ApiError::NotFound)?;
    if !matches!(request.method, Method::GET | Method::HEAD) {
        return Err(ApiError::MethodNotAllowed);
    }
    let file = app.distribution.file(path).await.map_err(|error| {
        tracing::error!(kind = ?error.kind(), "a published file could not be read");
        ApiError::Internal
    })?;
    let file = file.ok_or(ApiError::NotFound)?;
    let mut response = if is_known(&request.headers, &file.etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let mut response = Response::new(Body::from(file.content.clone()));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type(path)));
        response
    };
    let headers = response.headers_mut();
    headers.insert(header::ETAG, file.etag.clone());
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public,max-age=300"));
    headers.insert(CWA_HASH, file.cwa_hash.clone());
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}

/// Whether the client has this content already (RFC 9110 §13.1.2; weak comparison).
fn is_known(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    let Some(known) = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    known
        .split(',')
        .map(str::trim)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).as_bytes() == etag.as_bytes())
}

const fn media_type(path: DistributionPath) -> &'static str {
    match path {
        DistributionPath::Countries | DistributionPath::Dates { .. } | DistributionPath::Hours { .. } => {
            "application/json"
        }
        _ => "application/zip",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_knows_content_by_its_tag_weak_or_strong_among_others_or_any() {
        let etag = HeaderValue::from_static("\"a\"");
        let known = |text: &'static str| {
            is_known(&[(header::IF_NONE_MATCH, HeaderValue::from_static(text))].into_iter().collect(), &etag)
        };
        for text in ["\"a\"", "W/\"a\"", "\"b\", \"a\"", "*"] {
            assert!(known(text), "{text}");
        }
        for text in ["\"b\"", "a", ""] {
            assert!(!known(text), "{text}");
        }
        assert!(!is_known(&HeaderMap::new(), &etag));
    }

    #[test]
    fn the_hash_is_the_md5_of_the_md5() {
        // md5(md5("")): computed with another implementation.
        assert_eq!(File::new(Vec::new()).cwa_hash, "59adb24ef3cdbe0297f05b395827453f");
        let package = archive::write(b"", b"signature").unwrap();
        assert_eq!(File::new(package).cwa_hash, "59adb24ef3cdbe0297f05b395827453f", "of what is inside");
    }
}
