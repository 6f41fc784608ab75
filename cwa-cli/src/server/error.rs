//! Everything that can go wrong with a request, and the one table of statuses.

use core::error::Error as _;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::store::StoreError;

/// Why a request is not answered with what it asked for.
///
/// Clients learn the status and nothing else: the bodies are empty, or padding where the class of answers has one size.
/// Several causes share a variant on purpose, because the difference would tell a guesser something.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, thiserror::Error)]
pub(super) enum ApiError {
    /// The request does not have the form that the endpoint asks for.
    #[error("malformed request")]
    Malformed,
    /// The request is well-formed and not granted: unknown, expired, used up, registered before, not positive.
    #[error("request refused")]
    Refused,
    /// No key of a submission is of an age that is published; the TAN keeps its worth.
    #[error("no key remains to be stored")]
    NothingRemains,
    /// No credential, or one that is not known.
    #[error("no valid credential")]
    Unauthorized,
    /// Known, and not allowed to.
    #[error("not permitted")]
    Forbidden,
    /// There is nothing of that name.
    #[error("not found")]
    NotFound,
    /// The endpoint does not know the method.
    #[error("method not allowed")]
    MethodNotAllowed,
    /// The body did not arrive in time.
    #[error("the request took too long")]
    RequestTimeout,
    /// The body is larger than the endpoint takes, or does not say how large it is.
    #[error("body too large")]
    PayloadTooLarge,
    /// The body is of another media type.
    #[error("unsupported media type")]
    UnsupportedMediaType,
    /// More than the configured number in the configured time.
    #[error("too many requests")]
    TooManyRequests,
    /// The server failed; its log says at what.
    #[error("internal error")]
    Internal,
    /// The server cannot do it now: storage is busy, or it shuts down.
    #[error("temporarily unavailable")]
    Unavailable,
}

impl ApiError {
    /// Every error, in the order of the table.
    #[cfg(test)]
    pub(super) const ALL: [Self; 13] = [
        Self::Malformed,
        Self::Refused,
        Self::NothingRemains,
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::RequestTimeout,
        Self::PayloadTooLarge,
        Self::UnsupportedMediaType,
        Self::TooManyRequests,
        Self::Internal,
        Self::Unavailable,
    ];

    /// The status that tells a client of it.
    pub(super) const fn status(self) -> StatusCode {
        match self {
            Self::Malformed | Self::Refused | Self::NothingRemains => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            // DEVIATION: the German server says 406, which is about what a client accepts.
            Self::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The name in logs and metrics.
    pub(super) const fn kind(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Refused => "refused",
            Self::NothingRemains => "nothing_remains",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::RequestTimeout => "request_timeout",
            Self::PayloadTooLarge => "payload_too_large",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::TooManyRequests => "too_many_requests",
            Self::Internal => "internal",
            Self::Unavailable => "unavailable",
        }
    }
}

impl IntoResponse for ApiError {
    /// The status with an empty body; answers of one size get their padding from their class.
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        if self == Self::Unauthorized {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<StoreError> for ApiError {
    /// The log says what it was; the client may try again.
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Closed => Self::Unavailable,
            error => {
                tracing::error!(%error, cause = error.source().map(tracing::field::display), "the store failed");
                Self::Internal
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_error_has_its_status_and_its_own_name() {
        let table: Vec<(u16, &str)> =
            ApiError::ALL.iter().map(|error| (error.status().as_u16(), error.kind())).collect();
        assert_eq!(
            table,
            [
                (400, "malformed"),
                (400, "refused"),
                (400, "nothing_remains"),
                (401, "unauthorized"),
                (403, "forbidden"),
                (404, "not_found"),
                (405, "method_not_allowed"),
                (408, "request_timeout"),
                (413, "payload_too_large"),
                (415, "unsupported_media_type"),
                (429, "too_many_requests"),
                (500, "internal"),
                (503, "unavailable"),
            ]
        );
        assert_eq!(table.iter().map(|row| row.1).collect::<BTreeSet<_>>().len(), ApiError::ALL.len());
    }

    #[test]
    fn every_error_is_an_answer_with_its_status() {
        for error in ApiError::ALL {
            assert_eq!(error.into_response().status(), error.status());
        }
    }
}
