//! Uploads: [`SubmissionStore`]. Those that arrive while others are being stored share the next statement, and its commit.

use std::collections::BTreeMap;
use std::sync::Arc;

use cwa_crypto::{DaysSinceOnsetOfSymptoms, ReportType, TransmissionRiskLevel, UnixTime};
use cwa_verify::hash::{ReservationId, TanHash};
use cwa_verify::store::ReserveError;
use deadpool_postgres::{GenericClient, Pool};
use tokio::sync::{Mutex, mpsc, oneshot};

use super::{ATTEMPTS, PostgresStore, again, client, query, seconds, time};
use crate::server::store::{StoreError, SubmissionStore, Submitted, Upload};

/// Where uploads wait.
pub(super) struct Uploads(mpsc::Sender<Waiting>);

struct Waiting {
    tan: TanHash,
    upload: Upload,
    now: UnixTime,
    answer: oneshot::Sender<Answer>,
}

type Answer = Result<Submitted, ReserveError<StoreError>>;

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
    async fn submit(&self, tan: TanHash, upload: Upload, now: UnixTime) -> Answer {
        let (answer, stored) = oneshot::channel();
        let waiting = Waiting { tan, upload, now, answer };
        self.0.uploads.0.send(waiting).await.map_err(|_closed| StoreError::Closed)?;
        stored.await.map_err(|_dropped| StoreError::Closed)?
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
    let first: Vec<&Waiting> = by_reservation.values().filter_map(|same| same.first()).collect();
    match store(pool, &first).await {
        Ok(answers) => {
            for (same, answer) in by_reservation.into_values().zip(answers) {
                give(same, answer.map_err(Into::into));
            }
        }
        Err(error) if first.len() == 1 => {
            let mut error = Some(error);
            for same in by_reservation.into_values() {
                give(same, Err(error.take().unwrap_or(StoreError::NotCommitted).into()));
            }
        }
        Err(_) => {
            for same in by_reservation.into_values() {
                let Some(upload) = same.first() else { continue };
                let answer = match store(pool, &[upload]).await {
                    Ok(answers) => {
                        answers.into_iter().next().unwrap_or(Err(Refused::Unknown)).map_err(Into::into)
                    }
                    Err(error) => Err(error.into()),
                };
                give(same, answer);
            }
        }
    }
}

/// Gives an answer to the first of those that are the same upload; the others hear that it was stored before.
fn give(same: Vec<Waiting>, answer: Answer) {
    let mut answer = Some(answer);
    let mut others = None;
    for waiting in same {
        let keys_dropped = waiting.upload.keys_dropped;
        let answer = match answer.take() {
            Some(answer) => {
                others = Some(match &answer {
                    Ok(Submitted::Now) => Ok(Submitted::Before { keys_dropped }),
                    Ok(other) => Ok(*other),
                    Err(ReserveError::Expired { valid_until }) => Err(Refused::Expired(*valid_until)),
                    Err(ReserveError::Reserved { lease_end }) => Err(Refused::Reserved(*lease_end)),
                    Err(ReserveError::Unknown) => Err(Refused::Unknown),
                    Err(_) => Err(Refused::Failed),
                });
                answer
            }
            None => others.unwrap_or(Err(Refused::Failed)).map_err(Into::into),
        };
        let _ = waiting.answer.send(answer);
    }
}

/// Why an upload was not stored: what [`ReserveError`] says, for several that hear the same.
#[derive(Clone, Copy, Debug)]
enum Refused {
    Unknown,
    Expired(UnixTime),
    Reserved(UnixTime),
    Failed,
}

impl From<Refused> for ReserveError<StoreError> {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Unknown => Self::Unknown,
            Refused::Expired(valid_until) => Self::Expired { valid_until },
            Refused::Reserved(lease_end) => Self::Reserved { lease_end },
            Refused::Failed => Self::Store(StoreError::NotCommitted),
        }
    }
}

type Outcome = Result<Submitted, Refused>;

/// Stores uploads, each with a reservation of its own, in the order of their reservations.
async fn store(pool: &Pool, uploads: &[&Waiting]) -> Result<Vec<Outcome>, StoreError> {
    let mut attempt = 0;
    loop {
        let outcome = try_store(pool, uploads).await;
        if !again(&outcome, &mut attempt).await {
            return outcome;
        }
    }
}

async fn try_store(pool: &Pool, uploads: &[&Waiting]) -> Result<Vec<Outcome>, StoreError> {
    let client = client(pool).await?;
    let mut outcomes = BTreeMap::new();
    for _ in 0..ATTEMPTS {
        let left: Vec<&Waiting> =
            uploads.iter().copied().filter(|waiting| !outcomes.contains_key(&id(waiting))).collect();
        if left.is_empty() {
            break;
        }
        insert(&client, &left, &mut outcomes).await?;
        explain(&client, &left, &mut outcomes).await?;
    }
    Ok(uploads
        .iter()
        .map(|waiting| outcomes.get(&id(waiting)).copied().unwrap_or(Err(Refused::Failed)))
        .collect())
}

fn id(waiting: &Waiting) -> [u8; ReservationId::LENGTH] {
    *waiting.upload.reservation.as_bytes()
}

type Outcomes = BTreeMap<[u8; ReservationId::LENGTH], Outcome>;

/// Stores those whose TAN permits it.
async fn insert<C: GenericClient>(
    client: &C,
    uploads: &[&Waiting],
    outcomes: &mut Outcomes,
) -> Result<(), StoreError> {
    let tans: Vec<&[u8]> = uploads.iter().map(|waiting| &waiting.tan.as_bytes()[..]).collect();
    let times: Vec<i64> = uploads.iter().map(|waiting| seconds(waiting.now)).collect();
    let uploads: Vec<&Upload> = uploads.iter().map(|waiting| &waiting.upload).collect();
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
        client,
        "WITH upload AS (
           SELECT * FROM unnest($1::bytea[], $2::bigint[], $11::bytea[], $12::bigint[])
             AS upload (reservation, keys_dropped, tan, now)
         ), used AS (
           DELETE FROM tan USING upload WHERE tan.hash = upload.tan
           AND CASE WHEN lease_end > now THEN tan.reservation = upload.reservation ELSE valid_until > now END
           AND tele_tan_type IS DISTINCT FROM 'EVENT'
           RETURNING upload.reservation, tan.session, greatest(tan.valid_until, tan.lease_end) AS until, upload.keys_dropped
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
            &tans,
            &times,
        ],
    )
    .await?;
    for row in rows {
        outcomes.insert(bytes(row.get(0))?, Ok(Submitted::Now));
    }
    Ok(())
}

/// A second look at those that were not stored, which sees what has been committed meanwhile: why not. No outcome for
/// one whose TAN has become free between the two looks.
async fn explain<C: GenericClient>(
    client: &C,
    uploads: &[&Waiting],
    outcomes: &mut Outcomes,
) -> Result<(), StoreError> {
    let left: Vec<&Waiting> =
        uploads.iter().copied().filter(|waiting| !outcomes.contains_key(&id(waiting))).collect();
    if left.is_empty() {
        return Ok(());
    }
    let reservations: Vec<&[u8]> =
        left.iter().map(|waiting| &waiting.upload.reservation.as_bytes()[..]).collect();
    let tans: Vec<&[u8]> = left.iter().map(|waiting| &waiting.tan.as_bytes()[..]).collect();
    let times: Vec<i64> = left.iter().map(|waiting| seconds(waiting.now)).collect();
    let rows = query(
        client,
        "SELECT upload.reservation, receipt.until, submission.keys_dropped, tan.valid_until, tan.lease_end,
                tan.reservation = upload.reservation, tan.tele_tan_type = 'EVENT'
         FROM unnest($1::bytea[], $2::bytea[], $3::bigint[]) AS upload (reservation, tan, now)
         LEFT JOIN receipt ON receipt.reservation = upload.reservation AND receipt.until > upload.now
         LEFT JOIN submission ON submission.reservation = receipt.reservation
         LEFT JOIN tan ON tan.hash = upload.tan",
        &[&reservations, &tans, &times],
    )
    .await?;
    let by_id: BTreeMap<_, _> = left.iter().map(|waiting| (id(waiting), *waiting)).collect();
    for row in rows {
        let id = bytes(row.get(0))?;
        let Some(waiting) = by_id.get(&id) else { continue };
        let moment = |column: usize| row.get::<_, Option<i64>>(column).map(time);
        let is_mine = row.get::<_, Option<bool>>(5).unwrap_or(false);
        let outcome = if moment(1).is_some() {
            let keys_dropped = row.get::<_, Option<i64>>(2).and_then(|count| u32::try_from(count).ok());
            Ok(Submitted::Before { keys_dropped: keys_dropped.unwrap_or(waiting.upload.keys_dropped) })
        } else {
            let lease_end = moment(4).filter(|lease_end| waiting.now < *lease_end);
            match (moment(3), lease_end) {
                (None, _) => Err(Refused::Unknown),
                (Some(_), Some(lease_end)) if !is_mine => Err(Refused::Reserved(lease_end)),
                (Some(valid_until), None) if valid_until <= waiting.now => Err(Refused::Expired(valid_until)),
                _ if row.get::<_, Option<bool>>(6) == Some(true) => Ok(Submitted::NotForKeys),
                _ => continue,
            }
        };
        outcomes.insert(id, outcome);
    }
    Ok(())
}

fn bytes(column: &[u8]) -> Result<[u8; ReservationId::LENGTH], StoreError> {
    column.try_into().map_err(|_| StoreError::Corrupt { column: "reservation" })
}
