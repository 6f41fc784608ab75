use super::*;
use crate::hash::RetryWindow;
use crate::store::{IssueTeleTanError, RegisterError, Registered, SessionSource};

/// The second attempt is refused, whoever makes it.
pub async fn a_teletan_opens_one_session_of_its_type<H: Harness>(harness: &H) {
    let store = harness.empty_store().await;
    for (number, kind) in [(1, None), (2, Some(TeleTanType::Test)), (3, Some(TeleTanType::Event))] {
        assert_is!(store.register(tele_tan_session(number), NOW).await, Err(RegisterError::UnknownTeleTan));
        issue_tele_tan(&store, number, kind, NOW).await;
        assert_is!(store.register(tele_tan_session(number), NOW).await, Ok(Registered::Now));
        let open = store.session(token_hash(number), NOW).await.unwrap().unwrap();
        assert_is!(open.source, SessionSource::TeleTan(k) if *k == kind);
        let again = NewSession { token: token_hash(100 + number), ..tele_tan_session(number) };
        assert_is!(store.register(again, NOW).await, Err(RegisterError::RedeemedTeleTan));
        assert_is!(store.session(token_hash(100 + number), NOW).await, Ok(None));
    }
}

/// First second in, last second out.
pub async fn a_teletan_is_valid_from_its_issue_until_before_its_end<H: Harness>(harness: &H) {
    let store = harness.empty_store().await;
    let end = NOW.plus(HOUR);
    issue_tele_tan(&store, 1, None, NOW).await;
    for moment in [NOW.minus(1), end, end.plus(DAY)] {
        assert_is!(
            store.register(tele_tan_session(1), moment).await,
            Err(RegisterError::ExpiredTeleTan { valid_until }) if *valid_until == end
        );
    }
    assert_is!(store.register(tele_tan_session(1), end.minus(1)).await, Ok(Registered::Now));
    issue_tele_tan(&store, 2, None, NOW).await;
    assert_is!(store.register(tele_tan_session(2), NOW).await, Ok(Registered::Now));
}

/// The repetition is recognised before the teleTAN is looked at.
pub async fn a_repeated_request_with_a_redeemed_teletan_gets_the_same_session<H: Harness>(harness: &H) {
    let store = harness.empty_store().await;
    issue_tele_tan(&store, 1, None, NOW).await;
    let late = NOW.plus(HOUR - 1);
    let retry = Some(RetryWindow { request: request(b"request"), until: late.plus(10 * MINUTE) });
    let attempt =
        |number| NewSession { token: token_hash(number), salt: salt(number), retry, ..tele_tan_session(1) };
    assert_is!(store.register(attempt(1), late).await, Ok(Registered::Now));
    assert_is!(
        store.register(attempt(2), late.plus(5 * MINUTE)).await,
        Ok(Registered::Before { salt: s }) if *s == salt(1)
    );
}

/// A code that was drawn before is drawn again, even if it has been used.
pub async fn a_teletan_is_issued_once<H: Harness>(harness: &H) {
    let store = harness.empty_store().await;
    let new = |now: UnixTime| NewTeleTan { hash: tele_tan(1), kind: None, valid_until: now.plus(HOUR) };
    assert_is!(store.issue_tele_tan(new(NOW), LIMIT, NOW).await, Ok(1));
    assert_is!(store.issue_tele_tan(new(NOW), LIMIT, NOW).await, Err(IssueTeleTanError::Taken));
    store.register(tele_tan_session(1), NOW).await.unwrap();
    assert_is!(store.issue_tele_tan(new(NOW), LIMIT, NOW).await, Err(IssueTeleTanError::Taken));
    let later = NOW.plus(2 * HOUR);
    assert_is!(store.issue_tele_tan(new(later), LIMIT, later).await, Err(IssueTeleTanError::Taken));
}

/// Redeemed and expired teleTANs count; a refused one does not.
pub async fn no_more_teletans_are_issued_than_the_limit_within_the_window<H: Harness>(harness: &H) {
    let store = harness.empty_store().await;
    let limit = IssueLimit { count: 3, window_seconds: 100 };
    let new =
        |number, now: UnixTime| NewTeleTan { hash: tele_tan(number), kind: None, valid_until: now.plus(10) };
    for (number, seconds, issued) in [(1, 0, 1), (2, 50, 2), (3, 99, 3)] {
        let now = NOW.plus(seconds);
        assert_is!(store.issue_tele_tan(new(number, now), limit, now).await, Ok(n) if *n == issued);
    }
    for _ in 0..2 {
        let now = NOW.plus(99);
        assert_is!(
            store.issue_tele_tan(new(4, now), limit, now).await,
            Err(IssueTeleTanError::LimitReached { limit: 3 })
        );
    }
    // The first one is just out of the window; the others are still in it.
    let now = NOW.plus(100);
    assert_is!(store.issue_tele_tan(new(4, now), limit, now).await, Ok(3));
    assert_is!(
        store.issue_tele_tan(new(5, now), limit, now).await,
        Err(IssueTeleTanError::LimitReached { limit: 3 })
    );
}
