//! Uploads: `POST /version/v1/diagnosis-keys`.
//!
//! Read the payload, and then, in one transaction, store the keys and use up the TAN. A repeated
//! upload gets the same answer and stores nothing. The TAN is forgotten as soon as it has been hashed; nothing that this
//! role stores contains it, or a hash of it alone.

use core::time::Duration;
use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use cwa_export::batch::PendingKey;
use cwa_export::submission::{Submission, SubmissionError};
use cwa_verify::store::ReserveError;
use cwa_verify::{PayloadDigest, Tan};

use super::App;
use super::answer::{Answer, AnswerClass, Uniform, endpoint};
use super::error::ApiError;
use super::request::{BodyRules, CWA_AUTHORIZATION, CWA_FAKE, ClientRequest};
use super::store::{SubmissionStore as _, Submitted, Upload};

/// Counts the submitted keys that were not stored because of their age; always there, always two digits.
const CWA_KEYS_TRUNCATED: &str = "cwa-keys-truncated";

/// 64 bytes, whatever the answer is.
static CLASS: AnswerClass = AnswerClass {
    rules: BodyRules {
        media_type: Some("application/x-protobuf"),
        limit: 100 << 10,
        length_required: false,
        timeout: Duration::from_secs(15),
    },
    media_type: "text/plain",
    uniform: Some(Uniform { size: 64, filler: || vec![b'0'; 64], header: Some((CWA_KEYS_TRUNCATED, "00")) }),
};

pub(super) fn router(app: &Arc<App>) -> Router {
    Router::new().route("/version/v1/diagnosis-keys", endpoint(app, &CLASS, "diagnosis-keys", submit))
}

async fn submit(app: Arc<App>, request: ClientRequest) -> Result<Answer, ApiError> {
    // Every number but 0 is a dummy, and the header must be there: so the German server reads it.
    let fake: i64 =
        request.header(&CWA_FAKE).and_then(|text| text.parse().ok()).ok_or(ApiError::Malformed)?;
    if fake != 0 {
        app.metrics.fake_requests.add(1);
        return Ok(Answer::empty(StatusCode::OK));
    }
    let now = app.clock.now();
    let tan = request.header(&CWA_AUTHORIZATION).ok_or(ApiError::Malformed)?;
    let tan = Tan::parse(tan).map_err(|_| ApiError::Forbidden)?;
    let accepted =
        Submission::parse(&request.body, &app.policy.submission, now).map_err(|error| match error {
            SubmissionError::TooLarge { .. } => ApiError::PayloadTooLarge,
            SubmissionError::NothingRemains { .. } => ApiError::NothingRemains,
            _ => ApiError::Malformed,
        })?;
    // The digest leaves out the padding: a repetition may be padded anew.
    let digest = PayloadDigest::from_bytes(accepted.digest);
    let (tan_hash, reservation) = app.verification.redemption(&tan, &digest);
    drop(tan);
    let keys_dropped = u32::try_from(accepted.dropped.lost()).unwrap_or(u32::MAX);
    let publication = &app.policy.publication;
    let keys: Vec<_> = accepted
        .submission
        .keys
        .into_iter()
        .map(|key| PendingKey { key, earliest_hour: publication.earliest_hour(key.end(), now) })
        .collect();
    let key_count = keys.len() as u64;
    let upload = Upload { reservation, keys, keys_dropped };
    match app.store.submit(tan_hash, upload, now).await {
        Ok(Submitted::Now) => {
            app.metrics.submissions_stored.add(1);
            app.metrics.keys_stored.add(key_count);
            app.metrics.keys_dropped.add(keys_dropped.into());
            Ok(answer(keys_dropped))
        }
        Ok(Submitted::Before { keys_dropped }) => Ok(answer(keys_dropped)),
        // Such a TAN permits warnings of an event's visitors, and no key.
        Ok(Submitted::NotForKeys) => Err(ApiError::Forbidden),
        Err(ReserveError::Store(error)) => Err(error.into()),
        Err(_) => Err(ApiError::Forbidden),
    }
}

fn answer(keys_dropped: u32) -> Answer {
    let count = format!("{:02}", keys_dropped.min(99));
    let value = HeaderValue::try_from(count).unwrap_or(const { HeaderValue::from_static("99") });
    Answer::empty(StatusCode::OK).with_header(HeaderName::from_static(CWA_KEYS_TRUNCATED), value)
}
