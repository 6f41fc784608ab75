//! Uploads: [`SubmissionStore`]. Those that arrive while others are being stored share the next statement, and its commit.

use std::collections::BTreeMap;
use std::sync::Arc;

use cwa_crypto::{DaysSinceOnsetOfSymptoms, ReportType, TransmissionRiskLevel, UnixTime};
use cwa_verify::ReservationId;
use cwa_verify::store::{ConfirmError, Confirmed};
use deadpool_postgres::Pool;
use tokio::sync::{Mutex, mpsc, oneshot};

use super::{PostgresStore, again, client, one, query, time};
use crate::server::store::{StoreError, SubmissionStore, Upload};

/// Where uploads wait.
pub(super) struct Uploads(mpsc::Sender<Waiting>);

struct Waiting {
    upload: Upload,
    now: UnixTime,
    answer: oneshot::Sender<Result<Confirmed, ConfirmError<StoreError>>>,
}

/// Statements under way at a time: while one waits for the disk, the next is made.
const AT_A_TIME: usize = 2;
/// The most uploads of one statement.
const MOST_TOGETHER: usize = 256;
/// Uploads that may wait; whoever comes later waits until there is room.
const QUEUE: usize = 1024;

impl Uploads {
    /// Takes connections of this pool.
    pub(super) fn start(pool: Pool) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let receiver = Arc::new(Mutex::new(receiver));
        for _ in 0..AT_A_TIME {
            let (pool, receiver) = (pool.clone(), Arc::clone(&receiver));
            tokio::spawn(async move {
                loop {
                    let mut together = Vec::new();
                    if receiver.lock().await.recv_many(&mut together, MOST_TOGETHER).await == 0 {
                        return;
                    }
                    store_and_answer(&pool, together).await;
                }
            });
        }
        Self(sender)
    }
}

impl SubmissionStore for PostgresStore {
    async fn store_and_confirm(
        &self,
        upload: Upload,
        now: UnixTime,
    ) -> Result<Confirmed, ConfirmError<StoreError>> {
        let (answer, stored) = oneshot::channel();
        let waiting = Waiting { upload, now, answer };
        self.0.uploads.0.send(waiting).await.map_err(|_closed| StoreError::Closed)?;
        stored.await.map_err(|_dropped| StoreError::Closed)?
    }

    async fn keys_dropped(&self, reservation: ReservationId) -> Result<Option<u32>, StoreError> {
        let row = one(
            &self.client().await?,
            "SELECT keys_dropped FROM submission WHERE reservation = $1",
            &[&&reservation.as_bytes()[..]],
        )
        .await?;
        row.map(|row| {
            let count = u32::try_from(row.get::<_, i64>(0));
            count.map_err(|_| StoreError::Corrupt { column: "submission.keys_dropped" })
        })
        .transpose()
    }
}

/// Stores uploads with one statement; if it fails for another reason than a conflict, each with one of its own, so that
/// none can keep the others out.
async fn store_and_answer(pool: &Pool, together: Vec<Waiting>) {
    // The same upload may be there twice, when a phone repeats it.
    let mut by_reservation: BTreeMap<[u8; ReservationId::LENGTH], Vec<Waiting>> = BTreeMap::new();
    for waiting in together {
        by_reservation.entry(*waiting.upload.reservation.as_bytes()).or_default().push(waiting);
    }
    let uploads: Vec<&Upload> =
        by_reservation.values().filter_map(|same| Some(&same.first()?.upload)).collect();
    match store(pool, &uploads).await {
        Ok(outcomes) => {
            for (same, outcome) in by_reservation.into_values().zip(outcomes) {
                answer(same, outcome);
            }
        }
        Err(error) if uploads.len() == 1 => {
            let mut error = Some(error);
            for waiting in by_reservation.into_values().flatten() {
                let error = error.take().unwrap_or(StoreError::NotCommitted);
                let _ = waiting.answer.send(Err(error.into()));
            }
        }
        Err(_) => {
            for same in by_reservation.into_values() {
                let Some(upload) = same.first().map(|waiting| &waiting.upload) else { continue };
                match store(pool, &[upload]).await {
                    Ok(outcomes) => answer(same, outcomes.into_iter().next().unwrap_or(Outcome::Unknown)),
                    Err(error) => {
                        let mut error = Some(error);
                        for waiting in same {
                            let error = error.take().unwrap_or(StoreError::NotCommitted);
                            let _ = waiting.answer.send(Err(error.into()));
                        }
                    }
                }
            }
        }
    }
}

/// What became of an upload.
#[derive(Clone, Copy)]
enum Outcome {
    Stored,
    /// There is a receipt, until then.
    Receipt(UnixTime),
    Unknown,
}

fn answer(same: Vec<Waiting>, outcome: Outcome) {
    for (index, waiting) in same.into_iter().enumerate() {
        let answer = match outcome {
            Outcome::Stored if index == 0 => Ok(Confirmed::Now),
            Outcome::Stored => Ok(Confirmed::Before),
            Outcome::Receipt(until) if waiting.now < until => Ok(Confirmed::Before),
            Outcome::Receipt(_) | Outcome::Unknown => Err(ConfirmError::Unknown),
        };
        let _ = waiting.answer.send(answer);
    }
}

/// Stores uploads, each with a reservation of its own, in the order of their reservations.
async fn store(pool: &Pool, uploads: &[&Upload]) -> Result<Vec<Outcome>, StoreError> {
    let mut attempt = 0;
    loop {
        let outcome = try_store(pool, uploads).await;
        if !again(&outcome, &mut attempt).await {
            return outcome;
        }
    }
}

async fn try_store(pool: &Pool, uploads: &[&Upload]) -> Result<Vec<Outcome>, StoreError> {
    let client = client(pool).await?;
    let reservations: Vec<&[u8]> = uploads.iter().map(|upload| &upload.reservation.as_bytes()[..]).collect();
    let keys_dropped: Vec<i64> = uploads.iter().map(|upload| upload.keys_dropped.into()).collect();
    // In the order of their bytes, so that two statements with the same keys do not wait for each other in a circle.
    let mut keys: Vec<_> = uploads
        .iter()
        .flat_map(|upload| upload.keys.iter().map(|pending| (&upload.reservation, pending)))
        .collect();
    keys.sort_unstable_by_key(|(_, pending)| pending.key.key_data);
    let column = |read: fn(&cwa_crypto::DiagnosisKey) -> Option<i64>| -> Vec<Option<i64>> {
        keys.iter().map(|(_, pending)| read(&pending.key)).collect()
    };
    let of: Vec<&[u8]> = keys.iter().map(|(reservation, _)| &reservation.as_bytes()[..]).collect();
    let key_data: Vec<&[u8]> = keys.iter().map(|(_, pending)| &pending.key.key_data[..]).collect();
    let starts = column(|key| Some(key.rolling_start_interval_number.get().into()));
    let periods = column(|key| Some(key.rolling_period.get().into()));
    let levels = column(|key| key.transmission_risk_level.map(TransmissionRiskLevel::get).map(i64::from));
    let types = column(|key| key.report_type.map(ReportType::number).map(i64::from));
    let days =
        column(|key| key.days_since_onset_of_symptoms.map(DaysSinceOnsetOfSymptoms::get).map(i64::from));
    let earliest: Vec<i64> =
        keys.iter().map(|(_, pending)| super::keys::column(pending.earliest_hour)).collect();
    // Keys come in only through the TAN that this very statement deletes.
    let rows = query(
        &client,
        "WITH upload AS (
           SELECT * FROM unnest($1::bytea[], $2::bigint[]) AS upload (reservation, keys_dropped)
         ), used AS (
           DELETE FROM tan USING upload WHERE tan.reservation = upload.reservation
           RETURNING tan.reservation, tan.session, greatest(tan.valid_until, tan.lease_end) AS until, upload.keys_dropped
         ), counted AS (
           UPDATE session SET tans_used = tans_used + tans
           FROM (SELECT session AS token, count(*) AS tans FROM used GROUP BY session) AS used_of
           WHERE session.token = used_of.token
         ), receipts AS (
           INSERT INTO receipt (reservation, until) SELECT reservation, until FROM used
           ON CONFLICT (reservation) DO UPDATE SET until = excluded.until
         ), answers AS (
           INSERT INTO submission (reservation, keys_dropped, until) SELECT reservation, keys_dropped, until FROM used
           ON CONFLICT (reservation) DO UPDATE SET keys_dropped = excluded.keys_dropped, until = excluded.until
         ), keys AS (
           INSERT INTO diagnosis_key (key_data, rolling_start_interval_number, rolling_period, transmission_risk_level,
                                      report_type, days_since_onset_of_symptoms, earliest_hour)
           SELECT key_data, start, period, level, type, days, earliest
           FROM unnest($3::bytea[], $4::bytea[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[],
                       $10::bigint[]) AS uploaded (reservation, key_data, start, period, level, type, days, earliest)
           JOIN used USING (reservation) ORDER BY key_data
           ON CONFLICT DO NOTHING
         )
         SELECT reservation FROM used",
        &[
            &reservations,
            &keys_dropped,
            &of,
            &key_data,
            &starts,
            &periods,
            &levels,
            &types,
            &days,
            &earliest,
        ],
    )
    .await?;
    let mut outcomes: BTreeMap<Vec<u8>, Outcome> =
        rows.iter().map(|row| (row.get(0), Outcome::Stored)).collect();
    if outcomes.len() < uploads.len() {
        // A second look, which sees what has been committed meanwhile.
        let sql = "SELECT reservation, until FROM receipt WHERE reservation = ANY($1)";
        for row in query(&client, sql, &[&reservations]).await? {
            outcomes.entry(row.get(0)).or_insert(Outcome::Receipt(time(row.get(1))));
        }
    }
    Ok(reservations
        .iter()
        .map(|reservation| outcomes.get(*reservation).copied().unwrap_or(Outcome::Unknown))
        .collect())
}
