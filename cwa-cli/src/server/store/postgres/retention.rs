//! Forgetting: [`RetentionStore`].

use cwa_crypto::UnixTime;
use cwa_verify::store::{Purged, Retention, RetentionStore};
use deadpool_postgres::Transaction;

use super::{PURGE_LOCK, PostgresStore, execute, query, seconds, transact};
use crate::server::store::StoreError;

impl RetentionStore for PostgresStore {
    async fn purge(&self, retention: Retention, now: UnixTime) -> Result<Purged, StoreError> {
        transact!(self, transaction => purge(&transaction, retention, now).await)
    }
}

async fn purge(
    transaction: &Transaction<'_>,
    retention: Retention,
    now: UnixTime,
) -> Result<Purged, StoreError> {
    let now = seconds(now);
    // Nobody registers a test or records a result meanwhile: what belongs together is forgotten together.
    query(transaction, "SELECT pg_advisory_xact_lock($1)", &[&PURGE_LOCK]).await?;
    let results_deleted = execute(
        transaction,
        "DELETE FROM test_result WHERE created_at <= $1",
        &[&seconds(retention.results_deleted_before)],
    )
    .await?;
    // REDEEMED of the same kind of test: 4 for 0 to 4, 9 for 5 to 9.
    let results_redeemed = execute(
        transaction,
        "UPDATE test_result SET result = result / 5 * 5 + 4, lab_id = NULL
         WHERE created_at <= $1 AND result NOT IN (4, 9)",
        &[&seconds(retention.results_redeemed_before)],
    )
    .await?;
    let sessions = execute(transaction, "DELETE FROM session WHERE expires_at <= $1", &[&now]).await?;
    execute(
        transaction,
        "UPDATE session SET retry_request = NULL, retry_until = NULL WHERE retry_until <= $1",
        &[&now],
    )
    .await?;
    let test_ids = execute(
        transaction,
        "DELETE FROM used_test_id WHERE session_expires_at <= $1
         AND NOT EXISTS (SELECT 1 FROM test_result WHERE test_result.id = used_test_id.id AND result NOT IN (4, 9))",
        &[&now],
    )
    .await?;
    let tele_tans = execute(
        transaction,
        "DELETE FROM tele_tan WHERE valid_until <= $1 AND issued_at <= $2",
        &[&now, &seconds(retention.tele_tans_counted_from)],
    )
    .await?;
    let tans = execute(
        transaction,
        "DELETE FROM tan WHERE valid_until <= $1 AND (lease_end IS NULL OR lease_end <= $1)",
        &[&now],
    )
    .await?;
    let receipts = execute(transaction, "DELETE FROM receipt WHERE until <= $1", &[&now]).await?;
    execute(transaction, "DELETE FROM submission WHERE until <= $1", &[&now]).await?;
    Ok(Purged { results_redeemed, results_deleted, sessions, test_ids, tele_tans, tans, receipts })
}
