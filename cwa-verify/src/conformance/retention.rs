use super::results::{NONE_FINAL, result};
use super::*;
use crate::hash::RetryWindow;
use crate::store::{
    ConfirmError, Confirmed, ConsumeError, IssueTeleTanError, Purged, RegisterError, Registered, Reserved,
    Retention, RetentionStore, TestResultStore as _,
};
use crate::test_result::TestResult;

/// Forgets by the rules of the field: results redeemed after 21 days and deleted after 60.
pub(super) async fn purge<S: RetentionStore>(store: &S, now: UnixTime) -> Purged {
    let retention = Retention {
        results_redeemed_before: now.minus(21 * DAY),
        results_deleted_before: now.minus(60 * DAY),
        tele_tans_counted_from: now.minus(HOUR),
    };
    store.purge(retention, now).await.unwrap()
}

/// Else it could be registered a second time, and give TANs a second time.
pub async fn a_test_is_not_forgotten_as_long_as_its_result_can_be_retrieved<H: Harness>(harness: &H) {
    let store = harness.empty_store().await;
    store.register(session(1), NOW).await.unwrap();
    store.register(session(2), NOW).await.unwrap();
    // The result comes on the 20th day: on the 21st the session ends, on the 41st the result.
    let tested = NOW.plus(20 * DAY);
    store.record_results(vec![result(1, TestResult::Positive)], NONE_FINAL, tested).await.unwrap();
    let session_end = NOW.plus(21 * DAY);
    let purged = purge(&store, session_end).await;
    assert_eq!(purged, Purged { sessions: 2, test_ids: 1, ..Purged::default() });
    let anew = |number, now: UnixTime| NewSession { expires_at: now.plus(21 * DAY), ..session(number) };
    assert_is!(
        store.register(anew(1, session_end), session_end).await,
        Err(RegisterError::AlreadyRegistered)
    );
    // Nothing was ever known of the other one.
    assert_is!(store.register(anew(2, session_end), session_end).await, Ok(Registered::Now));

    let result_end = tested.plus(21 * DAY);
    assert_eq!(purge(&store, result_end.minus(1)).await.test_ids, 0);
    assert_eq!(
        purge(&store, result_end).await,
        Purged { results_redeemed: 1, test_ids: 1, sessions: 0, ..Purged::default() }
    );
    assert_is!(store.register(anew(1, result_end), result_end).await, Ok(Registered::Now));
    let stored = store.results_of(vec![test_id(1)], result_end).await.unwrap();
    assert_eq!(stored[0].result, TestResult::Redeemed);
}

/// Of the same kind of test, without the laboratory, at their age.
pub async fn results_become_redeemed_and_then_go<H: Harness>(harness: &H) {
    let store = harness.empty_store().await;
    let batch = vec![result(1, TestResult::Positive), result(2, TestResult::RapidNegative)];
    store.record_results(batch, NONE_FINAL, NOW).await.unwrap();
    store.results_of(vec![test_id(3)], NOW.plus(1)).await.unwrap();
    assert_eq!(purge(&store, NOW.plus(21 * DAY - 1)).await, Purged::default());
    assert_eq!(purge(&store, NOW.plus(21 * DAY)).await.results_redeemed, 2);
    assert_eq!(purge(&store, NOW.plus(21 * DAY)).await.results_redeemed, 0, "once");
    let ids = vec![test_id(1), test_id(2), test_id(3)];
    let stored = store.results_of(ids.clone(), NOW.plus(21 * DAY)).await.unwrap();
    let states: Vec<_> = stored.iter().map(|row| (row.result, row.lab_id.is_some())).collect();
    use TestResult::{Pending, RapidRedeemed, Redeemed};
    assert_eq!(states, [(Redeemed, false), (RapidRedeemed, false), (Pending, false)]);
    assert_eq!(stored[0].sample_collected_at, NOW.minus(DAY));

    assert_eq!(purge(&store, NOW.plus(60 * DAY - 1)).await.results_deleted, 0);
    assert_eq!(purge(&store, NOW.plus(60 * DAY)).await.results_deleted, 2);
    let stored = store.results_of(ids, NOW.plus(60 * DAY)).await.unwrap();
    let states: Vec<_> = stored.iter().map(|row| (row.result, row.created_at)).collect();
    let anew = NOW.plus(60 * DAY);
    assert_eq!(states, [(Pending, anew), (Pending, anew), (Redeemed, NOW.plus(1))]);
}

/// The purge may run at any moment.
pub async fn nothing_valid_is_purged<H: Harness>(harness: &H) {
    let store = harness.empty_store().await;
    let retry = Some(RetryWindow { request: request(b"request"), until: NOW.plus(10 * MINUTE) });
    store.register(NewSession { retry, ..session(1) }, NOW).await.unwrap();
    issue_tele_tan(&store, 1, Some(TeleTanType::Test), NOW).await;
    let (confirmed, confirmed_tan) = tan(&store, 1, NOW).await;
    store.reserve(confirmed, reservation(&confirmed_tan, 1), NOW.plus(LEASE), NOW).await.unwrap();
    store.confirm(reservation(&confirmed_tan, 1), NOW).await.unwrap();
    let (open, _) = tan(&store, 1, NOW).await;
    let (leased, leased_tan) = tan(&store, 2, NOW).await;
    let last = NOW.plus(HOUR - 1);
    store.reserve(leased, reservation(&leased_tan, 1), last.plus(LEASE), last).await.unwrap();

    assert_eq!(purge(&store, NOW).await, Purged::default());
    let repeated = NewSession { retry, token: token_hash(3), ..session(1) };
    let late = NOW.plus(10 * MINUTE - 1);
    assert_eq!(purge(&store, late).await, Purged::default());
    assert_is!(store.register(repeated.clone(), late).await, Ok(Registered::Before { .. }));

    assert_eq!(purge(&store, last).await, Purged::default());
    assert_is!(store.register(repeated, last).await, Err(RegisterError::AlreadyRegistered));
    assert_is!(
        store.reserve(confirmed, reservation(&confirmed_tan, 1), last.plus(LEASE), last).await,
        Ok(Reserved::Confirmed)
    );
    assert_is!(store.consume(open, last).await, Ok(None));
    let by_tele_tan = NewSession { token: token_hash(4), ..tele_tan_session(1) };
    assert_is!(store.register(by_tele_tan, last).await, Ok(Registered::Now));

    // The leased TAN is no longer valid, and still being used. The teleTAN still counts.
    let after = NOW.plus(HOUR);
    assert_eq!(purge(&store, after.minus(1)).await, Purged::default());
    let counts = IssueLimit { count: 1, window_seconds: HOUR };
    let one_more = NewTeleTan { hash: tele_tan(2), kind: None, valid_until: after.plus(HOUR) };
    assert_is!(
        store.issue_tele_tan(one_more, counts, after.minus(1)).await,
        Err(IssueTeleTanError::LimitReached { limit: 1 })
    );
    assert_eq!(purge(&store, after).await, Purged { receipts: 1, tele_tans: 1, ..Purged::default() });
    assert_is!(store.confirm(reservation(&leased_tan, 1), after).await, Ok(Confirmed::Now));
}

/// After the longest span nothing is left of anyone.
pub async fn everything_is_purged_in_the_end<H: Harness>(harness: &H) {
    let store = harness.empty_store().await;
    issue_tele_tan(&store, 1, None, NOW).await;
    issue_tele_tan(&store, 2, None, NOW).await;
    store.register(tele_tan_session(1), NOW).await.unwrap();
    let (unused, _) = tan(&store, 1, NOW).await;
    let (lapsed, lapsed_tan) = tan(&store, 3, NOW).await;
    store.reserve(lapsed, reservation(&lapsed_tan, 1), NOW.plus(LEASE), NOW).await.unwrap();
    let (confirmed, confirmed_tan) = tan(&store, 4, NOW).await;
    store.reserve(confirmed, reservation(&confirmed_tan, 1), NOW.plus(LEASE), NOW).await.unwrap();
    store.confirm(reservation(&confirmed_tan, 1), NOW).await.unwrap();
    store.results_of(vec![test_id(3), test_id(4)], NOW).await.unwrap();

    let end = NOW.plus(60 * DAY);
    let all = Purged {
        results_redeemed: 0,
        results_deleted: 2,
        sessions: 3,
        test_ids: 2,
        tele_tans: 2,
        tans: 2,
        receipts: 1,
    };
    assert_eq!(purge(&store, end).await, all);
    assert_eq!(purge(&store, end).await, Purged::default());
    assert_is!(store.consume(unused, NOW).await, Err(ConsumeError::Unknown));
    assert_is!(store.confirm(reservation(&lapsed_tan, 1), NOW).await, Err(ConfirmError::Unknown));
    assert_is!(store.confirm(reservation(&confirmed_tan, 1), NOW).await, Err(ConfirmError::Unknown));
    assert_is!(store.register(tele_tan_session(2), NOW).await, Err(RegisterError::UnknownTeleTan));
}
