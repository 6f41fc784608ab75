//! For operators: is it alive, can it work, what has it done. On a listener of its own.

use core::sync::atomic::Ordering;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;

use super::error::ApiError;
use super::store::PackageStore as _;
use super::{App, Role};

/// After how many seconds without a finished run a publisher counts as stuck: it runs every hour.
const PUBLISHER_STUCK_SECONDS: u64 = 3 * 3600;

/// `/livez`, `/readyz` and `/metrics`.
pub(super) fn router(app: &Arc<App>) -> Router {
    let app = Arc::clone(app);
    Router::new().fallback(any(move |request: Request| {
        let app = Arc::clone(&app);
        async move {
            let (request, _body) = request.into_parts();
            reply(&app, &request).await.unwrap_or_else(|error| {
                let mut response = error.into_response();
                if error == ApiError::MethodNotAllowed {
                    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
                }
                response
            })
        }
    }))
}

async fn reply(app: &App, request: &Parts) -> Result<Response, ApiError> {
    let path = request.uri.path();
    if !["/livez", "/readyz", "/metrics"].contains(&path) {
        return Err(ApiError::NotFound);
    }
    if !matches!(request.method, Method::GET | Method::HEAD) {
        return Err(ApiError::MethodNotAllowed);
    }
    let (status, media_type, body) = match path {
        "/livez" => (StatusCode::OK, "text/plain; charset=utf-8", "alive\n".to_owned()),
        "/readyz" => {
            let report = ready(app).await;
            let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            (status, "application/json", serde_json::to_string(&report).unwrap_or_default())
        }
        _ => {
            refresh(app).await;
            (StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", app.metrics.render())
        }
    };
    let mut response = (status, body).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// The answer of `/readyz`.
#[derive(Debug, serde::Serialize)]
struct Readiness {
    ready: bool,
    database: bool,
    /// Absent in a process that signs nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    signer: Option<bool>,
    /// Seconds of protocol time since the last finished run; absent before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_publish_age_seconds: Option<u64>,
    /// Whether the publisher is stuck; absent in a process without its job.
    #[serde(skip_serializing_if = "Option::is_none")]
    publisher_stuck: Option<bool>,
}

async fn ready(app: &App) -> Readiness {
    let database = app.store.ping().await.is_ok();
    let signer = match &app.publisher {
        Some(publisher) => Some(publisher.can_sign().await),
        None => None,
    };
    let last_published = app.store.publisher_state().await.ok().and_then(|state| state.last_published);
    let now = app.clock.now();
    let age = last_published.map(|last| now.seconds_since(last));
    let publisher_stuck = (app.scheduler && app.roles.contains(&Role::Publisher))
        .then(|| now.seconds_since(last_published.unwrap_or(app.started_at)) > PUBLISHER_STUCK_SECONDS);
    Readiness {
        ready: database && signer != Some(false) && publisher_stuck != Some(true),
        database,
        signer,
        last_publish_age_seconds: age,
        publisher_stuck,
    }
}

/// Gauges that are read from the database, because another process may have changed them.
async fn refresh(app: &App) {
    if let Ok(state) = app.store.publisher_state().await {
        app.metrics.keys_pending.store(state.keys_pending, Ordering::Relaxed);
        if let Some(last) = state.last_published {
            app.metrics.last_publish.store(last.as_secs(), Ordering::Relaxed);
        }
    }
}
