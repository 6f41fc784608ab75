//! Sessions, teleTANs and TANs: [`SessionStore`], [`TeleTanStore`] and [`TanStore`] as SQL, step by step as they say.

use cwa_crypto::UnixTime;
use cwa_verify::TeleTanType;
use cwa_verify::hash::{RegistrationTokenHash, ReservationId, TanHash};
use cwa_verify::registration::TokenSalt;
use cwa_verify::seal::SealedTestIds;
use cwa_verify::store::{
    Claim, ConfirmError, Confirmed, ConsumeError, IssueLimit, IssueTanError, IssueTeleTanError, IssuedTan,
    NewSession, NewTan, NewTeleTan, RegisterError, Registered, Released, ReserveError, Reserved, Session,
    SessionSource, SessionStore, TanStore, TeleTanStore,
};
use cwa_verify::tan::TanNumber;
use rusqlite::{Transaction, params};

use super::{SqliteStore, execute, one, seconds, time};
use crate::server::store::StoreError;

impl SessionStore for SqliteStore {
    async fn register(
        &self,
        session: NewSession,
        now: UnixTime,
    ) -> Result<Registered, RegisterError<StoreError>> {
        self.write(move |transaction| register(transaction, &session, now)).await
    }

    async fn session(
        &self,
        token: RegistrationTokenHash,
        now: UnixTime,
    ) -> Result<Option<Session>, StoreError> {
        self.read(move |transaction| {
            let row = one(
                transaction,
                "SELECT sealed_test_ids, tele_tan_type, created_at FROM session WHERE token = ?1 AND expires_at > ?2",
                params![token.as_bytes(), seconds(now)],
                |row| Ok((row.get::<_, Option<Vec<u8>>>(0)?, row.get::<_, Option<String>>(1)?, row.get(2)?)),
            )?;
            let Some((sealed, kind, created_at)) = row else { return Ok(None) };
            let source = match sealed {
                Some(sealed) => SessionSource::Test(
                    SealedTestIds::try_from(&sealed[..])
                        .map_err(|_| StoreError::Corrupt { column: "session.sealed_test_ids" })?,
                ),
                None => SessionSource::TeleTan(tele_tan_type(kind, "session.tele_tan_type")?),
            };
            Ok(Some(Session { source, created_at: time(created_at) }))
        })
        .await
    }
}

fn register(
    transaction: &Transaction<'_>,
    session: &NewSession,
    now: UnixTime,
) -> Result<Registered, RegisterError<StoreError>> {
    if let Some(retry) = &session.retry {
        let before = one(
            transaction,
            "SELECT salt FROM session WHERE retry_request = ?1 AND retry_until > ?2",
            params![retry.request.as_bytes(), seconds(now)],
            |row| row.get(0),
        )?;
        if let Some(salt) = before {
            return Ok(Registered::Before { salt: TokenSalt::from_bytes(salt) });
        }
        // The same request in a window that has ended is another request.
        execute(
            transaction,
            "UPDATE session SET retry_request = NULL, retry_until = NULL WHERE retry_request = ?1",
            params![retry.request.as_bytes()],
        )?;
    }
    let (sealed, tele_tan, kind) = match &session.claim {
        Claim::Test { guid, date_of_birth, sealed } => {
            for id in core::iter::once(guid).chain(date_of_birth) {
                let added = execute(
                    transaction,
                    "INSERT INTO used_test_id (id, session_expires_at) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                    params![id.as_bytes(), seconds(session.expires_at)],
                )?;
                if added == 0 {
                    return Err(RegisterError::AlreadyRegistered);
                }
            }
            (Some(sealed.to_bytes()), None, None)
        }
        Claim::TeleTan(hash) => {
            let (kind, issued_at, valid_until, redeemed) = one(
                transaction,
                "SELECT type, issued_at, valid_until, redeemed FROM tele_tan WHERE hash = ?1",
                params![hash.as_bytes()],
                |row| {
                    Ok((row.get::<_, Option<String>>(0)?, row.get(1)?, row.get(2)?, row.get::<_, bool>(3)?))
                },
            )?
            .ok_or(RegisterError::UnknownTeleTan)?;
            if redeemed {
                return Err(RegisterError::RedeemedTeleTan);
            }
            if !(time(issued_at)..time(valid_until)).contains(&now) {
                return Err(RegisterError::ExpiredTeleTan { valid_until: time(valid_until) });
            }
            execute(
                transaction,
                "UPDATE tele_tan SET redeemed = 1 WHERE hash = ?1",
                params![hash.as_bytes()],
            )?;
            (None, Some(hash.as_bytes()), kind)
        }
    };
    let inserted = execute(
        transaction,
        "INSERT INTO session (token, salt, sealed_test_ids, tele_tan, tele_tan_type, created_at, expires_at, next_tan,
                              retry_request, retry_until)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (token) DO NOTHING",
        params![
            session.token.as_bytes(),
            session.salt.as_bytes(),
            sealed,
            tele_tan,
            kind,
            seconds(now),
            seconds(session.expires_at),
            TanNumber::FIRST.get(),
            session.retry.map(|retry| *retry.request.as_bytes()),
            session.retry.map(|retry| seconds(retry.until)),
        ],
    )?;
    if inserted == 0 { Err(RegisterError::TokenTaken) } else { Ok(Registered::Now) }
}

impl TeleTanStore for SqliteStore {
    async fn issue_tele_tan(
        &self,
        tele_tan: NewTeleTan,
        limit: IssueLimit,
        now: UnixTime,
    ) -> Result<u32, IssueTeleTanError<StoreError>> {
        self.write(move |transaction| {
            let issued: u32 = one(
                transaction,
                "SELECT count(*) FROM tele_tan WHERE issued_at > ?1",
                params![seconds(now.minus(limit.window_seconds))],
                |row| row.get(0),
            )?
            .unwrap_or(0);
            if issued >= limit.count {
                return Err(IssueTeleTanError::LimitReached { limit: limit.count });
            }
            let inserted = execute(
                transaction,
                "INSERT INTO tele_tan (hash, type, issued_at, valid_until) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
                params![
                    tele_tan.hash.as_bytes(),
                    tele_tan.kind.map(TeleTanType::as_str),
                    seconds(now),
                    seconds(tele_tan.valid_until),
                ],
            )?;
            if inserted == 0 { Err(IssueTeleTanError::Taken) } else { Ok(issued.saturating_add(1)) }
        })
        .await
    }
}

impl TanStore for SqliteStore {
    async fn issue_tan(&self, tan: NewTan, now: UnixTime) -> Result<IssuedTan, IssueTanError<StoreError>> {
        self.write(move |transaction| issue_tan(transaction, &tan, now)).await
    }

    async fn reserve(
        &self,
        tan: TanHash,
        reservation: ReservationId,
        lease_end: UnixTime,
        now: UnixTime,
    ) -> Result<Reserved, ReserveError<StoreError>> {
        self.write(move |transaction| reserve(transaction, tan, reservation, lease_end, now)).await
    }

    async fn confirm(
        &self,
        reservation: ReservationId,
        now: UnixTime,
    ) -> Result<Confirmed, ConfirmError<StoreError>> {
        self.write(move |transaction| confirm(transaction, reservation, now)).await
    }

    async fn release(&self, reservation: ReservationId, _now: UnixTime) -> Result<Released, StoreError> {
        self.write(move |transaction| {
            let released = execute(
                transaction,
                "UPDATE tan SET reservation = NULL, lease_end = NULL WHERE reservation = ?1",
                params![reservation.as_bytes()],
            )?;
            Ok(if released == 0 { Released::NotReserved } else { Released::Now })
        })
        .await
    }

    async fn consume(
        &self,
        tan: TanHash,
        now: UnixTime,
    ) -> Result<Option<TeleTanType>, ConsumeError<StoreError>> {
        self.write(move |transaction| {
            let row = tan_row(transaction, tan)?.ok_or(ConsumeError::Unknown)?;
            if let Some((_, lease_end)) = row.holder(now) {
                return Err(ConsumeError::Reserved { lease_end });
            }
            if row.valid_until <= now {
                return Err(ConsumeError::Expired { valid_until: row.valid_until });
            }
            use_up(transaction, tan.as_bytes())?;
            Ok(row.kind)
        })
        .await
    }
}

fn issue_tan(
    transaction: &Transaction<'_>,
    tan: &NewTan,
    now: UnixTime,
) -> Result<IssuedTan, IssueTanError<StoreError>> {
    let session = tan.session.as_bytes();
    let (kind, used, next) = one(
        transaction,
        "SELECT tele_tan_type, tans_used, next_tan FROM session WHERE token = ?1 AND expires_at > ?2",
        params![session, seconds(now)],
        |row| Ok((row.get::<_, Option<String>>(0)?, row.get::<_, u32>(1)?, row.get::<_, u32>(2)?)),
    )?
    .ok_or(IssueTanError::UnknownSession)?;
    execute(
        transaction,
        "DELETE FROM tan WHERE session = ?1 AND valid_until <= ?2 AND (lease_end IS NULL OR lease_end <= ?2)",
        params![session, seconds(now)],
    )?;
    let still_valid = one(
        transaction,
        "SELECT number, valid_until FROM tan WHERE session = ?1 AND valid_until > ?2 ORDER BY number LIMIT 1",
        params![session, seconds(now)],
        |row| Ok(IssuedTan { number: TanNumber::new(row.get(0)?), valid_until: time(row.get(1)?) }),
    )?;
    if let Some(issued) = still_valid {
        return Ok(issued);
    }
    // What is left is expired and under a lease: it may yet be confirmed, so it holds its slot.
    let leased: u32 =
        one(transaction, "SELECT count(*) FROM tan WHERE session = ?1", params![session], |row| row.get(0))?
            .unwrap_or(0);
    if used.saturating_add(leased) >= tan.limit {
        return Err(IssueTanError::Exhausted { limit: tan.limit });
    }
    let number = TanNumber::new(next);
    execute(
        transaction,
        "INSERT INTO tan (hash, session, number, valid_until, tele_tan_type) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![tan.series.hash(number).as_bytes(), session, number.get(), seconds(tan.valid_until), kind],
    )?;
    execute(
        transaction,
        "UPDATE session SET next_tan = ?2 WHERE token = ?1",
        params![session, number.next().get()],
    )?;
    Ok(IssuedTan { number, valid_until: tan.valid_until })
}

fn reserve(
    transaction: &Transaction<'_>,
    tan: TanHash,
    reservation: ReservationId,
    lease_end: UnixTime,
    now: UnixTime,
) -> Result<Reserved, ReserveError<StoreError>> {
    let receipt = one(
        transaction,
        "SELECT 1 FROM receipt WHERE reservation = ?1 AND until > ?2",
        params![reservation.as_bytes(), seconds(now)],
        |_| Ok(()),
    )?;
    if receipt.is_some() {
        return Ok(Reserved::Confirmed);
    }
    let row = tan_row(transaction, tan)?.ok_or(ReserveError::Unknown)?;
    let mut new_end = lease_end;
    match row.holder(now) {
        Some((holder, end)) if holder == *reservation.as_bytes() => new_end = new_end.max(end),
        Some((_, lease_end)) => return Err(ReserveError::Reserved { lease_end }),
        None if row.valid_until <= now => return Err(ReserveError::Expired { valid_until: row.valid_until }),
        None => {}
    }
    execute(
        transaction,
        "UPDATE tan SET reservation = ?2, lease_end = ?3 WHERE hash = ?1",
        params![tan.as_bytes(), reservation.as_bytes(), seconds(new_end)],
    )?;
    Ok(Reserved::Granted { kind: row.kind })
}

fn confirm(
    transaction: &Transaction<'_>,
    reservation: ReservationId,
    now: UnixTime,
) -> Result<Confirmed, ConfirmError<StoreError>> {
    let receipt = one(
        transaction,
        "SELECT 1 FROM receipt WHERE reservation = ?1 AND until > ?2",
        params![reservation.as_bytes(), seconds(now)],
        |_| Ok(()),
    )?;
    if receipt.is_some() {
        return Ok(Confirmed::Before);
    }
    let (hash, until) = one(
        transaction,
        "SELECT hash, max(valid_until, lease_end) FROM tan WHERE reservation = ?1",
        params![reservation.as_bytes()],
        |row| Ok((row.get::<_, [u8; TanHash::LENGTH]>(0)?, time(row.get(1)?))),
    )?
    .ok_or(ConfirmError::Unknown)?;
    use_up(transaction, &hash)?;
    insert_receipt(transaction, reservation, until)?;
    Ok(Confirmed::Now)
}

/// Keeps a receipt until then.
pub(super) fn insert_receipt(
    transaction: &Transaction<'_>,
    reservation: ReservationId,
    until: UnixTime,
) -> Result<(), StoreError> {
    execute(
        transaction,
        "INSERT INTO receipt (reservation, until) VALUES (?1, ?2) ON CONFLICT (reservation) DO UPDATE SET until = ?2",
        params![reservation.as_bytes(), seconds(until)],
    )
    .map(drop)
}

/// Deletes a TAN and counts it in its session, if that is still there.
pub(super) fn use_up(transaction: &Transaction<'_>, hash: &[u8; TanHash::LENGTH]) -> Result<(), StoreError> {
    execute(
        transaction,
        "UPDATE session SET tans_used = tans_used + 1 WHERE token = (SELECT session FROM tan WHERE hash = ?1)",
        params![hash],
    )?;
    execute(transaction, "DELETE FROM tan WHERE hash = ?1", params![hash])?;
    Ok(())
}

/// A TAN, as far as the transitions look at it.
pub(super) struct TanRow {
    pub(super) valid_until: UnixTime,
    pub(super) kind: Option<TeleTanType>,
    /// For whom it is set aside, and until when.
    lease: Option<([u8; ReservationId::LENGTH], UnixTime)>,
}

impl TanRow {
    /// Who holds the TAN now, and until when.
    pub(super) fn holder(&self, now: UnixTime) -> Option<([u8; ReservationId::LENGTH], UnixTime)> {
        self.lease.filter(|(_, lease_end)| now < *lease_end)
    }
}

pub(super) fn tan_row(transaction: &Transaction<'_>, tan: TanHash) -> Result<Option<TanRow>, StoreError> {
    let row = one(
        transaction,
        "SELECT valid_until, tele_tan_type, reservation, lease_end FROM tan WHERE hash = ?1",
        params![tan.as_bytes()],
        |row| {
            Ok((
                time(row.get(0)?),
                row.get::<_, Option<String>>(1)?,
                row.get::<_, Option<[u8; ReservationId::LENGTH]>>(2)?,
                row.get::<_, Option<i64>>(3)?,
            ))
        },
    )?;
    let Some((valid_until, kind, reservation, lease_end)) = row else { return Ok(None) };
    let kind = tele_tan_type(kind, "tan.tele_tan_type")?;
    Ok(Some(TanRow { valid_until, kind, lease: reservation.zip(lease_end.map(time)) }))
}

fn tele_tan_type(text: Option<String>, column: &'static str) -> Result<Option<TeleTanType>, StoreError> {
    text.map(|text| text.parse().map_err(|_| StoreError::Corrupt { column })).transpose()
}
