//! The portal: a health officer signs in and has teleTANs issued.
//!
//! Server-rendered, without a script, on a listener of its own. Sessions are held in memory, under the hash of their
//! cookie. Every form carries a token that is bound to the cookie (CSRF); the cookie is `HttpOnly` and `SameSite=Strict`.
//! The portal answers to the host names it was told only, and not behind a proxy that hides the name.

mod accounts;
mod pages;

use core::time::Duration;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use axum::routing::any;
use cwa_crypto::UnixTime;
use cwa_verify::TeleTanType;
use hmac::{Hmac, KeyInit as _, Mac as _};
use rand::{CryptoRng, Rng as _};
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

pub use accounts::{Password, PasswordHashError, PortalAccount};

use super::App;
use super::error::ApiError;
use super::request::{BodyRules, ClientRequest, X_FORWARDED_HOST};
use pages::Officer;

/// The cookie that holds a session, or one that is to be.
pub(super) const SESSION_COOKIE: &str = "cwa-session";

/// How the portal behaves.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PortalPolicy {
    /// Host names under which browsers reach the portal, without a port. Those of the loopback interface always are.
    pub hosts: Vec<String>,
    /// Whether the session's cookie is for TLS only. Set it wherever the portal is reached through a TLS proxy.
    pub secure_cookie: bool,
    /// Seconds that must pass between two teleTANs of one officer: 30. 0: none.
    pub issue_interval_seconds: u64,
    /// Seconds after which an officer has to sign in again: four hours.
    pub session_seconds: u64,
}

impl Default for PortalPolicy {
    fn default() -> Self {
        Self {
            hosts: Vec::new(),
            secure_cookie: false,
            issue_interval_seconds: 30,
            session_seconds: 4 * 3600,
        }
    }
}

/// The portal's accounts and sessions.
#[derive(Debug)]
pub(super) struct Portal {
    policy: PortalPolicy,
    accounts: Vec<PortalAccount>,
    /// Whom an unknown user's password is compared with, so that unknown and known users take the same time.
    nobody: Option<PortalAccount>,
    /// What CSRF tokens are made with.
    csrf_key: Zeroizing<[u8; 32]>,
    sessions: Mutex<HashMap<[u8; 32], Session>>,
    officers: Mutex<BTreeMap<usize, OfficerState>>,
    /// How many passwords are compared at a time: each takes 19 MiB.
    comparisons: Semaphore,
}

#[derive(Clone, Copy, Debug)]
struct Session {
    account: usize,
    expires_at: UnixTime,
}

#[derive(Clone, Copy, Debug, Default)]
struct OfficerState {
    last_issued: Option<UnixTime>,
    failures: u32,
    locked_until: UnixTime,
}

/// Wrong passwords after which an account is locked for a while.
const FAILURES: u32 = 10;
/// For how long, in seconds.
const LOCKED_SECONDS: u64 = 300;
/// Sessions that are kept; the oldest makes room.
const SESSIONS: usize = 10_000;

const FORM: BodyRules = BodyRules {
    media_type: Some("application/x-www-form-urlencoded"),
    limit: 4096,
    length_required: false,
    timeout: Duration::from_secs(10),
};

impl Portal {
    pub(super) fn new(policy: PortalPolicy, accounts: Vec<PortalAccount>, rng: &mut impl CryptoRng) -> Self {
        let mut csrf_key = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut *csrf_key);
        let nobody = PortalAccount::new("", &Password::generate(rng), [], rng).ok();
        Self {
            policy,
            accounts,
            nobody,
            csrf_key,
            sessions: Mutex::default(),
            officers: Mutex::default(),
            comparisons: Semaphore::new(2),
        }
    }

    fn csrf_token(&self, cookie: &str) -> String {
        hex::encode(self.csrf_mac(cookie).finalize().into_bytes())
    }

    fn csrf_token_is_right(&self, cookie: &str, token: &str) -> bool {
        hex::decode(token).is_ok_and(|token| self.csrf_mac(cookie).verify_slice(&token).is_ok())
    }

    fn csrf_mac(&self, cookie: &str) -> Hmac<Sha256> {
        #[expect(clippy::expect_used, reason = "HMAC takes a key of any length (RFC 2104 §2)")]
        let mut mac = Hmac::<Sha256>::new_from_slice(&*self.csrf_key).expect("any length");
        mac.update(cookie.as_bytes());
        mac
    }

    /// The account that is signed in with this cookie.
    fn account_of(&self, cookie: &str, now: UnixTime) -> Option<(usize, &PortalAccount)> {
        let session =
            self.sessions().get(&session_key(cookie)).copied().filter(|session| now < session.expires_at)?;
        Some((session.account, self.accounts.get(session.account)?))
    }

    fn open_session(&self, cookie: &str, account: usize, now: UnixTime) {
        let mut sessions = self.sessions();
        sessions.retain(|_, session| now < session.expires_at);
        if sessions.len() >= SESSIONS {
            let oldest = sessions.iter().min_by_key(|(_, session)| session.expires_at).map(|(key, _)| *key);
            oldest.and_then(|key| sessions.remove(&key));
        }
        let expires_at = now.plus(self.policy.session_seconds);
        sessions.insert(session_key(cookie), Session { account, expires_at });
    }

    /// Signs in. The time it takes does not tell whether there is such a user.
    async fn sign_in(self: &Arc<Self>, user: &str, password: Password, now: UnixTime) -> Option<usize> {
        let found = self.accounts.iter().position(|account| account.user() == user);
        let account = found.and_then(|index| self.accounts.get(index)).or(self.nobody.as_ref())?.clone();
        let _permit = self.comparisons.acquire().await.ok()?;
        let matches = tokio::task::spawn_blocking(move || account.accepts(&password)).await.ok()?;
        let index = found?;
        let mut officers = self.officers();
        let state = officers.entry(index).or_default();
        if now < state.locked_until {
            return None;
        }
        if matches {
            state.failures = 0;
            return Some(index);
        }
        state.failures += 1;
        if state.failures >= FAILURES {
            state.failures = 0;
            state.locked_until = now.plus(LOCKED_SECONDS);
            tracing::warn!("a portal account is locked after too many wrong passwords");
        }
        None
    }

    /// Takes an officer's turn, or says that it is too soon. One step, so that two requests at once get one turn.
    fn take_turn(&self, account: usize, now: UnixTime) -> bool {
        let mut officers = self.officers();
        let state = officers.entry(account).or_default();
        let interval = self.policy.issue_interval_seconds;
        if state.last_issued.is_some_and(|last| now < last.plus(interval)) {
            return false;
        }
        state.last_issued = Some(now);
        true
    }

    fn is_our_host(&self, headers: &HeaderMap) -> bool {
        let name = |header: &HeaderName| {
            let host = headers.get(header)?.to_str().ok()?;
            let host = host.strip_prefix("http://").or_else(|| host.strip_prefix("https://")).unwrap_or(host);
            // A port is digits after the last colon that is not inside an IPv6 address.
            let name = match host.rsplit_once(':') {
                Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
                _ => host,
            };
            Some(name.to_ascii_lowercase())
        };
        let known = |name: &str| {
            let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
            name == "localhost"
                || address.parse().is_ok_and(|address: core::net::IpAddr| address.is_loopback())
                || self.policy.hosts.iter().any(|host| host.eq_ignore_ascii_case(name))
        };
        !headers.contains_key(X_FORWARDED_HOST)
            && name(&header::HOST).is_some_and(|name| known(&name))
            && (!headers.contains_key(header::ORIGIN)
                || name(&header::ORIGIN).is_some_and(|name| known(&name)))
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<[u8; 32], Session>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn officers(&self) -> MutexGuard<'_, BTreeMap<usize, OfficerState>> {
        self.officers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The portal's pages.
pub(super) fn router(app: &Arc<App>) -> Router {
    let app = Arc::clone(app);
    Router::new().fallback(any(move |request: Request| {
        let app = Arc::clone(&app);
        async move {
            let reply = reply(&app, request).await;
            let response = reply.into_response(&app.portal.policy);
            app.metrics.answered("portal", response.status().as_u16());
            response
        }
    }))
}

/// What the portal answers with.
#[derive(Debug)]
struct Reply {
    status: StatusCode,
    content: Content,
    /// The value of the session's cookie, where it is to be set; empty: forget it.
    cookie: Option<String>,
}

#[derive(Debug)]
enum Content {
    Page(String),
    Style,
    /// Go on at `/portal`.
    Redirect,
}

impl Reply {
    fn page(status: StatusCode, page: String) -> Self {
        Self { status, content: Content::Page(page), cookie: None }
    }

    fn redirect(cookie: String) -> Self {
        Self { status: StatusCode::SEE_OTHER, content: Content::Redirect, cookie: Some(cookie) }
    }

    fn problem(status: StatusCode, text: &str) -> Self {
        Self::page(status, pages::problem(status.canonical_reason().unwrap_or("Problem"), text))
    }

    fn into_response(self, policy: &PortalPolicy) -> Response {
        let (media_type, body) = match self.content {
            Content::Page(page) => ("text/html; charset=utf-8", Body::from(page)),
            Content::Style => ("text/css; charset=utf-8", Body::from(pages::STYLE)),
            Content::Redirect => ("text/plain", Body::empty()),
        };
        let is_redirect = self.status == StatusCode::SEE_OTHER;
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        for (name, value) in [
            (header::CONTENT_TYPE, media_type),
            (
                header::CONTENT_SECURITY_POLICY,
                "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
            ),
            (header::CACHE_CONTROL, "no-store"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::X_FRAME_OPTIONS, "DENY"),
            // Not `no-referrer`: with it a browser sends `Origin: null` along with the portal's own forms.
            (header::REFERRER_POLICY, "same-origin"),
            (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
            (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if is_redirect {
            headers.insert(header::LOCATION, HeaderValue::from_static("/portal"));
        }
        if let Some(cookie) = self.cookie {
            let forget = if cookie.is_empty() { "; Max-Age=0" } else { "" };
            let secure = if policy.secure_cookie { "; Secure" } else { "" };
            let cookie =
                format!("{SESSION_COOKIE}={cookie}; Path=/portal; HttpOnly; SameSite=Strict{secure}{forget}");
            if let Ok(value) = HeaderValue::try_from(cookie) {
                headers.insert(header::SET_COOKIE, value);
            }
        }
        response
    }
}

async fn reply(app: &Arc<App>, request: Request) -> Reply {
    if !app.portal.is_our_host(request.headers()) {
        return Reply::problem(StatusCode::BAD_REQUEST, "The portal is not reached under this name.");
    }
    let cookie =
        request.headers().get(header::COOKIE).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let path = request.uri().path().to_owned();
    let method = request.method().clone();
    let now = app.clock.now();
    let reading = method == Method::GET || method == Method::HEAD;
    match path.as_str() {
        "/portal" | "/portal/" if reading => front(app, cookie.as_deref(), now),
        "/portal/style.css" if reading => {
            Reply { status: StatusCode::OK, content: Content::Style, cookie: None }
        }
        "/portal/sign-in" | "/portal/teletan" | "/portal/sign-out" if method == Method::POST => {
            let form = match ClientRequest::receive(request, FORM).await {
                Ok(request) => Form::parse(&request.body),
                Err(error) => return refused(app, error),
            };
            // Without the token of its own cookie no form is looked at any further.
            let Some(cookie) =
                cookie.filter(|cookie| app.portal.csrf_token_is_right(cookie, form.get("csrf")))
            else {
                return refused(app, ApiError::Forbidden);
            };
            match path.as_str() {
                "/portal/sign-in" => sign_in(app, &form, now).await,
                "/portal/teletan" => issue(app, &cookie, &form, now).await,
                _ => {
                    app.portal.sessions().remove(&session_key(&cookie));
                    Reply::redirect(String::new())
                }
            }
        }
        "/portal" | "/portal/" | "/portal/style.css" | "/portal/sign-in" | "/portal/teletan"
        | "/portal/sign-out" => refused(app, ApiError::MethodNotAllowed),
        _ => refused(app, ApiError::NotFound),
    }
}

fn refused(app: &App, error: ApiError) -> Reply {
    app.metrics.failed(error);
    let text = match error {
        ApiError::Forbidden => {
            "The form was not made for this session. Go back, reload the page and try again."
        }
        ApiError::NotFound => "There is no such page.",
        _ => "The request could not be understood.",
    };
    Reply::problem(error.status(), text)
}

fn front(app: &App, cookie: Option<&str>, now: UnixTime) -> Reply {
    if let Some((cookie, account)) =
        cookie.and_then(|cookie| Some((cookie, app.portal.account_of(cookie, now)?.1)))
    {
        let csrf = app.portal.csrf_token(cookie);
        return Reply::page(StatusCode::OK, pages::choose(officer(account, &csrf), None));
    }
    sign_in_page(app, StatusCode::OK, None)
}

/// The sign-in form, with a cookie of its own that the form is bound to.
fn sign_in_page(app: &App, status: StatusCode, problem: Option<&str>) -> Reply {
    let cookie = new_cookie();
    let csrf = app.portal.csrf_token(&cookie);
    Reply { cookie: Some(cookie), ..Reply::page(status, pages::sign_in(&csrf, problem)) }
}

async fn sign_in(app: &Arc<App>, form: &Form, now: UnixTime) -> Reply {
    let password = Password::new(form.get("password"));
    match app.portal.sign_in(form.get("user"), password, now).await {
        Some(account) => {
            // Another cookie than before, which somebody else may know.
            let cookie = new_cookie();
            app.portal.open_session(&cookie, account, now);
            Reply::redirect(cookie)
        }
        None => {
            app.metrics.failed(ApiError::Unauthorized);
            sign_in_page(
                app,
                StatusCode::UNAUTHORIZED,
                Some("User name or password is wrong, or the account is locked."),
            )
        }
    }
}

async fn issue(app: &Arc<App>, cookie: &str, form: &Form, now: UnixTime) -> Reply {
    let Some((index, account)) = app.portal.account_of(cookie, now) else {
        return sign_in_page(
            app,
            StatusCode::UNAUTHORIZED,
            Some("Your session has ended. Please sign in again."),
        );
    };
    let csrf = app.portal.csrf_token(cookie);
    let officer = officer(account, &csrf);
    let Ok(kind) = form.get("type").parse() else { return refused(app, ApiError::Malformed) };
    if !account.may_issue(kind) {
        app.metrics.failed(ApiError::Forbidden);
        let problem = "Your account may not have teleTANs of this kind issued.";
        return Reply::page(StatusCode::FORBIDDEN, pages::choose(officer, Some(problem)));
    }
    if !app.portal.take_turn(index, now) {
        app.metrics.failed(ApiError::TooManyRequests);
        let problem = format!(
            "Please wait: a teleTAN can be issued every {} seconds.",
            app.portal.policy.issue_interval_seconds
        );
        return Reply::page(StatusCode::TOO_MANY_REQUESTS, pages::choose(officer, Some(&problem)));
    }
    let issued = {
        let app_of_task = Arc::clone(app);
        let roles = account.roles();
        app.tasks
            .run(async move { super::verification::issue_tele_tan(&app_of_task, &roles, Some(kind)).await })
            .await
    };
    match issued {
        Ok(issued) => {
            let minutes = issued.valid_until.seconds_since(now) / 60;
            Reply::page(StatusCode::OK, pages::issued(officer, &issued.tele_tan, issued.valid_until, minutes))
        }
        Err(error) => {
            app.metrics.failed(error);
            let problem = match error {
                ApiError::TooManyRequests => {
                    "Too many teleTANs have been issued this hour. Please try again later."
                }
                _ => "No teleTAN could be issued. Please try again.",
            };
            Reply::page(error.status(), pages::choose(officer, Some(problem)))
        }
    }
}

fn officer<'a>(account: &'a PortalAccount, csrf: &'a str) -> Officer<'a> {
    Officer {
        user: account.user(),
        csrf,
        may_issue_for_tests: account.may_issue(TeleTanType::Test),
        may_issue_for_events: account.may_issue(TeleTanType::Event),
    }
}

/// 256 random bits in hexadecimal.
fn new_cookie() -> String {
    let mut bytes = Zeroizing::new([0; 32]);
    super::rng().fill_bytes(&mut *bytes);
    hex::encode(*bytes)
}

/// What a session is filed under: the cookie itself is not kept.
fn session_key(cookie: &str) -> [u8; 32] {
    Sha256::digest(cookie).into()
}

/// A submitted form; wiped when dropped, because it may hold a password.
struct Form(Vec<(String, Zeroizing<String>)>);

impl Form {
    fn parse(body: &[u8]) -> Self {
        Self(
            form_urlencoded::parse(body)
                .map(|(name, value)| (name.into_owned(), Zeroizing::new(value.into_owned())))
                .collect(),
        )
    }

    /// The first value of a field; empty if there is none.
    fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::*;
    use crate::server::credentials::Permission;

    fn portal(policy: PortalPolicy) -> (Arc<Portal>, Password) {
        let mut rng = StdRng::seed_from_u64(1);
        let password = Password::generate(&mut rng);
        let account = PortalAccount::new("officer", &password, [Permission::Hotline], &mut rng).unwrap();
        (Arc::new(Portal::new(policy, vec![account], &mut rng)), password)
    }

    const NOW: UnixTime = UnixTime::from_secs(1_595_376_000);

    #[tokio::test]
    async fn an_account_is_locked_after_ten_wrong_passwords_and_opens_again() {
        let (portal, password) = portal(PortalPolicy::default());
        assert_eq!(portal.sign_in("officer", password.clone(), NOW).await, Some(0));
        assert_eq!(portal.sign_in("nobody", password.clone(), NOW).await, None);
        for _ in 0..FAILURES {
            assert_eq!(portal.sign_in("officer", Password::new("wrong"), NOW).await, None);
        }
        assert_eq!(portal.sign_in("officer", password.clone(), NOW).await, None);
        assert_eq!(portal.sign_in("officer", password, NOW.plus(LOCKED_SECONDS)).await, Some(0));
    }

    #[test]
    fn a_session_ends_after_its_time() {
        let (portal, _) = portal(PortalPolicy::default());
        portal.open_session("cookie", 0, NOW);
        assert!(portal.account_of("cookie", NOW.plus(4 * 3600 - 1)).is_some());
        assert!(portal.account_of("cookie", NOW.plus(4 * 3600)).is_none());
        assert!(portal.account_of("other", NOW).is_none());
    }

    #[test]
    fn an_officer_gets_one_turn_per_interval() {
        let (portal, _) = portal(PortalPolicy::default());
        assert!(portal.take_turn(0, NOW));
        assert!(!portal.take_turn(0, NOW.plus(29)));
        assert!(portal.take_turn(0, NOW.plus(30)));
        assert!(portal.take_turn(1, NOW.plus(30)));
    }

    #[test]
    fn a_form_is_bound_to_its_cookie() {
        let (portal, _) = portal(PortalPolicy::default());
        let token = portal.csrf_token("cookie");
        assert!(portal.csrf_token_is_right("cookie", &token));
        assert!(!portal.csrf_token_is_right("other", &token));
        for wrong in ["", "zz", token.get(2..).unwrap()] {
            assert!(!portal.csrf_token_is_right("cookie", wrong));
        }
    }

    #[test]
    fn only_known_hosts_are_answered() {
        let policy = PortalPolicy { hosts: vec!["portal.example".to_owned()], ..PortalPolicy::default() };
        let (portal, _) = portal(policy);
        let ours = |pairs: &[(&'static str, &'static str)]| {
            let headers = pairs
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
                .collect();
            portal.is_our_host(&headers)
        };
        for host in ["localhost", "localhost:8003", "127.0.0.1:8003", "[::1]:8003", "[::1]", "Portal.Example"]
        {
            assert!(ours(&[("host", host)]), "{host}");
        }
        for host in
            ["", "evil.example", "localhost.evil.example", "portal.example.evil.example:80", "10.0.0.1"]
        {
            assert!(!ours(&[("host", host)]), "{host}");
        }
        assert!(!ours(&[]));
        assert!(!ours(&[("host", "localhost"), ("x-forwarded-host", "localhost")]));
        assert!(ours(&[("host", "localhost:8003"), ("origin", "http://localhost:8003")]));
        assert!(!ours(&[("host", "localhost:8003"), ("origin", "https://evil.example")]));
        assert!(!ours(&[("host", "localhost:8003"), ("origin", "null")]));
    }
}
