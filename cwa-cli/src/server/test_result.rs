//! The test result server: what laboratories report, and what other servers ask.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use cwa_verify::message::{LabResultsRequest, MAX_LAB_REQUEST_BYTES, TestIdRequest};

use super::answer::{Answer, AnswerClass, endpoint};
use super::credentials::Permission;
use super::error::ApiError;
use super::request::{BodyRules, ClientRequest};
use super::verification::SERVERS;
use super::{App, rng};

/// Batches are larger than other requests.
static LABORATORIES: AnswerClass =
    AnswerClass { rules: BodyRules { limit: MAX_LAB_REQUEST_BYTES, ..SERVERS.rules }, ..SERVERS };

pub(super) fn router(app: &Arc<App>) -> Router {
    Router::new()
        .route("/api/v1/lab/results", endpoint(app, &LABORATORIES, "lab/results", lab_results))
        .route("/api/v1/app/result", endpoint(app, &SERVERS, "app/result", app_result))
}

async fn lab_results(app: Arc<App>, request: ClientRequest) -> Result<Answer, ApiError> {
    app.credentials.permit(request.bearer_token(), Permission::Laboratory)?;
    let message = LabResultsRequest::parse(&request.body)?;
    let recorded = app.verification.record_results(&message, app.clock.now()).await?;
    if recorded.positives_withdrawn > 0 {
        tracing::warn!(count = recorded.positives_withdrawn, "a laboratory has withdrawn positive results");
    }
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

async fn app_result(app: Arc<App>, request: ClientRequest) -> Result<Answer, ApiError> {
    app.credentials.permit(request.bearer_token(), Permission::Server)?;
    let message = TestIdRequest::parse(&request.body)?;
    let answer = app.verification.result_of_test(&message.id, app.clock.now()).await?;
    Ok(Answer::new(StatusCode::OK, answer.encode(&mut rng())))
}
