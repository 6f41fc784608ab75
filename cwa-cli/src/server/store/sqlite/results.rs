//! Test results: [`TestResultStore`].

use cwa_crypto::UnixTime;
use cwa_verify::hash::TestIdHash;
use cwa_verify::store::{NewTestResult, RecordedResults, TestResultStore};
use cwa_verify::test_result::StoredTestResult;
use cwa_verify::{LabId, TestResult};
use rusqlite::{Transaction, params};

use super::{SqliteStore, execute, one, seconds, time};
use crate::server::store::StoreError;

impl TestResultStore for SqliteStore {
    async fn record_results(
        &self,
        results: Vec<NewTestResult>,
        final_before: UnixTime,
        now: UnixTime,
    ) -> Result<RecordedResults, StoreError> {
        self.write(move |transaction| {
            let mut recorded = RecordedResults::default();
            for new in results {
                match stored(transaction, new.id)? {
                    Some(old) if old.result.is_final() || old.created_at <= final_before => {
                        recorded.refused += 1
                    }
                    Some(old) => {
                        recorded.updated += 1;
                        if old.result.permits_upload() && !new.result.permits_upload() {
                            recorded.positives_withdrawn += 1;
                        }
                        write(transaction, &new, old.created_at)?;
                    }
                    None => {
                        recorded.created += 1;
                        write(transaction, &new, now)?;
                    }
                }
            }
            Ok(recorded)
        })
        .await
    }

    async fn results_of(
        &self,
        ids: Vec<TestIdHash>,
        now: UnixTime,
    ) -> Result<Vec<StoredTestResult>, StoreError> {
        self.write(move |transaction| {
            ids.into_iter()
                .map(|id| {
                    if let Some(result) = stored(transaction, id)? {
                        return Ok(result);
                    }
                    let pending = NewTestResult {
                        id,
                        result: TestResult::Pending,
                        sample_collected_at: now,
                        lab_id: None,
                    };
                    write(transaction, &pending, now)?;
                    Ok(StoredTestResult {
                        result: TestResult::Pending,
                        sample_collected_at: now,
                        lab_id: None,
                        created_at: now,
                    })
                })
                .collect()
        })
        .await
    }
}

fn stored(transaction: &Transaction<'_>, id: TestIdHash) -> Result<Option<StoredTestResult>, StoreError> {
    let row = one(
        transaction,
        "SELECT result, sample_collected_at, lab_id, created_at FROM test_result WHERE id = ?1",
        params![id.as_bytes()],
        |row| {
            Ok((row.get::<_, u8>(0)?, time(row.get(1)?), row.get::<_, Option<String>>(2)?, time(row.get(3)?)))
        },
    )?;
    let Some((result, sample_collected_at, lab_id, created_at)) = row else { return Ok(None) };
    let result = TestResult::try_from(u64::from(result))
        .map_err(|_| StoreError::Corrupt { column: "test_result.result" })?;
    let lab_id = lab_id
        .map(|text| LabId::parse(&text).map_err(|_| StoreError::Corrupt { column: "test_result.lab_id" }))
        .transpose()?;
    Ok(Some(StoredTestResult { result, sample_collected_at, lab_id, created_at }))
}

fn write(transaction: &Transaction<'_>, new: &NewTestResult, created_at: UnixTime) -> Result<(), StoreError> {
    execute(
        transaction,
        "INSERT INTO test_result (id, result, sample_collected_at, lab_id, created_at) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (id) DO UPDATE SET result = ?2, sample_collected_at = ?3, lab_id = ?4",
        params![
            new.id.as_bytes(),
            new.result.code(),
            seconds(new.sample_collected_at),
            new.lab_id.as_ref().map(LabId::as_str),
            seconds(created_at),
        ],
    )?;
    Ok(())
}
