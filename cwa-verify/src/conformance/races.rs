use super::*;
use crate::hash::RetryWindow;
use crate::store::{
    ConfirmError, Confirmed, ConsumeError, IssueTeleTanError, IssuedTan, RegisterError, Registered,
    ReserveError, Reserved,
};

/// Racers per race: enough to overlap, few enough for a file on a slow disk.
const RACERS: u32 = 100;

/// Starts one racer for every number of `1..=RACERS` on a clone of the store.
async fn race<H: Harness, T: Send + 'static, F>(
    harness: &H,
    store: &H::Store,
    racer: impl Fn(H::Store, u32) -> F,
) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
{
    let racers = (1..=RACERS).map(|n| -> Racer<T> { Box::pin(racer(store.clone(), n)) }).collect();
    harness.race(racers).await
}

fn count<T>(outcomes: &[T], matches: impl Fn(&T) -> bool) -> u32 {
    u32::try_from(outcomes.iter().filter(|outcome| matches(outcome)).count()).unwrap()
}

/// The others are told that it is registered, and have no session.
pub async fn of_many_registrations_of_a_test_one_wins<H: Harness>(harness: &H) {
    let store = harness.empty_store().await;
    let outcomes = race(harness, &store, |store, n| async move {
        store.register(NewSession { token: token_hash(n), ..session(1) }, NOW).await
    })
    .await;
    assert_eq!(count(&outcomes, |outcome| matches!(outcome, Ok(Registered::Now))), 1);
    assert_eq!(
        count(&outcomes, |outcome| matches!(outcome, Err(RegisterError::AlreadyRegistered))),
        RACERS - 1
    );
    let mut open = 0;
    for n in 1..=RACERS {
        open += u32::from(store.session(token_hash(n), NOW).await.unwrap().is_some());
    }
    assert_eq!(open, 1);
}

/// A phone that repeats itself impatiently ends up with one token.
pub async fn of_many_equal_requests_one_opens_the_session_and_all_get_it<H: Harness>(harness: &H) {
    let store = harness.empty_store().await;
    let retry = Some(RetryWindow { request: request(b"request"), until: NOW.plus(10 * MINUTE) });
    let outcomes = race(harness, &store, move |store, n| async move {
        let new = NewSession { token: token_hash(n), salt: salt(n), retry, ..session(1) };
        (n, store.register(new, NOW).await)
    })
    .await;
    let winners: Vec<u32> = outcomes
        .iter()
        .filter(|(_, outcome)| matches!(outcome, Ok(Registered::Now)))
        .map(|(n, _)| *n)
        .collect();
    assert_eq!(winners.len(), 1);
    let same = |outcome: &Result<Registered, _>| matches!(outcome, Ok(Registered::Before { salt: s }) if *s == salt(winners[0]));
    assert_eq!(count(&outcomes, |(_, outcome)| same(outcome)), RACERS - 1);
}

/// A code overheard on the telephone is worth one session.
pub async fn of_many_redemptions_of_a_teletan_one_wins<H: Harness>(harness: &H) {
    let store = harness.empty_store().await;
    issue_tele_tan(&store, 1, None, NOW).await;
    let outcomes = race(harness, &store, |store, n| async move {
        store.register(NewSession { token: token_hash(n), ..tele_tan_session(1) }, NOW).await
    })
    .await;
    assert_eq!(count(&outcomes, |outcome| matches!(outcome, Ok(Registered::Now))), 1);
    assert_eq!(
        count(&outcomes, |outcome| matches!(outcome, Err(RegisterError::RedeemedTeleTan))),
        RACERS - 1
    );
}

/// One TAN is inserted, not a hundred.
pub async fn of_many_requests_for_a_tan_all_get_the_same<H: Harness>(harness: &H) {
    let store = harness.empty_store().await;
    store.register(session(1), NOW).await.unwrap();
    let outcomes: Vec<IssuedTan> =
        race(harness, &store, |store, _| async move { store.issue_tan(new_tan(1, NOW), NOW).await.unwrap() })
            .await;
    assert!(outcomes.iter().all(|issued| *issued == outcomes[0]), "{outcomes:?}");
}

/// Keys are stored for one of them.
pub async fn of_many_payloads_for_a_tan_one_is_reserved<H: Harness>(harness: &H) {
    let store = harness.empty_store().await;
    let (hash, tan) = tan(&store, 1, NOW).await;
    let outcomes = race(harness, &store, move |store, n| {
        let id = reservation(&tan, n);
        async move { store.reserve(hash, id, NOW.plus(LEASE), NOW).await }
    })
    .await;
    assert_eq!(count(&outcomes, |outcome| matches!(outcome, Ok(Reserved::Granted { .. }))), 1);
    assert_eq!(count(&outcomes, |outcome| matches!(outcome, Err(ReserveError::Reserved { .. }))), RACERS - 1);
}

/// One TAN is used up, however often its upload is confirmed.
pub async fn of_many_confirmations_one_counts<H: Harness>(harness: &H) {
    let store = harness.empty_store().await;
    let (hash, tan_itself) = tan(&store, 1, NOW).await;
    let id = reservation(&tan_itself, 1);
    store.reserve(hash, id, NOW.plus(LEASE), NOW).await.unwrap();
    let outcomes = race(harness, &store, move |store, _| async move { store.confirm(id, NOW).await }).await;
    assert_eq!(count(&outcomes, |outcome| matches!(outcome, Ok(Confirmed::Now))), 1);
    assert_eq!(count(&outcomes, |outcome| matches!(outcome, Ok(Confirmed::Before))), RACERS - 1);
    // The second TAN is still to be had.
    let (second, _) = tan(&store, 1, NOW).await;
    assert_is!(store.consume(second, NOW).await, Ok(None));
}

/// The others find nothing.
pub async fn of_many_consumers_of_a_tan_one_wins<H: Harness>(harness: &H) {
    let store = harness.empty_store().await;
    let (hash, _) = tan(&store, 1, NOW).await;
    let outcomes = race(harness, &store, move |store, _| async move { store.consume(hash, NOW).await }).await;
    assert_eq!(count(&outcomes, |outcome| matches!(outcome, Ok(None))), 1);
    assert_eq!(count(&outcomes, |outcome| matches!(outcome, Err(ConsumeError::Unknown))), RACERS - 1);
}

/// Both ways of using a TAN exclude each other, and each itself.
pub async fn a_tan_is_reserved_or_consumed_but_not_both<H: Harness>(harness: &H) {
    let store = harness.empty_store().await;
    let (hash, tan) = tan(&store, 1, NOW).await;
    let uploads = race(harness, &store, move |store, n| {
        let id = reservation(&tan, n);
        async move {
            if n % 2 == 0 {
                return u32::from(store.consume(hash, NOW).await.is_ok());
            }
            match store.reserve(hash, id, NOW.plus(LEASE), NOW).await {
                Ok(_) => match store.confirm(id, NOW).await {
                    Ok(Confirmed::Now) => 1,
                    Ok(Confirmed::Before) => 0,
                    Err(ConfirmError::Unknown) => panic!("a granted reservation was lost"),
                    Err(error) => panic!("{error}"),
                },
                Err(_) => 0,
            }
        }
    })
    .await;
    assert_eq!(uploads.iter().sum::<u32>(), 1);
}

/// Counting and inserting are one step.
pub async fn no_race_issues_more_teletans_than_the_limit<H: Harness>(harness: &H) {
    let store = harness.empty_store().await;
    let limit = IssueLimit { count: 10, window_seconds: HOUR };
    let outcomes = race(harness, &store, move |store, n| async move {
        let new = NewTeleTan { hash: tele_tan(n), kind: None, valid_until: NOW.plus(HOUR) };
        store.issue_tele_tan(new, limit, NOW).await
    })
    .await;
    let mut issued: Vec<u32> = outcomes.iter().filter_map(|outcome| outcome.as_ref().ok().copied()).collect();
    issued.sort_unstable();
    assert_eq!(issued, (1..=10).collect::<Vec<u32>>());
    assert_eq!(
        count(&outcomes, |outcome| matches!(outcome, Err(IssueTeleTanError::LimitReached { limit: 10 }))),
        RACERS - 10
    );
}
