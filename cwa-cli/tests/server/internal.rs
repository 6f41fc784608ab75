use crate::support::{DAY, TestServer, hash, policy, registration, request, token_request};

#[tokio::test(flavor = "multi_thread")]
async fn every_internal_endpoint_asks_for_a_credential_that_permits_it() {
    let server = TestServer::start().await;
    let tan = server.fresh_tan(1).await;
    let (lab, hotline, other) = (Some(&server.lab), Some(&server.hotline), Some(&server.server));
    let tan_body = format!(r#"{{"tan":"{tan}"}}"#);
    for path in [
        "/version/v1/tan/verify",
        "/version/v1/tan/reserve",
        "/version/v1/tan/confirm",
        "/version/v1/tan/release",
        "/version/v1/testresult",
        "/api/v1/app/result",
    ] {
        for token in [None, lab, hotline] {
            let reply = server.internal(path, token, &tan_body).await;
            assert_eq!(reply.status, 401, "{path}");
            assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
            assert!(reply.body.is_empty());
        }
    }
    for token in [None, lab, other] {
        assert_eq!(server.internal("/version/v1/tan/teletan", token, "").await.status, 401);
    }
    for token in [None, hotline, other] {
        assert_eq!(server.internal("/api/v1/lab/results", token, "{}").await.status, 401);
    }
    // Nothing of this has used the TAN.
    assert_eq!(server.internal("/version/v1/tan/verify", other, &tan_body).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tan_is_verified_once() {
    let server = TestServer::start().await;
    let tan = server.fresh_tan(1).await;
    let body = format!(r#"{{"tan":"{tan}"}}"#);
    let verify = |body: String| {
        let server = &server;
        async move { server.internal("/version/v1/tan/verify", Some(&server.server), &body).await }
    };
    let reply = verify(body.clone()).await;
    assert_eq!((reply.status, reply.body.len(), reply.header("x-cwa-teletan-type")), (200, 0, None));
    assert_eq!(verify(body).await.status, 404, "used");
    assert_eq!(
        verify(r#"{"tan":"1819d933-45f6-4e3c-80c7-eeffd2d44ee6"}"#.to_owned()).await.status,
        404,
        "unknown"
    );
    assert_eq!(verify(r#"{"tan":"1-1-1-1-1"}"#.to_owned()).await.status, 400, "no UUID");
    assert_eq!(verify("{}".to_owned()).await.status, 400);
    let late = server.fresh_tan(2).await;
    server.clock.advance(3600).unwrap();
    assert_eq!(verify(format!(r#"{{"tan":"{late}"}}"#)).await.status, 404, "expired");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_at_once_and_one_winner() {
    let server = TestServer::start().await;
    let tan = server.fresh_tan(1).await;
    let body = format!(r#"{{"tan":"{tan}"}}"#);
    let address = server.running.internal_addr();
    let authorization = format!("Bearer {}", server.server.expose());
    let racers: Vec<_> = (0..1000)
        .map(|_| {
            let (body, authorization) = (body.clone(), authorization.clone());
            tokio::spawn(async move {
                let headers =
                    [("content-type", "application/json"), ("authorization", authorization.as_str())];
                request(address, "POST", "/version/v1/tan/verify", &headers, body.as_bytes()).await.status
            })
        })
        .collect();
    let mut won = 0;
    for racer in racers {
        match racer.await.unwrap() {
            200 => won += 1,
            status => assert_eq!(status, 404),
        }
    }
    assert_eq!(won, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn tele_tans_are_issued_by_type_and_permission() {
    let server = TestServer::start().await;
    let issue = |token, kind: Option<&'static str>| {
        let server = &server;
        async move {
            let authorization = format!("Bearer {}", cwa_cli::server::BearerToken::expose(token));
            let mut headers = vec![("authorization", authorization.as_str())];
            headers.extend(kind.map(|kind| ("x-cwa-teletan-type", kind)));
            request(server.running.internal_addr(), "POST", "/version/v1/tan/teletan", &headers, b"").await
        }
    };
    let reply = issue(&server.hotline, None).await;
    assert_eq!(reply.status, 201);
    assert!(cwa_verify::TeleTan::parse(&reply.member("value")).is_ok());
    assert_eq!(issue(&server.hotline, Some("TEST")).await.status, 201);
    assert_eq!(issue(&server.hotline, Some("EVENT")).await.status, 401);
    assert_eq!(issue(&server.event_hotline, Some("EVENT")).await.status, 201);
    assert_eq!(
        issue(&server.event_hotline, Some("TEST")).await.status,
        401,
        "the German server lets this pass"
    );
    assert_eq!(issue(&server.event_hotline, None).await.status, 401);
    assert_eq!(issue(&server.hotline, Some("test")).await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_tele_tan_says_so_when_its_tan_is_verified() {
    let server = TestServer::start().await;
    let authorization = format!("Bearer {}", server.event_hotline.expose());
    let headers = [("authorization", authorization.as_str()), ("x-cwa-teletan-type", "EVENT")];
    let reply =
        request(server.running.internal_addr(), "POST", "/version/v1/tan/teletan", &headers, b"").await;
    server.clock.advance(DAY).unwrap();
    let body = crate::support::tele_tan_registration(&reply.member("value"));
    let token = server.phone("/version/v1/registrationToken", false, &body).await.member("registrationToken");
    let tan = server.tan(&token).await;
    let body = format!(r#"{{"tan":"{tan}"}}"#);
    let reply = server.internal("/version/v1/tan/verify", Some(&server.server), &body).await;
    assert_eq!((reply.status, reply.header("x-cwa-teletan-type")), (200, Some("EVENT")));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_tele_tans_are_issued_than_the_limit() {
    let mut strict = policy();
    strict.verification.issue_limit.count = 2;
    let server = TestServer::start_with(strict, |builder| builder).await;
    let issue = || server.internal("/version/v1/tan/teletan", Some(&server.hotline), "");
    assert_eq!([issue().await.status, issue().await.status, issue().await.status], [201, 201, 429]);
    server.clock.advance(3600).unwrap();
    assert_eq!(issue().await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tan_is_reserved_confirmed_and_released_between_servers() {
    let server = TestServer::start().await;
    let tan = server.fresh_tan(1).await;
    let call = |path: &'static str, body: String| {
        let server = &server;
        async move { server.internal(path, Some(&server.server), &body).await }
    };
    let (one, other) = ("aa".repeat(32), "bb".repeat(32));
    let reserve =
        |digest: &str| call("/version/v1/tan/reserve", format!(r#"{{"tan":"{tan}","digest":"{digest}"}}"#));
    let granted = reserve(&one).await;
    assert_eq!((granted.status, &granted.json()["leaseSeconds"]), (200, &serde_json::json!(60)));
    let held = format!(r#"{{"reservation":"{}"}}"#, granted.member("reservation"));
    assert_eq!(reserve(&other).await.status, 404, "held for another payload");

    assert_eq!(call("/version/v1/tan/release", held.clone()).await.status, 200);
    assert_eq!(call("/version/v1/tan/confirm", held.clone()).await.status, 404, "released");
    assert_eq!(reserve(&one).await.status, 200);
    assert_eq!(call("/version/v1/tan/confirm", held.clone()).await.status, 200);
    assert_eq!(call("/version/v1/tan/confirm", held.clone()).await.status, 200, "may be repeated");
    let again = reserve(&one).await;
    assert_eq!(
        (again.status, &again.json()["leaseSeconds"]),
        (200, &serde_json::json!(0)),
        "nothing to store any more"
    );
    assert_eq!(reserve(&other).await.status, 404, "used up");
    assert_eq!(reserve("aa").await.status, 400);
    assert_eq!(call("/version/v1/tan/confirm", r#"{"reservation":"00"}"#.to_owned()).await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn laboratories_report_and_servers_ask() {
    let server = TestServer::start().await;
    let report = |body: String| {
        let server = &server;
        async move { server.internal("/api/v1/lab/results", Some(&server.lab), &body).await.status }
    };
    let result =
        |id: u64, result: u8| format!(r#"{{"testResults":[{{"id":"{}","result":{result}}}]}}"#, hash(id));
    assert_eq!(report(result(1, 1)).await, 204);
    for wrong in [result(2, 0), result(2, 4), r#"{"testResults":[]}"#.to_owned(), "{}".to_owned()] {
        assert_eq!(report(wrong).await, 400);
    }
    let mixed =
        format!(r#"{{"testResults":[{{"id":"{}","result":2}},{{"id":"short","result":2}}]}}"#, hash(3));
    assert_eq!(report(mixed).await, 400);

    let ask = |id: u64| {
        let server = &server;
        async move {
            let body = format!(r#"{{"id":"{}"}}"#, hash(id));
            server.internal("/api/v1/app/result", Some(&server.server), &body).await
        }
    };
    assert_eq!(ask(1).await.json()["testResult"], 1);
    assert_eq!(ask(3).await.json()["testResult"], 0, "all of a batch or nothing");
    let wrong = server.internal("/api/v1/app/result", Some(&server.server), r#"{"id":"1"}"#).await;
    assert_eq!(wrong.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_learn_which_test_a_token_belongs_to() {
    let server = TestServer::start().await;
    let ask = |token: String| {
        let server = &server;
        async move {
            server.internal("/version/v1/testresult", Some(&server.server), &token_request(&token)).await
        }
    };
    let token = server.positive_session(1).await;
    let reply = ask(token).await;
    assert_eq!((reply.status, reply.member("testId")), (200, hash(1)));
    assert_eq!(ask("11111111-2222-4444-8888-161616161616".to_owned()).await.status, 404);
    let body = crate::support::tele_tan_registration(&server.tele_tan().await);
    let token = server.phone("/version/v1/registrationToken", false, &body).await.member("registrationToken");
    assert_eq!(ask(token).await.status, 403, "a teleTAN names no test");
    let of_birth = format!(r#"{{"key":"{}","keyDob":"x{}","keyType":"GUID"}}"#, hash(5), &hash(6)[1..]);
    let token =
        server.phone("/version/v1/registrationToken", false, &of_birth).await.member("registrationToken");
    server.report(&hash(5), 2).await;
    assert_eq!(ask(token).await.status, 403, "the date of birth does not fit");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_internal_listener_has_no_endpoint_of_phones_and_takes_no_large_body() {
    let server = TestServer::start().await;
    assert_eq!(
        server
            .internal("/version/v1/registrationToken", Some(&server.server), &registration(&hash(1)))
            .await
            .status,
        404
    );
    assert_eq!(server.internal("/version/v1/tan", Some(&server.server), "{}").await.status, 404);
    assert_eq!(
        server.internal("/version/v1/tan/verify", Some(&server.server), &" ".repeat(10_001)).await.status,
        413
    );
    assert_eq!(
        server.internal("/api/v1/lab/results", Some(&server.lab), &" ".repeat((1 << 20) + 1)).await.status,
        413
    );
    let address = server.running.internal_addr();
    assert_eq!(request(address, "GET", "/version/v1/tan/verify", &[], b"").await.status, 405);
    assert_eq!(request(address, "POST", "/version/v1/tan/verify", &[], b"{}").await.status, 415);
}
