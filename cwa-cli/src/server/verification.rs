//! Registration tokens, test results for phones, TANs and teleTANs: HTTP around [`VerificationService`].

use core::time::Duration;
use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderValue, StatusCode};
use cwa_verify::TeleTanType;
use cwa_verify::fake::Intent;
use cwa_verify::message::{
    BODY_BYTES, MAX_REQUEST_BYTES, RegistrationRequest, RequestError, ReservationAnswer, ReservationRequest,
    ReserveRequest, TanRequest, TeleTanAnswer, TokenRequest, error_body,
};
use cwa_verify::service::{
    IssuedTeleTan, RegistrationError, Reservation, Role, TanError, TeleTanIssueError, TestResultError,
    VerificationService,
};
use cwa_verify::store::{ConfirmError, ConsumeError, ReserveError};

use super::answer::{Answer, AnswerClass, Uniform, endpoint};
use super::credentials::Permission;
use super::error::ApiError;
use super::request::{BodyRules, CWA_FAKE, ClientRequest, X_CWA_TELETAN_TYPE};
use super::store::{Database, StoreError};
use super::{App, rng};

/// The protocol over this server's database.
pub(super) type Service = VerificationService<Database>;

const JSON: BodyRules = BodyRules {
    media_type: Some("application/json"),
    limit: MAX_REQUEST_BYTES,
    // The German server refuses a chunked body as one whose size it cannot know.
    length_required: true,
    timeout: Duration::from_secs(15),
};

/// Phones: 250 bytes, whatever the answer is.
static PHONES: AnswerClass = AnswerClass {
    rules: JSON,
    media_type: "application/json",
    uniform: Some(Uniform { size: BODY_BYTES, filler: || error_body(&mut rng()), header: None }),
};

/// Other servers.
pub(super) static SERVERS: AnswerClass =
    AnswerClass { rules: JSON, media_type: "application/json", uniform: None };

/// Requests that consist of their headers.
static WITHOUT_BODY: AnswerClass = AnswerClass {
    rules: BodyRules { media_type: None, ..JSON },
    media_type: "application/json",
    uniform: None,
};

pub(super) fn external_router(app: &Arc<App>) -> Router {
    Router::new()
        .route(
            "/version/v1/registrationToken",
            endpoint(app, &PHONES, "registrationToken", registration_token),
        )
        .route("/version/v1/testresult", endpoint(app, &PHONES, "testresult", test_result))
        .route("/version/v1/tan", endpoint(app, &PHONES, "tan", tan))
}

pub(super) fn internal_router(app: &Arc<App>) -> Router {
    Router::new()
        .route("/version/v1/tan/verify", endpoint(app, &SERVERS, "tan/verify", verify_tan))
        .route("/version/v1/tan/reserve", endpoint(app, &SERVERS, "tan/reserve", reserve_tan))
        .route("/version/v1/tan/confirm", endpoint(app, &SERVERS, "tan/confirm", confirm_tan))
        .route("/version/v1/tan/release", endpoint(app, &SERVERS, "tan/release", release_tan))
        .route("/version/v1/tan/teletan", endpoint(app, &WITHOUT_BODY, "tan/teletan", tele_tan))
        .route("/version/v1/testresult", endpoint(app, &SERVERS, "testresult/internal", test_result_with_id))
}

async fn registration_token(app: Arc<App>, request: ClientRequest) -> Result<Answer, ApiError> {
    let intent = intent(&app, &request);
    let message = RegistrationRequest::parse(&request.body)?;
    let rng = &mut rng();
    let answer = app.verification.registration_token(&message, intent, app.clock.now(), rng).await?;
    Ok(Answer::new(StatusCode::CREATED, answer.encode(rng)))
}

async fn test_result(app: Arc<App>, request: ClientRequest) -> Result<Answer, ApiError> {
    let intent = intent(&app, &request);
    let message = TokenRequest::parse(&request.body)?;
    let answer = app.verification.test_result(&message.token, intent, app.clock.now()).await?;
    Ok(Answer::new(StatusCode::OK, answer.encode(&mut rng())))
}

async fn tan(app: Arc<App>, request: ClientRequest) -> Result<Answer, ApiError> {
    let intent = intent(&app, &request);
    let message = TokenRequest::parse(&request.body)?;
    let rng = &mut rng();
    let answer = app.verification.tan(&message.token, intent, app.clock.now(), rng).await?;
    Ok(Answer::new(StatusCode::CREATED, answer.encode(rng)))
}

async fn verify_tan(app: Arc<App>, request: ClientRequest) -> Result<Answer, ApiError> {
    app.credentials.permit(request.bearer_token(), Permission::Server)?;
    let message = TanRequest::parse(&request.body)?;
    let kind =
        app.verification.consume_tan(&message.tan, app.clock.now()).await.map_err(|error| match error {
            ConsumeError::Store(error) => error.into(),
            _ => ApiError::NotFound,
        })?;
    Ok(with_type(Answer::empty(StatusCode::OK), kind))
}

async fn reserve_tan(app: Arc<App>, request: ClientRequest) -> Result<Answer, ApiError> {
    app.credentials.permit(request.bearer_token(), Permission::Server)?;
    let message = ReserveRequest::parse(&request.body)?;
    let reserved = app.verification.reserve_tan(&message.tan, &message.digest, app.clock.now()).await;
    let reserved = reserved.map_err(|error| match error {
        ReserveError::Store(error) => error.into(),
        _ => ApiError::NotFound,
    })?;
    let (answer, kind) = match reserved {
        Reservation::Granted { id, lease_seconds, kind } => (ReservationAnswer::new(id, lease_seconds), kind),
        // No lease: there is nothing to store any more.
        Reservation::Confirmed { id } => (ReservationAnswer::new(id, 0), None),
    };
    Ok(with_type(Answer::new(StatusCode::OK, answer.encode()), kind))
}

async fn confirm_tan(app: Arc<App>, request: ClientRequest) -> Result<Answer, ApiError> {
    app.credentials.permit(request.bearer_token(), Permission::Server)?;
    let message = ReservationRequest::parse(&request.body)?;
    let confirmed = app.verification.confirm_tan(message.reservation, app.clock.now()).await;
    confirmed.map_err(|error| match error {
        ConfirmError::Store(error) => error.into(),
        _ => ApiError::NotFound,
    })?;
    Ok(Answer::empty(StatusCode::OK))
}

async fn release_tan(app: Arc<App>, request: ClientRequest) -> Result<Answer, ApiError> {
    app.credentials.permit(request.bearer_token(), Permission::Server)?;
    let message = ReservationRequest::parse(&request.body)?;
    app.verification.release_tan(message.reservation, app.clock.now()).await?;
    Ok(Answer::empty(StatusCode::OK))
}

async fn tele_tan(app: Arc<App>, request: ClientRequest) -> Result<Answer, ApiError> {
    let permissions = app.credentials.permissions(request.bearer_token())?;
    let kind =
        request.header(&X_CWA_TELETAN_TYPE).map(str::parse).transpose().map_err(|_| ApiError::Malformed)?;
    let roles: Vec<Role> = permissions.iter().filter_map(|permission| permission.role()).collect();
    let issued = issue_tele_tan(&app, &roles, kind).await?;
    let answer = TeleTanAnswer::new(issued.tele_tan);
    Ok(Answer::new(StatusCode::CREATED, answer.encode(&mut rng())))
}

async fn test_result_with_id(app: Arc<App>, request: ClientRequest) -> Result<Answer, ApiError> {
    app.credentials.permit(request.bearer_token(), Permission::Server)?;
    let message = TokenRequest::parse(&request.body)?;
    let answer = app.verification.test_result_with_id(&message.token, app.clock.now()).await;
    let answer = answer.map_err(|error| match error {
        TestResultError::UnknownToken => ApiError::NotFound,
        TestResultError::NoTest => ApiError::Forbidden,
        error => error.into(),
    })?;
    Ok(Answer::new(StatusCode::OK, answer.encode(&mut rng())))
}

/// Issues a teleTAN for someone with these roles.
pub(super) async fn issue_tele_tan(
    app: &App,
    roles: &[Role],
    kind: Option<TeleTanType>,
) -> Result<IssuedTeleTan, ApiError> {
    let issued = app.verification.issue_tele_tan(roles, kind, app.clock.now(), &mut rng()).await?;
    let limit = app.verification.policy().issue_limit.count;
    // As the German server warns: from 80 % on.
    if u64::from(issued.issued_in_window) * 5 >= u64::from(limit) * 4 {
        tracing::warn!(
            issued = issued.issued_in_window,
            limit,
            "nearly as many teleTANs as may be issued in the window"
        );
    }
    Ok(issued)
}

fn intent(app: &App, request: &ClientRequest) -> Intent {
    let intent = Intent::of_header(request.header(&CWA_FAKE));
    if intent == Intent::Fake {
        app.metrics.fake_requests.add(1);
    }
    intent
}

fn with_type(answer: Answer, kind: Option<TeleTanType>) -> Answer {
    match kind {
        Some(kind) => answer.with_header(X_CWA_TELETAN_TYPE, HeaderValue::from_static(kind.as_str())),
        None => answer,
    }
}

impl From<RequestError> for ApiError {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::TooLarge { .. } => Self::PayloadTooLarge,
            _ => Self::Malformed,
        }
    }
}

impl From<RegistrationError<StoreError>> for ApiError {
    fn from(error: RegistrationError<StoreError>) -> Self {
        match error {
            RegistrationError::Store(error) => error.into(),
            RegistrationError::NoFreeToken => internal("no registration token was free"),
            _ => Self::Refused,
        }
    }
}

impl From<TestResultError<StoreError>> for ApiError {
    fn from(error: TestResultError<StoreError>) -> Self {
        match error {
            TestResultError::Store(error) => error.into(),
            TestResultError::DateOfBirthMismatch => Self::Forbidden,
            TestResultError::Unreadable => internal("a session cannot be read with this hash key"),
            _ => Self::Refused,
        }
    }
}

impl From<TanError<StoreError>> for ApiError {
    fn from(error: TanError<StoreError>) -> Self {
        match error {
            TanError::Store(error) => error.into(),
            TanError::Unreadable => internal("a session cannot be read with this hash key"),
            _ => Self::Refused,
        }
    }
}

impl From<TeleTanIssueError<StoreError>> for ApiError {
    fn from(error: TeleTanIssueError<StoreError>) -> Self {
        match error {
            TeleTanIssueError::Store(error) => error.into(),
            // The German server answers a missing role like a missing token.
            TeleTanIssueError::Forbidden => Self::Unauthorized,
            TeleTanIssueError::LimitReached { .. } => Self::TooManyRequests,
            _ => internal("no teleTAN was free"),
        }
    }
}

fn internal(what: &'static str) -> ApiError {
    tracing::error!("{what}");
    ApiError::Internal
}
