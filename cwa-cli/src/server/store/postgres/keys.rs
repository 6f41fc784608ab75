//! Diagnosis keys and packages: [`PackageStore`].

use std::collections::{BTreeMap, BTreeSet};

use cwa_crypto::{
    Day, DaysSinceOnsetOfSymptoms, DiagnosisKey, ENIntervalNumber, ReportType, RollingPeriod,
    TransmissionRiskLevel, UnixTime,
};
use cwa_export::batch::{Hour, PendingKey, PublicationPolicy};
use deadpool_postgres::Transaction;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio_postgres::Row;

use super::{LOCKS, PostgresStore, execute, one, query, seconds, time, transact};
use crate::server::store::{
    CloseError, ClosedHours, MOST_HOURS_AT_ONCE, Package, PackageStore, PublisherState, Span, StoreError,
};

/// Who closes hours excludes everybody else who does, whoever holds the job's lock.
const CLOSE_LOCK: i64 = LOCKS + 3;

impl PackageStore for PostgresStore {
    async fn close_hours(
        &self,
        policy: PublicationPolicy,
        mut rng: StdRng,
        now: UnixTime,
    ) -> Result<ClosedHours, CloseError<StoreError>> {
        let seed = rng.random();
        transact!(self, transaction => close_hours(&transaction, &policy, StdRng::from_seed(seed), now).await)
    }

    async fn packages(&self) -> Result<Vec<Package>, StoreError> {
        let sql = "SELECT start, hours, key_count, stale FROM package ORDER BY hours, start";
        query(&self.client().await?, sql, &[])
            .await?
            .iter()
            .map(|row| {
                let start = hour(row.get(0), "package.start")?;
                let span = if row.get::<_, i64>(1) == 1 { Span::Hour(start) } else { Span::Day(start.day()) };
                let key_count = usize::try_from(row.get::<_, i64>(2))
                    .map_err(|_| StoreError::Corrupt { column: "package.key_count" })?;
                Ok(Package { span, key_count, stale: row.get(3) })
            })
            .collect()
    }

    async fn keys_of(&self, span: Span) -> Result<Vec<DiagnosisKey>, StoreError> {
        let (start, hours) = columns(span);
        query(
            &self.client().await?,
            "SELECT key_data, rolling_start_interval_number, rolling_period, transmission_risk_level, report_type,
                    days_since_onset_of_symptoms
             FROM diagnosis_key WHERE package_hour >= $1 AND package_hour < $2 ORDER BY key_data",
            &[&start, &start.saturating_add(hours)],
        )
        .await?
        .iter()
        .map(diagnosis_key)
        .collect()
    }

    async fn run_finished(
        &self,
        written: BTreeMap<Span, usize>,
        gone: Vec<Span>,
        now: UnixTime,
    ) -> Result<(), StoreError> {
        transact!(self, transaction => run_finished(&transaction, &written, &gone, now).await)
    }

    async fn publisher_state(&self) -> Result<PublisherState, StoreError> {
        let row = one(
            &self.client().await?,
            "SELECT (SELECT last_published FROM publisher),
                    (SELECT count(*) FROM diagnosis_key WHERE package_hour IS NULL)",
            &[],
        )
        .await?;
        let (last_published, pending): (Option<i64>, i64) =
            row.map_or((None, 0), |row| (row.get(0), row.get(1)));
        Ok(PublisherState {
            last_published: last_published.map(time),
            keys_pending: u64::try_from(pending).unwrap_or(0),
        })
    }
}

async fn close_hours(
    transaction: &Transaction<'_>,
    policy: &PublicationPolicy,
    mut rng: StdRng,
    now: UnixTime,
) -> Result<ClosedHours, CloseError<StoreError>> {
    transaction.batch_execute("SET LOCAL statement_timeout = 0").await.map_err(StoreError::from)?;
    query(transaction, "SELECT pg_advisory_xact_lock($1)", &[&CLOSE_LOCK]).await?;
    let stored = one(transaction, "SELECT next_hour FROM publisher", &[]).await?;
    let mut next_hour = match stored {
        Some(row) => hour(row.get(0), "publisher.next_hour")?,
        None => Hour::at(now.day().minus(policy.retention_days).start()),
    };
    let due = policy.hours_due(next_hour, now).map_err(CloseError::ClockBehind)?;
    if Hour::at(now).get().saturating_sub(next_hour.get()) > MOST_HOURS_AT_ONCE {
        return Err(CloseError::ClockAhead { now, open: next_hour });
    }
    purge_keys(transaction, policy, now).await?;
    let mut pending = pending(transaction).await?;
    let mut closed = 0;
    for hour in due {
        close(transaction, policy, hour, &mut pending, &mut rng).await?;
        next_hour = hour.next();
        closed += 1;
    }
    execute(
        transaction,
        "INSERT INTO publisher (id, next_hour) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET next_hour = $1",
        &[&column(next_hour)],
    )
    .await?;
    Ok(ClosedHours { next_hour, closed })
}

/// Deletes keys that are too old, and marks the packages that held them as stale.
async fn purge_keys(
    transaction: &Transaction<'_>,
    policy: &PublicationPolicy,
    now: UnixTime,
) -> Result<(), StoreError> {
    // What `PublicationPolicy::retains` says, for every row at once.
    let oldest_end = seconds(now.minus(policy.retention_days.saturating_mul(Day::SECONDS)));
    execute(
        transaction,
        "WITH gone AS (
           DELETE FROM diagnosis_key WHERE (rolling_start_interval_number + rolling_period) * 600 < $1
           RETURNING package_hour
         )
         UPDATE package SET stale = TRUE WHERE EXISTS (
           SELECT 1 FROM gone WHERE package_hour >= package.start AND package_hour < package.start + package.hours)",
        &[&oldest_end],
    )
    .await
    .map(drop)
}

async fn close(
    transaction: &Transaction<'_>,
    policy: &PublicationPolicy,
    hour: Hour,
    pending: &mut Vec<PendingKey>,
    rng: &mut StdRng,
) -> Result<(), StoreError> {
    let closed = policy.close_hour(hour, pending, rng);
    let key_count = i64::try_from(closed.key_count()).unwrap_or(i64::MAX);
    for key in &closed.padding {
        insert(transaction, key, hour).await?;
    }
    let published: BTreeSet<usize> = closed.publish.into_iter().collect();
    let (mut chosen, mut kept) = (Vec::new(), Vec::new());
    for (index, candidate) in pending.drain(..).enumerate() {
        if published.contains(&index) {
            chosen.push(candidate.key.key_data);
        } else {
            kept.push(candidate);
        }
    }
    *pending = kept;
    let chosen: Vec<&[u8]> = chosen.iter().map(|key_data| &key_data[..]).collect();
    execute(
        transaction,
        "UPDATE diagnosis_key SET package_hour = $2 FROM unnest($1::bytea[]) AS chosen (key) WHERE key_data = key",
        &[&chosen, &column(hour)],
    )
    .await?;
    execute(
        transaction,
        "INSERT INTO package (start, hours, key_count) VALUES ($1, 1, $2)",
        &[&column(hour), &key_count],
    )
    .await?;
    if hour.next().of_day() == 0 {
        let start = columns(Span::Day(hour.day())).0;
        execute(
            transaction,
            "INSERT INTO package (start, hours, key_count)
             SELECT $1, 24, coalesce(sum(key_count), 0)::bigint FROM package
             WHERE hours = 1 AND start >= $1 AND start < $2",
            &[&start, &start.saturating_add(24)],
        )
        .await?;
    }
    Ok(())
}

async fn pending(transaction: &Transaction<'_>) -> Result<Vec<PendingKey>, StoreError> {
    query(
        transaction,
        "SELECT key_data, rolling_start_interval_number, rolling_period, transmission_risk_level, report_type,
                days_since_onset_of_symptoms, earliest_hour
         FROM diagnosis_key WHERE package_hour IS NULL ORDER BY key_data",
        &[],
    )
    .await?
    .iter()
    .map(|row| {
        let earliest_hour = hour(row.get(6), "diagnosis_key.earliest_hour")?;
        Ok(PendingKey { key: diagnosis_key(row)?, earliest_hour })
    })
    .collect()
}

/// Inserts a key of the padding, which is random and so not there yet.
async fn insert(transaction: &Transaction<'_>, key: &DiagnosisKey, hour: Hour) -> Result<(), StoreError> {
    execute(
        transaction,
        "INSERT INTO diagnosis_key (key_data, rolling_start_interval_number, rolling_period, transmission_risk_level,
                                    report_type, days_since_onset_of_symptoms, earliest_hour, package_hour)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7) ON CONFLICT DO NOTHING",
        &[
            &&key.key_data[..],
            &i64::from(key.rolling_start_interval_number.get()),
            &i64::from(key.rolling_period.get()),
            &key.transmission_risk_level.map(TransmissionRiskLevel::get).map(i64::from),
            &key.report_type.map(ReportType::number).map(i64::from),
            &key.days_since_onset_of_symptoms.map(DaysSinceOnsetOfSymptoms::get).map(i64::from),
            &column(hour),
        ],
    )
    .await
    .map(drop)
}

async fn run_finished(
    transaction: &Transaction<'_>,
    written: &BTreeMap<Span, usize>,
    gone: &[Span],
    now: UnixTime,
) -> Result<(), StoreError> {
    for (span, key_count) in written {
        let (start, hours) = columns(*span);
        execute(
            transaction,
            "UPDATE package SET stale = FALSE, key_count = $3 WHERE hours = $2 AND start = $1",
            &[&start, &hours, &i64::try_from(*key_count).unwrap_or(i64::MAX)],
        )
        .await?;
    }
    for span in gone {
        let (start, hours) = columns(*span);
        execute(transaction, "DELETE FROM package WHERE hours = $2 AND start = $1", &[&start, &hours])
            .await?;
    }
    execute(transaction, "UPDATE publisher SET last_published = $1", &[&seconds(now)]).await.map(drop)
}

/// The first six columns of a row as a key.
fn diagnosis_key(row: &Row) -> Result<DiagnosisKey, StoreError> {
    const CORRUPT: StoreError = StoreError::Corrupt { column: "diagnosis_key" };
    let key_data = row.get::<_, &[u8]>(0).try_into().map_err(|_| CORRUPT)?;
    let start = u32::try_from(row.get::<_, i64>(1)).map_err(|_| CORRUPT)?;
    let rolling_period = RollingPeriod::try_from(row.get::<_, i64>(2)).map_err(|_| CORRUPT)?;
    let mut key = DiagnosisKey::new(key_data, ENIntervalNumber::new(start), rolling_period);
    let number = |index: usize| row.get::<_, Option<i64>>(index);
    key.transmission_risk_level =
        number(3).map(TransmissionRiskLevel::try_from).transpose().map_err(|_| CORRUPT)?;
    key.report_type = number(4).map(ReportType::try_from).transpose().map_err(|_| CORRUPT)?;
    key.days_since_onset_of_symptoms =
        number(5).map(DaysSinceOnsetOfSymptoms::try_from).transpose().map_err(|_| CORRUPT)?;
    Ok(key)
}

fn columns(span: Span) -> (i64, i64) {
    match span {
        Span::Hour(hour) => (column(hour), 1),
        Span::Day(day) => (column(Hour::at(day.start())), 24),
    }
}

pub(super) fn column(hour: Hour) -> i64 {
    i64::try_from(hour.get()).unwrap_or(i64::MAX)
}

fn hour(number: i64, column: &'static str) -> Result<Hour, StoreError> {
    u64::try_from(number).map(Hour::new).map_err(|_| StoreError::Corrupt { column })
}
