//! Transport metadata removal: what a request still carries when a handler sees it.
//!
//! The architecture gives the removal of transport metadata an actor of its own (Figure 6). Here it is a layer between
//! the connection and the router: [`strip`] builds a new request from the path, the method, the headers that the
//! listener's [`HeaderAllowance`] names, and the body. The peer's address is dropped where a connection is accepted and
//! never reaches this module. `Forwarded`, `X-Forwarded-For`, `User-Agent` and cookies cannot be asked for by a handler,
//! because they no longer exist.

use core::time::Duration;

use axum::body::Body;
use axum::http::header::{self, HeaderName};
use axum::http::{HeaderMap, HeaderValue, Method, Request, Uri};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::Body as _;

use super::error::ApiError;

/// The TAN that authorises an upload.
pub(super) const CWA_AUTHORIZATION: HeaderName = HeaderName::from_static("cwa-authorization");
/// Whether the request is a dummy: `1`.
pub(super) const CWA_FAKE: HeaderName = HeaderName::from_static("cwa-fake");
/// For what a teleTAN shall be issued: `TEST` or `EVENT`.
pub(super) const X_CWA_TELETAN_TYPE: HeaderName = HeaderName::from_static("x-cwa-teletan-type");
/// Names the public host behind some proxies; the portal refuses requests that carry it.
pub(super) const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// The headers that survive on one listener.
#[derive(Clone, Copy, Debug)]
pub(super) struct HeaderAllowance {
    names: &'static [&'static str],
    /// The one cookie that survives, with its value; all others are dropped.
    cookie: Option<&'static str>,
}

impl HeaderAllowance {
    /// What phones need to say.
    pub(super) const EXTERNAL: Self =
        Self { names: &["cwa-authorization", "cwa-fake", "content-type", "if-none-match"], cookie: None };
    /// What laboratories and other servers need to say.
    pub(super) const INTERNAL: Self =
        Self { names: &["authorization", "content-type", "x-cwa-teletan-type"], cookie: None };
    /// What a health officer's browser needs to say.
    pub(super) const PORTAL: Self = Self {
        names: &["host", "x-forwarded-host", "origin", "content-type"],
        cookie: Some(super::portal::SESSION_COOKIE),
    };
    /// Nothing.
    pub(super) const ADMIN: Self = Self { names: &[], cookie: None };
}

/// A request without anything that tells where it came from.
pub(super) fn strip<B>(request: Request<B>, allowance: HeaderAllowance) -> Request<B> {
    let (parts, body) = request.into_parts();
    let mut stripped = Request::new(body);
    *stripped.method_mut() = parts.method;
    // The path alone: no authority, no query. What is not a path (`OPTIONS *`, `CONNECT`) becomes one that nothing serves.
    *stripped.uri_mut() = parts.uri.path().parse().unwrap_or_else(|_| Uri::from_static("/-"));
    for name in allowance.names {
        // Of a repeated header the first value counts, so that every layer sees the same one.
        if let Some(value) = parts.headers.get(*name) {
            stripped.headers_mut().insert(HeaderName::from_static(name), value.clone());
        }
    }
    if let Some(value) = allowance.cookie.and_then(|name| cookie(&parts.headers, name)) {
        stripped.headers_mut().insert(header::COOKIE, value);
    }
    stripped
}

/// The value of the cookie called `name`.
fn cookie(headers: &HeaderMap, name: &str) -> Option<HeaderValue> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .and_then(|(_, value)| HeaderValue::from_str(value).ok())
}

/// What a handler gets: the surviving headers, and the whole body.
#[derive(Debug)]
pub(super) struct ClientRequest {
    headers: HeaderMap,
    pub(super) body: Bytes,
}

/// What a body may be, and for how long it may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct BodyRules {
    /// The media type, without parameters; `None` if the endpoint takes no body and asks for none.
    pub(super) media_type: Option<&'static str>,
    /// Largest body in bytes.
    pub(super) limit: usize,
    /// Whether a body must declare its length beforehand.
    pub(super) length_required: bool,
    /// How long a client may take to send it.
    pub(super) timeout: Duration,
}

impl ClientRequest {
    /// Reads the body of a `POST` under `rules`.
    ///
    /// Errors in the order in which the German servers look: size, method, media type.
    pub(super) async fn receive(request: Request<Body>, rules: BodyRules) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let body = tokio::time::timeout(rules.timeout, collect(body, rules))
            .await
            .map_err(|_elapsed| ApiError::RequestTimeout)??;
        if parts.method != Method::POST {
            return Err(ApiError::MethodNotAllowed);
        }
        let this = Self { headers: parts.headers, body };
        match rules.media_type {
            Some(expected) if !this.has_media_type(expected) => Err(ApiError::UnsupportedMediaType),
            _ => Ok(this),
        }
    }

    /// A header's value, where it is visible ASCII.
    pub(super) fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok().map(str::trim)
    }

    /// The bearer token of `Authorization` (RFC 6750 §2.1).
    pub(super) fn bearer_token(&self) -> Option<&str> {
        let (scheme, token) = self.header(&header::AUTHORIZATION)?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    }

    fn has_media_type(&self, expected: &str) -> bool {
        self.header(&header::CONTENT_TYPE)
            .and_then(|value| value.split(';').next())
            .is_some_and(|media_type| media_type.trim().eq_ignore_ascii_case(expected))
    }
}

async fn collect(mut body: Body, rules: BodyRules) -> Result<Bytes, ApiError> {
    let declared = body.size_hint().upper();
    let mut fits = match declared {
        Some(length) => length <= rules.limit as u64,
        None => !rules.length_required,
    };
    let mut collected = BytesMut::new();
    let mut received: usize = 0;
    while let Some(frame) = body.frame().await {
        // A client that went away in the middle of its body gets no answer; the error only ends the work.
        let Ok(data) = frame.map_err(|_gone| ApiError::Malformed)?.into_data() else { continue };
        received = received.saturating_add(data.len());
        fits = fits && received <= rules.limit;
        if fits {
            collected.extend_from_slice(&data);
        } else if received > DISCARDED {
            break;
        }
    }
    if fits { Ok(collected.freeze()) } else { Err(ApiError::PayloadTooLarge) }
}

/// How much of an oversized body is read and thrown away, so that its sender is still listening when the answer comes.
const DISCARDED: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn everything_a_client_may_send() -> Request<()> {
        Request::builder()
            .method("POST")
            .uri("http://authority.example:8000/version/v1/tan?from=here")
            .header("host", "authority.example")
            .header("forwarded", "for=192.0.2.60")
            .header("x-forwarded-for", "192.0.2.60")
            .header("x-real-ip", "192.0.2.60")
            .header("user-agent", "phone/1.0")
            .header("cookie", "track=me; cwa-session=abc; other=1")
            .header("accept-language", "de")
            .header("cwa-fake", "1")
            .header("cwa-fake", "0")
            .header("cwa-authorization", "tan")
            .header("authorization", "Bearer t")
            .header("content-type", "application/json; charset=utf-8")
            .header("if-none-match", "\"e\"")
            .header("x-cwa-teletan-type", "TEST")
            .body(())
            .unwrap()
    }

    fn names(request: &Request<()>) -> Vec<&str> {
        let mut names: Vec<_> = request.headers().keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn a_phones_request_keeps_its_path_and_four_headers_and_nothing_else() {
        let mut request = everything_a_client_may_send();
        request.extensions_mut().insert(core::net::SocketAddr::from(([192, 0, 2, 60], 443)));
        let stripped = strip(request, HeaderAllowance::EXTERNAL);
        assert_eq!(stripped.uri(), "/version/v1/tan");
        assert_eq!(names(&stripped), ["content-type", "cwa-authorization", "cwa-fake", "if-none-match"]);
        assert!(stripped.extensions().is_empty());
        assert_eq!(stripped.headers()["cwa-fake"], "1");
    }

    #[test]
    fn only_the_internal_listener_hears_credentials_and_only_the_portal_its_own_cookie() {
        let internal = strip(everything_a_client_may_send(), HeaderAllowance::INTERNAL);
        assert_eq!(names(&internal), ["authorization", "content-type", "x-cwa-teletan-type"]);
        let portal = strip(everything_a_client_may_send(), HeaderAllowance::PORTAL);
        assert_eq!(names(&portal), ["content-type", "cookie", "host"]);
        assert_eq!(portal.headers()["cookie"], "abc");
        assert_eq!(names(&strip(everything_a_client_may_send(), HeaderAllowance::ADMIN)), [""; 0]);
    }

    #[test]
    fn a_target_that_is_no_path_becomes_one_that_nothing_serves() {
        let request = Request::builder().method("OPTIONS").uri("*").body(()).unwrap();
        assert!(strip(request, HeaderAllowance::EXTERNAL).uri().path().len() < 3);
    }

    const RULES: BodyRules = BodyRules {
        media_type: Some("application/json"),
        limit: 4,
        length_required: true,
        timeout: Duration::from_secs(1),
    };

    async fn receive(method: &str, media_type: &str, body: &'static [u8]) -> Result<Bytes, ApiError> {
        let request = Request::builder()
            .method(method)
            .header("content-type", media_type)
            .body(Body::from(body))
            .unwrap();
        ClientRequest::receive(request, RULES).await.map(|request| request.body)
    }

    /// A body that never comes to its end.
    struct Endless;

    impl hyper::body::Body for Endless {
        type Data = Bytes;
        type Error = core::convert::Infallible;

        fn poll_frame(
            self: core::pin::Pin<&mut Self>,
            _context: &mut core::task::Context<'_>,
        ) -> core::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
            core::task::Poll::Pending
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_in_time_is_not_waited_for() {
        let rules = BodyRules { length_required: false, ..RULES };
        let request = Request::builder().method("POST").body(Body::new(Endless)).unwrap();
        let error = ClientRequest::receive(request, rules).await.unwrap_err();
        assert_eq!(error, ApiError::RequestTimeout);
    }

    #[tokio::test]
    async fn size_comes_before_method_and_method_before_media_type() {
        assert_eq!(receive("POST", "Application/JSON ; charset=utf-8", b"1234").await.unwrap(), "1234");
        assert_eq!(receive("GET", "text/plain", b"12345").await, Err(ApiError::PayloadTooLarge));
        assert_eq!(receive("GET", "text/plain", b"1234").await, Err(ApiError::MethodNotAllowed));
        assert_eq!(receive("POST", "text/plain", b"1234").await, Err(ApiError::UnsupportedMediaType));
    }
}
