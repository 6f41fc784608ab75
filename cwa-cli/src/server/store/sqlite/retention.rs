//! Forgetting: [`RetentionStore`].

use cwa_crypto::UnixTime;
use cwa_verify::store::{Purged, Retention, RetentionStore};
use rusqlite::params;

use super::{SqliteStore, execute, seconds};
use crate::server::store::StoreError;

impl RetentionStore for SqliteStore {
    async fn purge(&self, retention: Retention, now: UnixTime) -> Result<Purged, StoreError> {
        let now = seconds(now);
        self.write(move |transaction| {
            let results_deleted = execute(
                transaction,
                "DELETE FROM test_result WHERE created_at <= ?1",
                params![seconds(retention.results_deleted_before)],
            )?;
            // REDEEMED of the same kind of test: 4 for 0 to 4, 9 for 5 to 9.
            let results_redeemed = execute(
                transaction,
                "UPDATE test_result SET result = CASE WHEN result <= 4 THEN 4 ELSE 9 END, lab_id = NULL
                 WHERE created_at <= ?1 AND result NOT IN (4, 9)",
                params![seconds(retention.results_redeemed_before)],
            )?;
            let sessions = execute(transaction, "DELETE FROM session WHERE expires_at <= ?1", params![now])?;
            execute(
                transaction,
                "UPDATE session SET retry_request = NULL, retry_until = NULL WHERE retry_until <= ?1",
                params![now],
            )?;
            let test_ids = execute(
                transaction,
                "DELETE FROM used_test_id WHERE session_expires_at <= ?1
                 AND NOT EXISTS (SELECT 1 FROM test_result WHERE test_result.id = used_test_id.id AND result NOT IN (4, 9))",
                params![now],
            )?;
            let tele_tans = execute(
                transaction,
                "DELETE FROM tele_tan WHERE valid_until <= ?1 AND issued_at <= ?2",
                params![now, seconds(retention.tele_tans_counted_from)],
            )?;
            let tans = execute(
                transaction,
                "DELETE FROM tan WHERE valid_until <= ?1 AND (lease_end IS NULL OR lease_end <= ?1)",
                params![now],
            )?;
            let receipts = execute(transaction, "DELETE FROM receipt WHERE until <= ?1", params![now])?;
            execute(transaction, "DELETE FROM submission WHERE until <= ?1", params![now])?;
            Ok(Purged { results_redeemed, results_deleted, sessions, test_ids, tele_tans, tans, receipts })
        })
        .await
    }
}
