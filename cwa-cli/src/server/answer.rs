//! Answers of one class look alike: one size, one set of headers, one time.
//!
//! An observer of the line sees lengths and moments. So every answer of the phones' endpoints, whether it grants, refuses
//! or only plays along with a dummy request, has the body size of its class, the same headers with values of the same
//! length, a reason phrase of the same length, and leaves at the same time after the request was complete
//! (ARCHITECTURE.md).

use core::time::Duration;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Request, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, any};
use bytes::Bytes;
use hyper::ext::ReasonPhrase;
use tokio::time::Instant;

use super::App;
use super::error::ApiError;
use super::request::{BodyRules, ClientRequest};

/// What a handler answers.
#[derive(Debug)]
pub(super) struct Answer {
    status: StatusCode,
    body: Bytes,
    header: Option<(HeaderName, HeaderValue)>,
}

impl Answer {
    /// An answer with a body; in a uniform class the body has the size of the class already.
    pub(super) fn new(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self { status, body: body.into(), header: None }
    }

    /// An answer that has nothing to say but its status.
    pub(super) const fn empty(status: StatusCode) -> Self {
        Self { status, body: Bytes::new(), header: None }
    }

    /// Adds a header; in a uniform class it replaces the class's default, which has the same length.
    pub(super) fn with_header(self, name: HeaderName, value: HeaderValue) -> Self {
        Self { header: Some((name, value)), ..self }
    }
}

/// Endpoints whose requests follow the same rules and whose answers look alike.
#[derive(Clone, Copy, Debug)]
pub(super) struct AnswerClass {
    /// What a request must look like.
    pub(super) rules: BodyRules,
    /// The media type of a body.
    pub(super) media_type: &'static str,
    /// How every answer looks; `None`: bodies as they are, and at once.
    pub(super) uniform: Option<Uniform>,
}

/// The look of every answer of a class.
#[derive(Clone, Copy, Debug)]
pub(super) struct Uniform {
    /// The size of every body.
    pub(super) size: usize,
    /// A body of that size for an answer that has nothing to say.
    pub(super) filler: fn() -> Vec<u8>,
    /// A header that no answer of the class lacks, and its value where a handler gives none.
    pub(super) header: Option<(&'static str, &'static str)>,
}

/// A `POST` endpoint called `name` in metrics.
///
/// The handler runs as a task of its own: a client that goes away does not stop it, and a panic in it is an internal
/// error like any other.
pub(super) fn endpoint<H, F>(
    app: &Arc<App>,
    class: &'static AnswerClass,
    name: &'static str,
    handler: H,
) -> MethodRouter
where
    H: Fn(Arc<App>, ClientRequest) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<Answer, ApiError>> + Send + 'static,
{
    let app = Arc::clone(app);
    any(move |request: Request<Body>| {
        let (app, handler) = (Arc::clone(&app), handler.clone());
        async move {
            let received = ClientRequest::receive(request, class.rules).await;
            // From here on everything is in the server's hands, so from here on the time is the same for all.
            let complete = Instant::now();
            let result = match received {
                Ok(request) => app.tasks.run(handler(Arc::clone(&app), request)).await,
                Err(error) => Err(error),
            };
            let response = class.respond(&app, name, result);
            if class.uniform.is_some() {
                wait_for_deadline(&app, complete).await;
            }
            response
        }
    })
}

impl AnswerClass {
    fn respond(&self, app: &App, name: &'static str, result: Result<Answer, ApiError>) -> Response {
        let result = result.and_then(|answer| {
            let fits = self.uniform.is_none_or(|uniform| [0, uniform.size].contains(&answer.body.len()));
            if fits {
                Ok(answer)
            } else {
                tracing::error!(
                    endpoint = name,
                    size = answer.body.len(),
                    "an answer was not of its class's size"
                );
                Err(ApiError::Internal)
            }
        });
        if let Err(error) = result {
            app.metrics.failed(error);
            tracing::debug!(endpoint = name, kind = error.kind(), "refused");
        }
        let mut response = match result {
            Ok(answer) => {
                let mut response = Response::new(Body::from(answer.body));
                *response.status_mut() = answer.status;
                response.headers_mut().extend(answer.header);
                response
            }
            Err(error) => error.into_response(),
        };
        match self.uniform {
            Some(uniform) => uniform.apply(&mut response, self.media_type),
            None => self.complete(&mut response),
        }
        app.metrics.answered(name, response.status().as_u16());
        response
    }

    fn complete(&self, response: &mut Response) {
        if response.status() == StatusCode::METHOD_NOT_ALLOWED {
            response.headers_mut().insert(header::ALLOW, ALLOWED);
        }
        if !is_empty(response) {
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(self.media_type));
        }
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

impl Uniform {
    /// Makes the answer look like every other of its class: status and body apart, nothing of what it was remains.
    fn apply(self, response: &mut Response, media_type: &'static str) {
        if is_empty(response) {
            *response.body_mut() = Body::from((self.filler)());
        }
        let own = core::mem::take(response.headers_mut());
        let headers = response.headers_mut();
        if let Some((name, default)) = self.header {
            let value = own.get(name).cloned().unwrap_or(HeaderValue::from_static(default));
            headers.insert(HeaderName::from_static(name), value);
        }
        // What one status must carry (RFC 9110 §15.5.6), all carry.
        headers.insert(header::ALLOW, ALLOWED);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let phrase = reason_phrase(response.status());
        response.extensions_mut().insert(phrase);
    }
}

const ALLOWED: HeaderValue = HeaderValue::from_static("POST");

fn is_empty(response: &Response) -> bool {
    hyper::body::Body::size_hint(response.body()).exact() == Some(0)
}

/// The usual reason phrase, filled up with spaces to the length of the longest that occurs here.
///
/// Clients ignore the phrase (RFC 9112 §4); its length would tell success from error all the same.
fn reason_phrase(status: StatusCode) -> ReasonPhrase {
    let phrase = format!("{:<22}", status.canonical_reason().unwrap_or_default());
    ReasonPhrase::try_from(phrase.into_bytes())
        .unwrap_or(const { ReasonPhrase::from_static(b"                      ") })
}

/// Waits until the class's time after `complete` is over.
///
/// An answer that took longer leaves at the next multiple of that time and is counted: late answers then tell how many
/// deadlines they missed, and no more.
async fn wait_for_deadline(app: &App, complete: Instant) {
    let deadline = app.policy.answer_deadline;
    if deadline == Duration::ZERO {
        return;
    }
    let mut leaves = complete + deadline;
    if leaves < Instant::now() {
        app.metrics.deadline_overflows.add(1);
        while leaves < Instant::now() {
            leaves += deadline;
        }
    }
    tokio::time::sleep_until(leaves).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_phrase_has_the_same_length() {
        for error in ApiError::ALL {
            assert_eq!(reason_phrase(error.status()).as_bytes().len(), 22, "{error}");
        }
        assert_eq!(reason_phrase(StatusCode::CREATED).as_bytes(), b"Created               ");
        assert_eq!(reason_phrase(StatusCode::OK).as_bytes().len(), 22);
    }
}
