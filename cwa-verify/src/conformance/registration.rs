use super::*;
use crate::hash::RetryWindow;
use crate::store::{RegisterError, Registered, SessionSource};

/// One session per hashed GUID, whatever the token.
pub async fn a_test_registers_once<H: Harness>(harness: &H) {
    let store = harness.empty_store().await;
    assert_is!(store.register(session(1), NOW).await, Ok(Registered::Now));
    let again = NewSession { token: token_hash(2), salt: salt(2), ..session(1) };
    assert_is!(store.register(again, NOW.plus(1)).await, Err(RegisterError::AlreadyRegistered));
    assert_is!(store.register(session(2), NOW.plus(1)).await, Ok(Registered::Now));

    let open = store.session(token_hash(1), NOW.plus(5)).await.unwrap().unwrap();
    assert_eq!(open.created_at, NOW);
    assert_is!(open.source, SessionSource::Test(ids) if *ids == sealed());
    assert_is!(store.session(token_hash(3), NOW).await, Ok(None));
}

/// Hashed GUIDs and date-of-birth hashes are unique in one space.
pub async fn a_date_of_birth_hash_counts_like_a_hashed_guid<H: Harness>(harness: &H) {
    let store = harness.empty_store().await;
    let with = |number, guid, date_of_birth| NewSession {
        claim: Claim::Test {
            guid: test_id(guid),
            date_of_birth: Some(test_id(date_of_birth)),
            sealed: sealed(),
        },
        ..session(number)
    };
    assert_is!(store.register(with(1, 10, 11), NOW).await, Ok(Registered::Now));
    for (number, guid, date_of_birth) in [(2, 20, 11), (3, 11, 30), (4, 40, 10), (5, 10, 50), (6, 11, 10)] {
        assert_is!(
            store.register(with(number, guid, date_of_birth), NOW).await,
            Err(RegisterError::AlreadyRegistered)
        );
    }
    assert_is!(
        store.register(NewSession { token: token_hash(7), ..session(11) }, NOW).await,
        Err(RegisterError::AlreadyRegistered)
    );
}

/// An error leaves no session, no used id, no redeemed teleTAN behind.
pub async fn a_refused_registration_changes_nothing<H: Harness>(harness: &H) {
    let store = harness.empty_store().await;
    store.register(session(1), NOW).await.unwrap();
    let half_used = NewSession {
        claim: Claim::Test { guid: test_id(2), date_of_birth: Some(test_id(1)), sealed: sealed() },
        ..session(2)
    };
    assert_is!(store.register(half_used, NOW).await, Err(RegisterError::AlreadyRegistered));
    assert_is!(store.session(token_hash(2), NOW).await, Ok(None));
    // The unused half of the refused request is still free, and so is its token.
    assert_is!(store.register(session(2), NOW).await, Ok(Registered::Now));
}

/// The window is counted from `now < until`; the request is recognised by its digest alone.
pub async fn the_same_request_gets_the_same_session_until_its_window_ends<H: Harness>(harness: &H) {
    let store = harness.empty_store().await;
    let retry = |body: &[u8]| Some(RetryWindow { request: request(body), until: NOW.plus(10 * MINUTE) });
    let attempt =
        |number, retry| NewSession { token: token_hash(number), salt: salt(number), retry, ..session(1) };

    assert_is!(store.register(attempt(1, retry(b"request")), NOW).await, Ok(Registered::Now));
    let late = NOW.plus(10 * MINUTE - 1);
    assert_is!(
        store.register(attempt(2, retry(b"request")), late).await,
        Ok(Registered::Before { salt: s }) if *s == salt(1)
    );
    assert_is!(store.session(token_hash(2), late).await, Ok(None));
    // The same test in another request, or in one that does not qualify.
    assert_is!(
        store.register(attempt(2, retry(b"other")), late).await,
        Err(RegisterError::AlreadyRegistered)
    );
    assert_is!(store.register(attempt(2, None), late).await, Err(RegisterError::AlreadyRegistered));
    // The repetition has not prolonged the window.
    assert_is!(
        store.register(attempt(2, retry(b"request")), NOW.plus(10 * MINUTE)).await,
        Err(RegisterError::AlreadyRegistered)
    );
    // A session that did not qualify gives nothing to repeat.
    assert_is!(store.register(session(3), NOW).await, Ok(Registered::Now));
    let repeated = NewSession { retry: retry(b"third"), token: token_hash(4), ..session(3) };
    assert_is!(store.register(repeated, NOW).await, Err(RegisterError::AlreadyRegistered));
}

/// At `expires_at` the session is gone, and its test stays registered.
pub async fn a_session_expires<H: Harness>(harness: &H) {
    let store = harness.empty_store().await;
    store.register(session(1), NOW).await.unwrap();
    let end = NOW.plus(21 * DAY);
    assert_is!(store.session(token_hash(1), end.minus(1)).await, Ok(Some(_)));
    assert_is!(store.session(token_hash(1), end).await, Ok(None));
    let again = NewSession { token: token_hash(2), ..session(1) };
    assert_is!(store.register(again, end).await, Err(RegisterError::AlreadyRegistered));
}

/// The token is unique too; whoever collides loses nothing.
pub async fn a_taken_token_undoes_the_claim<H: Harness>(harness: &H) {
    let store = harness.empty_store().await;
    store.register(session(1), NOW).await.unwrap();
    issue_tele_tan(&store, 3, None, NOW).await;
    for (number, new) in [(2, session(2)), (3, tele_tan_session(3))] {
        let collides = NewSession { token: token_hash(1), ..new.clone() };
        assert_is!(store.register(collides, NOW).await, Err(RegisterError::TokenTaken));
        assert_is!(store.register(new, NOW).await, Ok(Registered::Now));
        assert_is!(store.session(token_hash(number), NOW).await, Ok(Some(_)));
    }
}
