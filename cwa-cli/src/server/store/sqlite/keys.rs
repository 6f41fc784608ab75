//! Submissions, diagnosis keys and packages: [`SubmissionStore`] and [`PackageStore`].

use std::collections::{BTreeMap, BTreeSet};

use cwa_crypto::{
    Day, DaysSinceOnsetOfSymptoms, DiagnosisKey, ENIntervalNumber, ReportType, RollingPeriod,
    TransmissionRiskLevel, UnixTime,
};
use cwa_export::batch::{Hour, PendingKey, PublicationPolicy};
use cwa_verify::TeleTanType;
use cwa_verify::hash::TanHash;
use cwa_verify::store::ReserveError;
use rand::rngs::StdRng;
use rusqlite::{Row, Transaction, params};

use super::{SqliteStore, all, execute, one, seconds, time, tokens};
use crate::server::store::{
    CloseError, ClosedHours, MOST_HOURS_AT_ONCE, Package, PackageStore, PublisherState, Span, StoreError,
    SubmissionStore, Submitted, Upload,
};

impl SubmissionStore for SqliteStore {
    async fn submit(
        &self,
        tan: TanHash,
        upload: Upload,
        now: UnixTime,
    ) -> Result<Submitted, ReserveError<StoreError>> {
        self.write(move |transaction| submit(transaction, tan, &upload, now)).await
    }
}

fn submit(
    transaction: &Transaction<'_>,
    tan: TanHash,
    upload: &Upload,
    now: UnixTime,
) -> Result<Submitted, ReserveError<StoreError>> {
    let before = one(
        transaction,
        "SELECT keys_dropped FROM receipt LEFT JOIN submission USING (reservation)
         WHERE reservation = ?1 AND receipt.until > ?2",
        params![upload.reservation.as_bytes(), seconds(now)],
        |row| row.get::<_, Option<u32>>(0),
    )?;
    if let Some(keys_dropped) = before {
        return Ok(Submitted::Before { keys_dropped: keys_dropped.unwrap_or(upload.keys_dropped) });
    }
    let row = tokens::tan_row(transaction, tan)?.ok_or(ReserveError::Unknown)?;
    let held = row.holder(now);
    match held {
        Some((holder, _)) if holder == *upload.reservation.as_bytes() => {}
        Some((_, lease_end)) => return Err(ReserveError::Reserved { lease_end }),
        None if row.valid_until <= now => return Err(ReserveError::Expired { valid_until: row.valid_until }),
        None => {}
    }
    if row.kind == Some(TeleTanType::Event) {
        return Ok(Submitted::NotForKeys);
    }
    let until = held.map_or(row.valid_until, |(_, lease_end)| row.valid_until.max(lease_end));
    tokens::use_up(transaction, tan.as_bytes())?;
    tokens::insert_receipt(transaction, upload.reservation, until)?;
    for pending in &upload.keys {
        insert(transaction, &pending.key, pending.earliest_hour, None)?;
    }
    execute(
        transaction,
        "INSERT INTO submission (reservation, keys_dropped, until) VALUES (?1, ?2, ?3)
         ON CONFLICT (reservation) DO UPDATE SET keys_dropped = ?2, until = ?3",
        params![upload.reservation.as_bytes(), upload.keys_dropped, seconds(until)],
    )?;
    Ok(Submitted::Now)
}

impl PackageStore for SqliteStore {
    async fn close_hours(
        &self,
        policy: PublicationPolicy,
        mut rng: StdRng,
        now: UnixTime,
    ) -> Result<ClosedHours, CloseError<StoreError>> {
        self.write(move |transaction| {
            let stored = one(transaction, "SELECT next_hour FROM publisher", [], |row| row.get(0))?;
            let mut next_hour = match stored {
                Some(number) => hour(number, "publisher.next_hour")?,
                None => Hour::at(now.day().minus(policy.retention_days).start()),
            };
            let due = policy.hours_due(next_hour, now).map_err(CloseError::ClockBehind)?;
            if Hour::at(now).get().saturating_sub(next_hour.get()) > MOST_HOURS_AT_ONCE {
                return Err(CloseError::ClockAhead { now, open: next_hour });
            }
            purge_keys(transaction, &policy, now)?;
            let mut pending = pending(transaction)?;
            let mut closed = 0;
            for hour in due {
                close(transaction, &policy, hour, &mut pending, &mut rng)?;
                next_hour = hour.next();
                closed += 1;
            }
            execute(
                transaction,
                "INSERT INTO publisher (id, next_hour) VALUES (1, ?1) ON CONFLICT (id) DO UPDATE SET next_hour = ?1",
                params![column(next_hour)],
            )?;
            Ok(ClosedHours { next_hour, closed })
        })
        .await
    }

    async fn packages(&self) -> Result<Vec<Package>, StoreError> {
        self.read(|transaction| {
            let rows = all(
                transaction,
                "SELECT start, hours, key_count, stale FROM package ORDER BY hours, start",
                [],
                |row| Ok((row.get(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?, row.get(3)?)),
            )?;
            rows.into_iter()
                .map(|(start, hours, key_count, stale)| {
                    let start = hour(start, "package.start")?;
                    let span = if hours == 1 { Span::Hour(start) } else { Span::Day(start.day()) };
                    let key_count = usize::try_from(key_count)
                        .map_err(|_| StoreError::Corrupt { column: "package.key_count" })?;
                    Ok(Package { span, key_count, stale })
                })
                .collect()
        })
        .await
    }

    async fn keys_of(&self, span: Span) -> Result<Vec<DiagnosisKey>, StoreError> {
        let (start, hours) = columns(span);
        self.read(move |transaction| {
            all(
                transaction,
                "SELECT key_data, rolling_start_interval_number, rolling_period, transmission_risk_level, report_type,
                        days_since_onset_of_symptoms
                 FROM diagnosis_key WHERE package_hour >= ?1 AND package_hour < ?1 + ?2 ORDER BY key_data",
                params![start, hours],
                |row| Ok(diagnosis_key(row)),
            )?
            .into_iter()
            .collect()
        })
        .await
    }

    async fn run_finished(
        &self,
        written: BTreeMap<Span, usize>,
        gone: Vec<Span>,
        now: UnixTime,
    ) -> Result<(), StoreError> {
        self.write(move |transaction| {
            for (span, key_count) in written {
                let (start, hours) = columns(span);
                execute(
                    transaction,
                    "UPDATE package SET stale = 0, key_count = ?3 WHERE hours = ?2 AND start = ?1",
                    params![start, hours, i64::try_from(key_count).unwrap_or(i64::MAX)],
                )?;
            }
            for span in gone {
                let (start, hours) = columns(span);
                let delete = "DELETE FROM package WHERE hours = ?2 AND start = ?1";
                execute(transaction, delete, params![start, hours])?;
            }
            execute(transaction, "UPDATE publisher SET last_published = ?1", params![seconds(now)]).map(drop)
        })
        .await
    }

    async fn publisher_state(&self) -> Result<PublisherState, StoreError> {
        self.read(|transaction| {
            let last_published: Option<Option<i64>> =
                one(transaction, "SELECT last_published FROM publisher", [], |row| row.get(0))?;
            let pending: Option<i64> = one(
                transaction,
                "SELECT (SELECT count(*) FROM diagnosis_key)
                        - (SELECT count(*) FROM diagnosis_key WHERE package_hour IS NOT NULL)",
                [],
                |row| row.get(0),
            )?;
            Ok(PublisherState {
                last_published: last_published.flatten().map(time),
                keys_pending: pending.and_then(|count| u64::try_from(count).ok()).unwrap_or(0),
            })
        })
        .await
    }
}

/// Deletes keys that are too old, and marks the packages that held them as stale.
fn purge_keys(
    transaction: &Transaction<'_>,
    policy: &PublicationPolicy,
    now: UnixTime,
) -> Result<(), StoreError> {
    // What `PublicationPolicy::retains` says, for every row at once.
    let oldest_end = seconds(now.minus(policy.retention_days.saturating_mul(Day::SECONDS)));
    execute(
        transaction,
        "UPDATE package SET stale = 1 WHERE EXISTS (
           SELECT 1 FROM diagnosis_key
           WHERE package_hour >= package.start AND package_hour < package.start + package.hours
           AND (rolling_start_interval_number + rolling_period) * 600 < ?1)",
        params![oldest_end],
    )?;
    execute(
        transaction,
        "DELETE FROM diagnosis_key WHERE (rolling_start_interval_number + rolling_period) * 600 < ?1",
        params![oldest_end],
    )?;
    Ok(())
}

fn close(
    transaction: &Transaction<'_>,
    policy: &PublicationPolicy,
    hour: Hour,
    pending: &mut Vec<PendingKey>,
    rng: &mut StdRng,
) -> Result<(), StoreError> {
    let closed = policy.close_hour(hour, pending, rng);
    let key_count = i64::try_from(closed.key_count()).unwrap_or(i64::MAX);
    for key in &closed.padding {
        insert(transaction, key, hour, Some(hour))?;
    }
    let published: BTreeSet<usize> = closed.publish.into_iter().collect();
    let mut kept = Vec::new();
    for (index, candidate) in pending.drain(..).enumerate() {
        if published.contains(&index) {
            execute(
                transaction,
                "UPDATE diagnosis_key SET package_hour = ?2 WHERE key_data = ?1",
                params![candidate.key.key_data, column(hour)],
            )?;
        } else {
            kept.push(candidate);
        }
    }
    *pending = kept;
    execute(
        transaction,
        "INSERT INTO package (start, hours, key_count) VALUES (?1, 1, ?2)",
        params![column(hour), key_count],
    )?;
    if hour.next().of_day() == 0 {
        execute(
            transaction,
            "INSERT INTO package (start, hours, key_count)
             SELECT ?1, 24, coalesce(sum(key_count), 0) FROM package WHERE hours = 1 AND start >= ?1 AND start < ?1 + 24",
            params![columns(Span::Day(hour.day())).0],
        )?;
    }
    Ok(())
}

fn pending(transaction: &Transaction<'_>) -> Result<Vec<PendingKey>, StoreError> {
    all(
        transaction,
        "SELECT key_data, rolling_start_interval_number, rolling_period, transmission_risk_level, report_type,
                days_since_onset_of_symptoms, earliest_hour
         FROM diagnosis_key WHERE package_hour IS NULL ORDER BY key_data",
        [],
        |row| Ok((diagnosis_key(row), row.get(6)?)),
    )?
    .into_iter()
    .map(|(key, earliest)| {
        Ok(PendingKey { key: key?, earliest_hour: hour(earliest, "diagnosis_key.earliest_hour")? })
    })
    .collect()
}

/// Inserts a key that is not there yet. One that is stays as it is: what was published is not changed by a second upload.
fn insert(
    transaction: &Transaction<'_>,
    key: &DiagnosisKey,
    earliest: Hour,
    package: Option<Hour>,
) -> Result<(), StoreError> {
    execute(
        transaction,
        "INSERT INTO diagnosis_key (key_data, rolling_start_interval_number, rolling_period, transmission_risk_level,
                                    report_type, days_since_onset_of_symptoms, earliest_hour, package_hour)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING",
        params![
            key.key_data,
            key.rolling_start_interval_number.get(),
            key.rolling_period.get(),
            key.transmission_risk_level.map(TransmissionRiskLevel::get),
            key.report_type.map(ReportType::number),
            key.days_since_onset_of_symptoms.map(DaysSinceOnsetOfSymptoms::get),
            column(earliest),
            package.map(column),
        ],
    )?;
    Ok(())
}

/// The first six columns of a row as a key.
fn diagnosis_key(row: &Row<'_>) -> Result<DiagnosisKey, StoreError> {
    const CORRUPT: StoreError = StoreError::Corrupt { column: "diagnosis_key" };
    let rolling_period = RollingPeriod::try_from(row.get::<_, i64>(2)?).map_err(|_| CORRUPT)?;
    let mut key = DiagnosisKey::new(row.get(0)?, ENIntervalNumber::new(row.get(1)?), rolling_period);
    let number = |index: usize| row.get::<_, Option<i64>>(index);
    key.transmission_risk_level =
        number(3)?.map(TransmissionRiskLevel::try_from).transpose().map_err(|_| CORRUPT)?;
    key.report_type = number(4)?.map(ReportType::try_from).transpose().map_err(|_| CORRUPT)?;
    key.days_since_onset_of_symptoms =
        number(5)?.map(DaysSinceOnsetOfSymptoms::try_from).transpose().map_err(|_| CORRUPT)?;
    Ok(key)
}

fn columns(span: Span) -> (i64, i64) {
    match span {
        Span::Hour(hour) => (column(hour), 1),
        Span::Day(day) => (column(Hour::at(day.start())), 24),
    }
}

fn column(hour: Hour) -> i64 {
    i64::try_from(hour.get()).unwrap_or(i64::MAX)
}

fn hour(number: i64, column: &'static str) -> Result<Hour, StoreError> {
    u64::try_from(number).map(Hour::new).map_err(|_| StoreError::Corrupt { column })
}
