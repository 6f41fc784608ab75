use super::*;
use crate::store::{NewTestResult, RecordedResults, TestResultStore};
use crate::test_result::{LabId, StoredTestResult, TestResult};

pub(super) fn result(number: u32, result: TestResult) -> NewTestResult {
    NewTestResult {
        id: test_id(number),
        result,
        sample_collected_at: NOW.minus(DAY),
        lab_id: Some(LabId::parse("l4b").unwrap()),
    }
}

/// No result is final before the beginning of time.
pub(super) const NONE_FINAL: UnixTime = UnixTime::from_secs(0);

async fn read<S: TestResultStore>(store: &S, number: u32, now: UnixTime) -> StoredTestResult {
    let results = store.results_of(vec![test_id(number)], now).await.unwrap();
    results.into_iter().next().unwrap()
}

/// And stays pending, with the time of that poll.
pub async fn an_unknown_test_is_pending_from_its_first_poll<H: Harness>(harness: &H) {
    let store = harness.empty_store().await;
    for seconds in [0, 5, DAY] {
        let stored = read(&store, 1, NOW.plus(seconds)).await;
        assert_eq!(
            stored,
            StoredTestResult {
                result: TestResult::Pending,
                sample_collected_at: NOW,
                lab_id: None,
                created_at: NOW
            }
        );
    }
}

/// A laboratory may correct itself; what has been redeemed stays.
pub async fn results_are_replaced_but_for_final_ones<H: Harness>(harness: &H) {
    let store = harness.empty_store().await;
    read(&store, 1, NOW).await;
    let record = |new: NewTestResult| store.record_results(vec![new], NONE_FINAL, NOW.plus(9));
    for (new, positives_withdrawn) in [
        (TestResult::Positive, 0),
        (TestResult::Positive, 0),
        (TestResult::Negative, 1),
        (TestResult::RapidPositive, 0),
        (TestResult::Positive, 0),
        (TestResult::Invalid, 1),
        (TestResult::Pending, 0),
        (TestResult::Redeemed, 0),
    ] {
        let recorded = record(result(1, new)).await.unwrap();
        assert_eq!(
            recorded,
            RecordedResults { updated: 1, positives_withdrawn, ..RecordedResults::default() }
        );
        let stored = read(&store, 1, NOW.plus(10)).await;
        assert_eq!((stored.result, stored.created_at), (new, NOW));
        assert_eq!(stored.sample_collected_at, NOW.minus(DAY));
        assert_eq!(stored.lab_id.unwrap().as_str(), "l4b");
    }
    for last in [TestResult::Redeemed, TestResult::RapidRedeemed] {
        record(result(2, last)).await.unwrap();
        let recorded = record(result(2, TestResult::Positive)).await.unwrap();
        assert_eq!(recorded, RecordedResults { refused: 1, ..RecordedResults::default() });
        record(result(1, TestResult::Positive)).await.unwrap();
        assert_eq!(read(&store, 1, NOW).await.result, TestResult::Redeemed);
    }
    // The other fields are replaced too, and may become none.
    let unsigned =
        NewTestResult { lab_id: None, sample_collected_at: NOW, ..result(3, TestResult::Negative) };
    record(result(3, TestResult::Negative)).await.unwrap();
    record(unsigned).await.unwrap();
    let stored = read(&store, 3, NOW).await;
    assert_eq!((stored.lab_id, stored.sample_collected_at), (None, NOW));
}

/// Age counts from the row's creation, before the purge as after it.
pub async fn results_too_old_to_be_retrieved_are_not_replaced<H: Harness>(harness: &H) {
    let store = harness.empty_store().await;
    read(&store, 1, NOW).await;
    let later = NOW.plus(21 * DAY);
    for (final_before, updated, refused) in [(NOW.minus(1), 1, 0), (NOW, 0, 1), (NOW.plus(1), 0, 1)] {
        let recorded =
            store.record_results(vec![result(1, TestResult::Positive)], final_before, later).await.unwrap();
        assert_eq!((recorded.updated, recorded.refused), (updated, refused));
    }
}

/// The last of two results under one id is the one that stays.
pub async fn a_batch_is_recorded_in_its_order<H: Harness>(harness: &H) {
    let store = harness.empty_store().await;
    let batch = vec![
        result(1, TestResult::Positive),
        result(2, TestResult::Negative),
        result(1, TestResult::Negative),
        result(3, TestResult::Redeemed),
        result(3, TestResult::Positive),
    ];
    let recorded = store.record_results(batch, NONE_FINAL, NOW).await.unwrap();
    assert_eq!(recorded, RecordedResults { created: 3, updated: 1, refused: 1, positives_withdrawn: 1 });
    for (number, expected) in
        [(1, TestResult::Negative), (2, TestResult::Negative), (3, TestResult::Redeemed)]
    {
        assert_eq!(read(&store, number, NOW).await.result, expected);
    }
    let none = store.record_results(vec![], NONE_FINAL, NOW).await.unwrap();
    assert_eq!(none, RecordedResults::default());
}

/// Whichever of them is new, and if one is there twice.
pub async fn results_come_in_the_order_of_the_ids<H: Harness>(harness: &H) {
    let store = harness.empty_store().await;
    let batch = vec![result(1, TestResult::Positive), result(3, TestResult::Invalid)];
    store.record_results(batch, NONE_FINAL, NOW).await.unwrap();
    let ids = vec![test_id(3), test_id(2), test_id(1), test_id(2)];
    let results = store.results_of(ids, NOW).await.unwrap();
    let results: Vec<TestResult> = results.into_iter().map(|stored| stored.result).collect();
    assert_eq!(
        results,
        [TestResult::Invalid, TestResult::Pending, TestResult::Positive, TestResult::Pending]
    );
    assert_eq!(store.results_of(vec![], NOW).await.unwrap(), []);
}
