//! Test results: [`TestResultStore`].

use cwa_crypto::UnixTime;
use cwa_verify::hash::TestIdHash;
use cwa_verify::store::{NewTestResult, RecordedResults, TestResultStore};
use cwa_verify::test_result::StoredTestResult;
use cwa_verify::{LabId, TestResult};
use deadpool_postgres::{GenericClient, Transaction};

use super::tokens::share_purge;
use super::{PostgresStore, execute, lock, one, seconds, time, transact};
use crate::server::store::StoreError;

impl TestResultStore for PostgresStore {
    async fn record_results(
        &self,
        results: Vec<NewTestResult>,
        final_before: UnixTime,
        now: UnixTime,
    ) -> Result<RecordedResults, StoreError> {
        transact!(self, transaction => record_results(&transaction, &results, final_before, now).await)
    }

    async fn results_of(
        &self,
        ids: Vec<TestIdHash>,
        now: UnixTime,
    ) -> Result<Vec<StoredTestResult>, StoreError> {
        // Nearly every poll is for a result that is there: then nothing is written, and nothing locked.
        let mut polled = Vec::new();
        {
            let client = self.client().await?;
            for id in &ids {
                polled.extend(stored(&client, *id).await?);
            }
        }
        if polled.len() == ids.len() {
            return Ok(polled);
        }
        transact!(self, transaction => poll(&transaction, &ids, now).await)
    }
}

async fn record_results(
    transaction: &Transaction<'_>,
    results: &[NewTestResult],
    final_before: UnixTime,
    now: UnixTime,
) -> Result<RecordedResults, StoreError> {
    share_purge(transaction).await?;
    let ids: Vec<&[u8]> = results.iter().map(|new| &new.id.as_bytes()[..]).collect();
    lock(transaction, &ids).await?;
    let mut recorded = RecordedResults::default();
    for new in results {
        match stored(transaction, new.id).await? {
            Some(old) if old.result.is_final() || old.created_at <= final_before => recorded.refused += 1,
            Some(old) => {
                recorded.updated += 1;
                if old.result.permits_upload() && !new.result.permits_upload() {
                    recorded.positives_withdrawn += 1;
                }
                write(transaction, new, old.created_at).await?;
            }
            None => {
                recorded.created += 1;
                write(transaction, new, now).await?;
            }
        }
    }
    Ok(recorded)
}

async fn poll(
    transaction: &Transaction<'_>,
    ids: &[TestIdHash],
    now: UnixTime,
) -> Result<Vec<StoredTestResult>, StoreError> {
    share_purge(transaction).await?;
    let locked: Vec<&[u8]> = ids.iter().map(|id| &id.as_bytes()[..]).collect();
    lock(transaction, &locked).await?;
    let mut polled = Vec::new();
    for id in ids {
        if let Some(result) = stored(transaction, *id).await? {
            polled.push(result);
            continue;
        }
        let (result, sample_collected_at) = (TestResult::Pending, now);
        write(transaction, &NewTestResult { id: *id, result, sample_collected_at, lab_id: None }, now)
            .await?;
        polled.push(StoredTestResult { result, sample_collected_at, lab_id: None, created_at: now });
    }
    Ok(polled)
}

async fn stored<C: GenericClient>(
    client: &C,
    id: TestIdHash,
) -> Result<Option<StoredTestResult>, StoreError> {
    let row = one(
        client,
        "SELECT result, sample_collected_at, lab_id, created_at FROM test_result WHERE id = $1",
        &[&&id.as_bytes()[..]],
    )
    .await?;
    let Some(row) = row else { return Ok(None) };
    let result = u64::try_from(row.get::<_, i16>(0))
        .ok()
        .and_then(|code| TestResult::try_from(code).ok())
        .ok_or(StoreError::Corrupt { column: "test_result.result" })?;
    let lab_id = row
        .get::<_, Option<&str>>(2)
        .map(|text| LabId::parse(text).map_err(|_| StoreError::Corrupt { column: "test_result.lab_id" }))
        .transpose()?;
    let stored = StoredTestResult {
        result,
        sample_collected_at: time(row.get(1)),
        lab_id,
        created_at: time(row.get(3)),
    };
    Ok(Some(stored))
}

async fn write(
    transaction: &Transaction<'_>,
    new: &NewTestResult,
    created_at: UnixTime,
) -> Result<(), StoreError> {
    execute(
        transaction,
        "INSERT INTO test_result (id, result, sample_collected_at, lab_id, created_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (id) DO UPDATE SET result = $2, sample_collected_at = $3, lab_id = $4",
        &[
            &&new.id.as_bytes()[..],
            &i16::from(new.result.code()),
            &seconds(new.sample_collected_at),
            &new.lab_id.as_ref().map(LabId::as_str),
            &seconds(created_at),
        ],
    )
    .await
    .map(drop)
}
