use std::collections::BTreeMap;

use cwa_cli::server::{Password, Permission, PortalAccount};

use crate::support::{HOUR, Reply, TestServer, policy, request, rng, tele_tan_registration};

/// A browser: one cookie, and forms that it fills in as they are.
struct Browser<'a> {
    server: &'a TestServer,
    cookie: Option<String>,
}

impl<'a> Browser<'a> {
    fn new(server: &'a TestServer) -> Self {
        Self { server, cookie: None }
    }

    async fn send(&mut self, method: &str, path: &str, more: &[(&str, &str)], body: &str) -> Reply {
        let cookie = self.cookie.as_ref().map(|cookie| format!("cwa-session={cookie}"));
        let mut headers = more.to_vec();
        headers.extend(cookie.as_deref().map(|cookie| ("cookie", cookie)));
        let reply = request(self.server.running.portal_addr(), method, path, &headers, body.as_bytes()).await;
        if let Some(set) = reply.header("set-cookie") {
            assert!(set.contains("; Path=/portal; HttpOnly; SameSite=Strict"), "{set}");
            let value = set.split(';').next().unwrap().strip_prefix("cwa-session=").unwrap();
            self.cookie = (!value.is_empty()).then(|| value.to_owned());
        }
        reply
    }

    async fn open(&mut self) -> Reply {
        self.send("GET", "/portal", &[], "").await
    }

    async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.send("POST", path, &[("content-type", "application/x-www-form-urlencoded")], &body).await
    }

    async fn sign_in(&mut self, user: &str, password: &str) -> Reply {
        let csrf = csrf(&self.open().await);
        self.post("/portal/sign-in", &[("csrf", &csrf), ("user", user), ("password", password)]).await
    }

    async fn issue(&mut self, kind: &str) -> Reply {
        let csrf = csrf(&self.open().await);
        self.post("/portal/teletan", &[("csrf", &csrf), ("type", kind)]).await
    }
}

fn csrf(page: &Reply) -> String {
    let text = page.text();
    let (_, rest) = text.split_once("name=\"csrf\" value=\"").expect("a form");
    rest.split('"').next().unwrap().to_owned()
}

fn tele_tan(page: &Reply) -> String {
    let text = page.text();
    let (_, rest) = text.split_once("data-teletan=\"").expect("a teleTAN");
    rest.split('"').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_officer_signs_in_and_gets_a_tele_tan_that_works() {
    let server = TestServer::start().await;
    let mut browser = Browser::new(&server);
    let page = browser.open().await;
    assert_eq!(page.status, 200);
    assert!(page.text().contains("<h1>Sign in</h1>"));
    let before = browser.cookie.clone();

    let signed_in = browser.sign_in("officer", server.password.expose()).await;
    assert_eq!((signed_in.status, signed_in.header("location")), (303, Some("/portal")));
    assert_ne!(browser.cookie, before, "a cookie that somebody else may know is worth nothing");
    assert!(browser.open().await.text().contains("<h1>Issue a teleTAN</h1>"));

    let issued = browser.issue("TEST").await;
    assert_eq!(issued.status, 200);
    assert!(issued.text().contains("2020-07-22 15:00"), "one hour later: {}", issued.text());
    let code = tele_tan(&issued);
    let reply = server.phone("/version/v1/registrationToken", false, &tele_tan_registration(&code)).await;
    assert_eq!(reply.status, 201);

    let csrf = csrf(&browser.open().await);
    let signed_out = browser.post("/portal/sign-out", &[("csrf", &csrf)]).await;
    assert_eq!(signed_out.status, 303);
    assert!(browser.open().await.text().contains("<h1>Sign in</h1>"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_an_unknown_user_and_nothing_are_refused_alike() {
    let server = TestServer::start().await;
    let mut browser = Browser::new(&server);
    for (user, password) in [("officer", "wrong"), ("nobody", server.password.expose()), ("", "")] {
        let reply = browser.sign_in(user, password).await;
        assert_eq!(reply.status, 401);
        assert!(reply.text().contains("User name or password is wrong"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_was_not_made_for_the_session_does_nothing() {
    let server = TestServer::start().await;
    let mut browser = Browser::new(&server);
    let anonymous = csrf(&browser.open().await);
    browser.sign_in("officer", server.password.expose()).await;
    let mut stranger = Browser::new(&server);
    let foreign = csrf(&stranger.open().await);
    for token in ["", "00", anonymous.as_str(), foreign.as_str()] {
        let reply = browser.post("/portal/teletan", &[("csrf", token), ("type", "TEST")]).await;
        assert_eq!(reply.status, 403, "{token}");
        assert_eq!(browser.post("/portal/sign-out", &[("csrf", token)]).await.status, 403);
    }
    // Without a cookie there is no session a form could belong to.
    let reply = stranger.post("/portal/teletan", &[("csrf", &foreign), ("type", "TEST")]).await;
    assert_eq!(reply.status, 401);
    assert_eq!(server.count("tele_tan"), 0);
    assert!(browser.open().await.text().contains("Signed in as"));
}

#[tokio::test(flavor = "multi_thread")]
async fn other_hosts_and_origins_and_hidden_hosts_are_refused() {
    let server = TestServer::start().await;
    let mut browser = Browser::new(&server);
    assert_eq!(browser.send("GET", "/portal", &[("host", "evil.example")], "").await.status, 400);
    assert_eq!(browser.send("GET", "/portal", &[("x-forwarded-host", "localhost")], "").await.status, 400);
    assert_eq!(browser.send("GET", "/portal", &[("origin", "https://evil.example")], "").await.status, 400);
    assert_eq!(browser.send("GET", "/portal", &[("host", "localhost:8003")], "").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_forbid_scripts_frames_and_caches() {
    let server = TestServer::start().await;
    let mut browser = Browser::new(&server);
    let page = browser.open().await;
    let headers: BTreeMap<_, _> =
        page.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        headers["content-security-policy"],
        "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    );
    assert_eq!(headers["cache-control"], "no-store");
    assert_eq!(headers["x-content-type-options"], "nosniff");
    // With `no-referrer` a browser would send `Origin: null` along with the forms, which are refused then.
    assert_eq!(headers["referrer-policy"], "same-origin");
    assert!(!page.text().contains("<script"));
    let style = browser.send("GET", "/portal/style.css", &[], "").await;
    assert_eq!((style.status, style.header("content-type")), (200, Some("text/css; charset=utf-8")));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_officer_gets_a_tele_tan_every_thirty_seconds() {
    let mut slow = policy();
    slow.portal.issue_interval_seconds = 30;
    let server = TestServer::start_with(slow, |builder| builder).await;
    let mut browser = Browser::new(&server);
    browser.sign_in("officer", server.password.expose()).await;
    assert_eq!(browser.issue("TEST").await.status, 200);
    assert_eq!(browser.issue("TEST").await.status, 429);
    server.clock.advance(30).unwrap();
    assert_eq!(browser.issue("TEST").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_officer_gets_only_what_their_permissions_say_and_the_system_no_more_than_its_limit() {
    let mut strict = policy();
    strict.verification.issue_limit.count = 1;
    let password = Password::generate(&mut rng());
    let events = PortalAccount::new("events", &password, [Permission::EventHotline], &mut rng()).unwrap();
    let server = TestServer::start_with(strict, |builder| builder.portal_account(events)).await;
    let mut browser = Browser::new(&server);
    browser.sign_in("events", password.expose()).await;
    assert_eq!(browser.issue("TEST").await.status, 403);
    assert_eq!(browser.issue("BOTH").await.status, 400);
    let issued = browser.issue("EVENT").await;
    assert!(issued.text().contains("2020-07-24 14:00"), "two days later: {}", issued.text());
    assert_eq!(browser.issue("EVENT").await.status, 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_after_four_hours() {
    let server = TestServer::start().await;
    let mut browser = Browser::new(&server);
    browser.sign_in("officer", server.password.expose()).await;
    let csrf = csrf(&browser.open().await);
    server.clock.advance(4 * HOUR).unwrap();
    let reply = browser.post("/portal/teletan", &[("csrf", &csrf), ("type", "TEST")]).await;
    assert_eq!(reply.status, 401);
    assert!(reply.text().contains("Your session has ended"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_portal_knows_nothing_else() {
    let server = TestServer::start().await;
    let mut browser = Browser::new(&server);
    for path in ["/", "/portal/../portal", "/portal/x", "/version/v1/tan/teletan", "/metrics"] {
        assert_eq!(browser.send("GET", path, &[], "").await.status, 404, "{path}");
    }
    assert_eq!(browser.send("GET", "/portal/teletan", &[], "").await.status, 405);
    assert_eq!(browser.send("POST", "/portal", &[], "").await.status, 405);
    assert_eq!(
        browser.send("POST", "/portal/teletan", &[("content-type", "text/plain")], "a").await.status,
        415
    );
    let large = "a".repeat(5000);
    let form = [("content-type", "application/x-www-form-urlencoded")];
    assert_eq!(browser.send("POST", "/portal/sign-in", &form, &large).await.status, 413);
}
