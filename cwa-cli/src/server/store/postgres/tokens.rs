//! Sessions, teleTANs and TANs: [`SessionStore`], [`TeleTanStore`] and [`TanStore`] as SQL.

use cwa_crypto::UnixTime;
use cwa_verify::TeleTanType;
use cwa_verify::hash::{RegistrationTokenHash, ReservationId, TanHash, TeleTanHash, TestIdHash};
use cwa_verify::registration::TokenSalt;
use cwa_verify::seal::SealedTestIds;
use cwa_verify::store::{
    Claim, ConfirmError, Confirmed, ConsumeError, IssueLimit, IssueTanError, IssueTeleTanError, IssuedTan,
    NewSession, NewTan, NewTeleTan, RegisterError, Registered, Released, ReserveError, Reserved, Session,
    SessionSource, SessionStore, TanStore, TeleTanStore,
};
use cwa_verify::tan::TanNumber;
use deadpool_postgres::{GenericClient, Transaction};

use super::{
    ATTEMPTS, PURGE_LOCK, PostgresStore, TELE_TAN_LOCK, again, execute, lock, one, query, seconds, time,
    transact,
};
use crate::server::store::StoreError;

impl SessionStore for PostgresStore {
    async fn register(
        &self,
        session: NewSession,
        now: UnixTime,
    ) -> Result<Registered, RegisterError<StoreError>> {
        transact!(self, transaction => register(&transaction, &session, now).await)
    }

    async fn session(
        &self,
        token: RegistrationTokenHash,
        now: UnixTime,
    ) -> Result<Option<Session>, StoreError> {
        let row = one(
            &self.client().await?,
            "SELECT sealed_test_ids, tele_tan_type, created_at FROM session WHERE token = $1 AND expires_at > $2",
            &[&&token.as_bytes()[..], &seconds(now)],
        )
        .await?;
        let Some(row) = row else { return Ok(None) };
        let source = match row.get::<_, Option<&[u8]>>(0) {
            Some(sealed) => SessionSource::Test(
                SealedTestIds::try_from(sealed)
                    .map_err(|_| StoreError::Corrupt { column: "session.sealed_test_ids" })?,
            ),
            None => SessionSource::TeleTan(tele_tan_type(row.get(1), "session.tele_tan_type")?),
        };
        Ok(Some(Session { source, created_at: time(row.get(2)) }))
    }
}

async fn register(
    transaction: &Transaction<'_>,
    session: &NewSession,
    now: UnixTime,
) -> Result<Registered, RegisterError<StoreError>> {
    let mut hashes: Vec<&[u8]> = match &session.claim {
        Claim::Test { guid, date_of_birth, .. } => {
            core::iter::once(guid).chain(date_of_birth).map(|id| &id.as_bytes()[..]).collect()
        }
        Claim::TeleTan(hash) => vec![hash.as_bytes()],
    };
    hashes.extend(session.retry.as_ref().map(|retry| &retry.request.as_bytes()[..]));
    share_purge(transaction).await?;
    lock(transaction, &hashes).await?;
    if let Some(retry) = &session.retry {
        let before = one(
            transaction,
            "SELECT salt FROM session WHERE retry_request = $1 AND retry_until > $2",
            &[&&retry.request.as_bytes()[..], &seconds(now)],
        )
        .await?;
        if let Some(row) = before {
            let salt = row
                .get::<_, &[u8]>(0)
                .try_into()
                .map_err(|_| StoreError::Corrupt { column: "session.salt" })?;
            return Ok(Registered::Before { salt: TokenSalt::from_bytes(salt) });
        }
        // The same request in a window that has ended is another request.
        execute(
            transaction,
            "UPDATE session SET retry_request = NULL, retry_until = NULL WHERE retry_request = $1",
            &[&&retry.request.as_bytes()[..]],
        )
        .await?;
    }
    let (sealed, tele_tan, kind) = match &session.claim {
        Claim::Test { guid, date_of_birth, sealed } => {
            for id in core::iter::once(guid).chain(date_of_birth) {
                use_test_id(transaction, id, session.expires_at).await?;
            }
            (Some(sealed.to_bytes()), None, None)
        }
        Claim::TeleTan(hash) => (None, Some(hash), redeem(transaction, hash, now).await?),
    };
    let inserted = execute(
        transaction,
        "INSERT INTO session (token, salt, sealed_test_ids, tele_tan, tele_tan_type, created_at, expires_at, next_tan,
                              retry_request, retry_until)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (token) DO NOTHING",
        &[
            &&session.token.as_bytes()[..],
            &&session.salt.as_bytes()[..],
            &sealed.as_ref().map(|sealed| &sealed[..]),
            &tele_tan.map(|hash| &hash.as_bytes()[..]),
            &kind,
            &seconds(now),
            &seconds(session.expires_at),
            &i64::from(TanNumber::FIRST.get()),
            &session.retry.as_ref().map(|retry| &retry.request.as_bytes()[..]),
            &session.retry.as_ref().map(|retry| seconds(retry.until)),
        ],
    )
    .await?;
    if inserted == 0 { Err(RegisterError::TokenTaken) } else { Ok(Registered::Now) }
}

/// Keeps used test ids and results from being forgotten until the end of the transaction.
pub(super) async fn share_purge(transaction: &Transaction<'_>) -> Result<(), StoreError> {
    query(transaction, "SELECT pg_advisory_xact_lock_shared($1)", &[&PURGE_LOCK]).await.map(drop)
}

/// Adds an id to the used ones.
async fn use_test_id(
    transaction: &Transaction<'_>,
    id: &TestIdHash,
    session_expires_at: UnixTime,
) -> Result<(), RegisterError<StoreError>> {
    let added = execute(
        transaction,
        "INSERT INTO used_test_id (id, session_expires_at) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        &[&&id.as_bytes()[..], &seconds(session_expires_at)],
    )
    .await?;
    if added == 0 { Err(RegisterError::AlreadyRegistered) } else { Ok(()) }
}

/// Marks a teleTAN as redeemed; gives its type.
async fn redeem(
    transaction: &Transaction<'_>,
    hash: &TeleTanHash,
    now: UnixTime,
) -> Result<Option<String>, RegisterError<StoreError>> {
    let hash = &hash.as_bytes()[..];
    let redeemed = one(
        transaction,
        "UPDATE tele_tan SET redeemed = TRUE
         WHERE hash = $1 AND NOT redeemed AND issued_at <= $2 AND valid_until > $2 RETURNING type",
        &[&hash, &seconds(now)],
    )
    .await?;
    if let Some(row) = redeemed {
        return Ok(row.get(0));
    }
    let row = one(transaction, "SELECT redeemed, valid_until FROM tele_tan WHERE hash = $1", &[&hash])
        .await?
        .ok_or(RegisterError::UnknownTeleTan)?;
    if row.get(0) {
        return Err(RegisterError::RedeemedTeleTan);
    }
    Err(RegisterError::ExpiredTeleTan { valid_until: time(row.get(1)) })
}

impl TeleTanStore for PostgresStore {
    async fn issue_tele_tan(
        &self,
        tele_tan: NewTeleTan,
        limit: IssueLimit,
        now: UnixTime,
    ) -> Result<u32, IssueTeleTanError<StoreError>> {
        transact!(self, transaction => issue_tele_tan(&transaction, &tele_tan, limit, now).await)
    }
}

async fn issue_tele_tan(
    transaction: &Transaction<'_>,
    tele_tan: &NewTeleTan,
    limit: IssueLimit,
    now: UnixTime,
) -> Result<u32, IssueTeleTanError<StoreError>> {
    // Who counts must not be overtaken.
    query(transaction, "SELECT pg_advisory_xact_lock($1)", &[&TELE_TAN_LOCK]).await?;
    let row = one(
        transaction,
        "SELECT count(*) FROM tele_tan WHERE issued_at > $1",
        &[&seconds(now.minus(limit.window_seconds))],
    )
    .await?;
    let issued: i64 = row.map_or(0, |row| row.get(0));
    if issued >= i64::from(limit.count) {
        return Err(IssueTeleTanError::LimitReached { limit: limit.count });
    }
    let inserted = execute(
        transaction,
        "INSERT INTO tele_tan (hash, type, issued_at, valid_until) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        &[
            &&tele_tan.hash.as_bytes()[..],
            &tele_tan.kind.map(TeleTanType::as_str),
            &seconds(now),
            &seconds(tele_tan.valid_until),
        ],
    )
    .await?;
    if inserted == 0 {
        return Err(IssueTeleTanError::Taken);
    }
    Ok(u32::try_from(issued.saturating_add(1)).unwrap_or(u32::MAX))
}

impl TanStore for PostgresStore {
    async fn issue_tan(&self, tan: NewTan, now: UnixTime) -> Result<IssuedTan, IssueTanError<StoreError>> {
        transact!(self, transaction => issue_tan(&transaction, &tan, now).await)
    }

    async fn reserve(
        &self,
        tan: TanHash,
        reservation: ReservationId,
        lease_end: UnixTime,
        now: UnixTime,
    ) -> Result<Reserved, ReserveError<StoreError>> {
        let client = self.client().await?;
        let mut attempt = 0;
        for _ in 0..ATTEMPTS {
            let outcome = reserve(&client, tan, reservation, lease_end, now).await;
            match outcome {
                // The row changed between two looks.
                Ok(None) => {}
                Ok(Some(reserved)) => return Ok(reserved),
                Err(error) => {
                    let outcome = Err(error);
                    if !again(&outcome, &mut attempt).await {
                        return outcome;
                    }
                }
            }
        }
        Err(StoreError::Interrupted.into())
    }

    async fn confirm(
        &self,
        reservation: ReservationId,
        now: UnixTime,
    ) -> Result<Confirmed, ConfirmError<StoreError>> {
        let client = self.client().await?;
        let mut attempt = 0;
        loop {
            let outcome = confirm(&client, reservation, now).await;
            if !again(&outcome, &mut attempt).await {
                return outcome;
            }
        }
    }

    async fn release(&self, reservation: ReservationId, _now: UnixTime) -> Result<Released, StoreError> {
        let released = execute(
            &self.client().await?,
            "UPDATE tan SET reservation = NULL, lease_end = NULL WHERE reservation = $1",
            &[&&reservation.as_bytes()[..]],
        )
        .await?;
        Ok(if released == 0 { Released::NotReserved } else { Released::Now })
    }

    async fn consume(
        &self,
        tan: TanHash,
        now: UnixTime,
    ) -> Result<Option<TeleTanType>, ConsumeError<StoreError>> {
        let client = self.client().await?;
        let hash = &tan.as_bytes()[..];
        for _ in 0..ATTEMPTS {
            let consumed = one(
                &client,
                "WITH used AS (
                   DELETE FROM tan WHERE hash = $1 AND valid_until > $2 AND (lease_end IS NULL OR lease_end <= $2)
                   RETURNING session, tele_tan_type
                 ), counted AS (
                   UPDATE session SET tans_used = tans_used + 1 FROM used WHERE token = used.session
                 )
                 SELECT tele_tan_type FROM used",
                &[&hash, &seconds(now)],
            )
            .await?;
            if let Some(row) = consumed {
                return Ok(tele_tan_type(row.get(0), "tan.tele_tan_type")?);
            }
            let row = one(&client, "SELECT valid_until, lease_end FROM tan WHERE hash = $1", &[&hash])
                .await?
                .ok_or(ConsumeError::Unknown)?;
            let lease_end = row.get::<_, Option<i64>>(1).map(time);
            if let Some(lease_end) = lease_end.filter(|lease_end| now < *lease_end) {
                return Err(ConsumeError::Reserved { lease_end });
            }
            let valid_until = time(row.get(0));
            if valid_until <= now {
                return Err(ConsumeError::Expired { valid_until });
            }
            // It was released between the two looks.
        }
        Err(StoreError::Interrupted.into())
    }
}

async fn issue_tan(
    transaction: &Transaction<'_>,
    tan: &NewTan,
    now: UnixTime,
) -> Result<IssuedTan, IssueTanError<StoreError>> {
    let session = &tan.session.as_bytes()[..];
    // Whoever uses a TAN up counts it in this row, in the same statement.
    let row = one(
        transaction,
        "SELECT tele_tan_type, tans_used, next_tan FROM session WHERE token = $1 AND expires_at > $2 FOR UPDATE",
        &[&session, &seconds(now)],
    )
    .await?
    .ok_or(IssueTanError::UnknownSession)?;
    let (kind, used, next): (Option<String>, i64, i64) = (row.get(0), row.get(1), row.get(2));
    execute(
        transaction,
        "DELETE FROM tan WHERE session = $1 AND valid_until <= $2 AND (lease_end IS NULL OR lease_end <= $2)",
        &[&session, &seconds(now)],
    )
    .await?;
    let rows = query(
        transaction,
        "SELECT number, valid_until FROM tan WHERE session = $1 ORDER BY valid_until <= $2, number",
        &[&session, &seconds(now)],
    )
    .await?;
    let number = |number: i64| {
        u32::try_from(number).map(TanNumber::new).map_err(|_| StoreError::Corrupt { column: "tan.number" })
    };
    if let Some(row) = rows.first() {
        let valid_until = time(row.get(1));
        if now < valid_until {
            return Ok(IssuedTan { number: number(row.get(0))?, valid_until });
        }
    }
    // What is left is expired and under a lease: it may yet be confirmed, so it holds its slot.
    let leased = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    if used.saturating_add(leased) >= i64::from(tan.limit) {
        return Err(IssueTanError::Exhausted { limit: tan.limit });
    }
    let number = number(next)?;
    execute(
        transaction,
        "INSERT INTO tan (hash, session, number, valid_until, tele_tan_type) VALUES ($1, $2, $3, $4, $5)",
        &[
            &&tan.series.hash(number).as_bytes()[..],
            &session,
            &i64::from(number.get()),
            &seconds(tan.valid_until),
            &kind,
        ],
    )
    .await?;
    execute(
        transaction,
        "UPDATE session SET next_tan = $2 WHERE token = $1",
        &[&session, &i64::from(number.next().get())],
    )
    .await?;
    Ok(IssuedTan { number, valid_until: tan.valid_until })
}

/// One attempt; none if the row changed between two looks.
async fn reserve<C: GenericClient>(
    client: &C,
    tan: TanHash,
    reservation: ReservationId,
    lease_end: UnixTime,
    now: UnixTime,
) -> Result<Option<Reserved>, ReserveError<StoreError>> {
    let (hash, id) = (&tan.as_bytes()[..], &reservation.as_bytes()[..]);
    // Under a lease, only for its holder; free or lapsed, for everybody as long as the TAN is valid. A TAN that was
    // confirmed with this reservation is gone, so the receipt need not be looked for first.
    let granted = one(
        client,
        "UPDATE tan SET
           reservation = $2,
           lease_end = CASE WHEN lease_end > $3 THEN greatest(lease_end, $4) ELSE $4 END
         WHERE hash = $1 AND CASE WHEN lease_end > $3 THEN reservation = $2 ELSE valid_until > $3 END
         RETURNING tele_tan_type",
        &[&hash, &id, &seconds(now), &seconds(lease_end)],
    )
    .await?;
    if let Some(row) = granted {
        return Ok(Some(Reserved::Granted { kind: tele_tan_type(row.get(0), "tan.tele_tan_type")? }));
    }
    let sql = "SELECT 1 FROM receipt WHERE reservation = $1 AND until > $2";
    if one(client, sql, &[&id, &seconds(now)]).await?.is_some() {
        return Ok(Some(Reserved::Confirmed));
    }
    let sql = "SELECT valid_until, lease_end, reservation = $2 FROM tan WHERE hash = $1";
    let row = one(client, sql, &[&hash, &id]).await?.ok_or(ReserveError::Unknown)?;
    let is_mine = row.get::<_, Option<bool>>(2).unwrap_or(false);
    if let Some(lease_end) = row.get::<_, Option<i64>>(1).map(time).filter(|lease_end| now < *lease_end) {
        return if is_mine { Ok(None) } else { Err(ReserveError::Reserved { lease_end }) };
    }
    let valid_until = time(row.get(0));
    if valid_until <= now { Err(ReserveError::Expired { valid_until }) } else { Ok(None) }
}

async fn confirm<C: GenericClient>(
    client: &C,
    reservation: ReservationId,
    now: UnixTime,
) -> Result<Confirmed, ConfirmError<StoreError>> {
    let id = &reservation.as_bytes()[..];
    let confirmed = one(
        client,
        "WITH used AS (
           DELETE FROM tan WHERE reservation = $1 RETURNING session, greatest(valid_until, lease_end) AS until
         ), counted AS (
           UPDATE session SET tans_used = tans_used + 1 FROM used WHERE token = used.session
         )
         INSERT INTO receipt (reservation, until) SELECT $1, until FROM used
         ON CONFLICT (reservation) DO UPDATE SET until = excluded.until RETURNING until",
        &[&id],
    )
    .await?;
    if confirmed.is_some() {
        return Ok(Confirmed::Now);
    }
    let sql = "SELECT 1 FROM receipt WHERE reservation = $1 AND until > $2";
    match one(client, sql, &[&id, &seconds(now)]).await? {
        Some(_) => Ok(Confirmed::Before),
        None => Err(ConfirmError::Unknown),
    }
}

fn tele_tan_type(text: Option<&str>, column: &'static str) -> Result<Option<TeleTanType>, StoreError> {
    text.map(|text| text.parse().map_err(|_| StoreError::Corrupt { column })).transpose()
}
