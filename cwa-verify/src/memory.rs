//! The store in memory: the rules of [`store`](crate::store), as plainly as they can be written.

use core::convert::Infallible;
use core::fmt;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cwa_crypto::UnixTime;

use crate::hash::{RegistrationTokenHash, ReservationId, RetryWindow, TanHash, TeleTanHash, TestIdHash};
use crate::registration::TokenSalt;
use crate::store::{
    Claim, ConfirmError, Confirmed, ConsumeError, IssueLimit, IssueTanError, IssueTeleTanError, IssuedTan,
    NewSession, NewTan, NewTeleTan, NewTestResult, Purged, RecordedResults, RegisterError, Registered,
    Released, ReserveError, Reserved, Retention, RetentionStore, Session, SessionSource, SessionStore,
    Storage, TanStore, TeleTanStore, TestResultStore,
};
use crate::tan::TanNumber;
use crate::tele_tan::TeleTanType;
use crate::test_result::{StoredTestResult, TestResult};

/// A store that forgets everything with the process, for tests and demonstrations.
///
/// Clones share one state. Every transition holds one lock from its first look to its last write, so each is atomic.
/// It also is what the conformance suite (feature `conformance`) compares other stores with.
#[derive(Clone, Default)]
pub struct MemoryStore(Arc<Mutex<State>>);

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No transition panics, so the state behind a poisoned lock is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

impl Storage for MemoryStore {
    type Error = Infallible;
}

impl SessionStore for MemoryStore {
    async fn register(
        &self,
        new: NewSession,
        now: UnixTime,
    ) -> Result<Registered, RegisterError<Infallible>> {
        let mut state = self.state();
        let before = new.retry.and_then(|retry| {
            state.sessions.values().find(|session| {
                session.retry.is_some_and(|kept| kept.request == retry.request && now < kept.until)
            })
        });
        if let Some(session) = before {
            return Ok(Registered::Before { salt: session.salt });
        }
        let token_taken = state.sessions.contains_key(&new.token);
        let source = match new.claim {
            Claim::Test { guid, date_of_birth, sealed } => {
                let ids = || [guid].into_iter().chain(date_of_birth);
                if ids().any(|id| state.used_test_ids.contains_key(&id)) {
                    return Err(RegisterError::AlreadyRegistered);
                }
                if token_taken {
                    return Err(RegisterError::TokenTaken);
                }
                state.used_test_ids.extend(ids().map(|id| (id, new.expires_at)));
                SessionSource::Test(sealed)
            }
            Claim::TeleTan(hash) => {
                let row = state.tele_tans.get_mut(&hash).ok_or(RegisterError::UnknownTeleTan)?;
                if row.redeemed {
                    return Err(RegisterError::RedeemedTeleTan);
                }
                if now < row.issued_at || row.valid_until <= now {
                    return Err(RegisterError::ExpiredTeleTan { valid_until: row.valid_until });
                }
                if token_taken {
                    return Err(RegisterError::TokenTaken);
                }
                row.redeemed = true;
                SessionSource::TeleTan(row.kind)
            }
        };
        let row = SessionRow {
            salt: new.salt,
            source,
            created_at: now,
            expires_at: new.expires_at,
            tans_used: 0,
            next_tan: TanNumber::FIRST,
            retry: new.retry,
        };
        state.sessions.insert(new.token, row);
        Ok(Registered::Now)
    }

    async fn session(
        &self,
        token: RegistrationTokenHash,
        now: UnixTime,
    ) -> Result<Option<Session>, Infallible> {
        let state = self.state();
        let row = state.sessions.get(&token).filter(|row| now < row.expires_at);
        Ok(row.map(|row| Session { source: row.source.clone(), created_at: row.created_at }))
    }
}

impl TeleTanStore for MemoryStore {
    async fn issue_tele_tan(
        &self,
        new: NewTeleTan,
        limit: IssueLimit,
        now: UnixTime,
    ) -> Result<u32, IssueTeleTanError<Infallible>> {
        let mut state = self.state();
        // `issued > now - window`, without the hole at the beginning of time.
        let counts = |row: &&TeleTanRow| row.issued_at.plus(limit.window_seconds) > now;
        let issued = u32::try_from(state.tele_tans.values().filter(counts).count()).unwrap_or(u32::MAX);
        if issued >= limit.count {
            return Err(IssueTeleTanError::LimitReached { limit: limit.count });
        }
        if state.tele_tans.contains_key(&new.hash) {
            return Err(IssueTeleTanError::Taken);
        }
        let row =
            TeleTanRow { kind: new.kind, issued_at: now, valid_until: new.valid_until, redeemed: false };
        state.tele_tans.insert(new.hash, row);
        Ok(issued.saturating_add(1))
    }
}

impl TanStore for MemoryStore {
    async fn issue_tan(&self, new: NewTan, now: UnixTime) -> Result<IssuedTan, IssueTanError<Infallible>> {
        let mut state = self.state();
        let State { sessions, tans, .. } = &mut *state;
        let session = sessions
            .get_mut(&new.session)
            .filter(|session| now < session.expires_at)
            .ok_or(IssueTanError::UnknownSession)?;
        let own = |tan: &TanRow| tan.session == new.session;
        if let Some(tan) = tans.values().find(|tan| own(tan) && now < tan.valid_until) {
            return Ok(IssuedTan { number: tan.number, valid_until: tan.valid_until });
        }
        let leased = tans.values().filter(|tan| own(tan) && tan.lease(now).is_some()).count();
        let used = session.tans_used.saturating_add(u32::try_from(leased).unwrap_or(u32::MAX));
        if used >= new.limit {
            return Err(IssueTanError::Exhausted { limit: new.limit });
        }
        tans.retain(|_, tan| !own(tan) || tan.lease(now).is_some());
        let number = session.next_tan;
        session.next_tan = number.next();
        let kind = match session.source {
            SessionSource::Test(_) => None,
            SessionSource::TeleTan(kind) => kind,
        };
        let row =
            TanRow { session: new.session, number, valid_until: new.valid_until, kind, reservation: None };
        tans.insert(new.series.hash(number), row);
        Ok(IssuedTan { number, valid_until: new.valid_until })
    }

    async fn reserve(
        &self,
        tan: TanHash,
        reservation: ReservationId,
        lease_end: UnixTime,
        now: UnixTime,
    ) -> Result<Reserved, ReserveError<Infallible>> {
        let mut state = self.state();
        if state.receipts.get(&reservation).is_some_and(|&until| now < until) {
            return Ok(Reserved::Confirmed);
        }
        let row = state.tans.get_mut(&tan).ok_or(ReserveError::Unknown)?;
        let lease_end = match row.lease(now) {
            Some(lease) if lease.id == reservation => lease.end.max(lease_end),
            Some(lease) => return Err(ReserveError::Reserved { lease_end: lease.end }),
            None if row.valid_until <= now => {
                return Err(ReserveError::Expired { valid_until: row.valid_until });
            }
            None => lease_end,
        };
        row.reservation = Some(Lease { id: reservation, end: lease_end });
        Ok(Reserved::Granted { kind: row.kind })
    }

    async fn confirm(
        &self,
        reservation: ReservationId,
        now: UnixTime,
    ) -> Result<Confirmed, ConfirmError<Infallible>> {
        let mut state = self.state();
        if state.receipts.get(&reservation).is_some_and(|&until| now < until) {
            return Ok(Confirmed::Before);
        }
        let (hash, lease) = state.reserved(reservation).ok_or(ConfirmError::Unknown)?;
        if let Some(tan) = state.use_up(hash) {
            state.receipts.insert(reservation, tan.valid_until.max(lease.end));
        }
        Ok(Confirmed::Now)
    }

    async fn release(&self, reservation: ReservationId, _now: UnixTime) -> Result<Released, Infallible> {
        let mut state = self.state();
        let Some((hash, _)) = state.reserved(reservation) else { return Ok(Released::NotReserved) };
        if let Some(row) = state.tans.get_mut(&hash) {
            row.reservation = None;
        }
        Ok(Released::Now)
    }

    async fn consume(
        &self,
        tan: TanHash,
        now: UnixTime,
    ) -> Result<Option<TeleTanType>, ConsumeError<Infallible>> {
        let mut state = self.state();
        let row = state.tans.get(&tan).ok_or(ConsumeError::Unknown)?;
        if let Some(lease) = row.lease(now) {
            return Err(ConsumeError::Reserved { lease_end: lease.end });
        }
        if row.valid_until <= now {
            return Err(ConsumeError::Expired { valid_until: row.valid_until });
        }
        Ok(state.use_up(tan).and_then(|tan| tan.kind))
    }
}

impl TestResultStore for MemoryStore {
    async fn record_results(
        &self,
        results: Vec<NewTestResult>,
        final_before: UnixTime,
        now: UnixTime,
    ) -> Result<RecordedResults, Infallible> {
        let mut state = self.state();
        let mut recorded = RecordedResults::default();
        for new in results {
            let mut row = StoredTestResult {
                result: new.result,
                sample_collected_at: new.sample_collected_at,
                lab_id: new.lab_id,
                created_at: now,
            };
            match state.results.get_mut(&new.id) {
                Some(old) if old.result.is_final() || old.created_at <= final_before => recorded.refused += 1,
                Some(old) => {
                    recorded.updated += 1;
                    if old.result.permits_upload() && !row.result.permits_upload() {
                        recorded.positives_withdrawn += 1;
                    }
                    row.created_at = old.created_at;
                    *old = row;
                }
                None => {
                    recorded.created += 1;
                    state.results.insert(new.id, row);
                }
            }
        }
        Ok(recorded)
    }

    async fn results_of(
        &self,
        ids: Vec<TestIdHash>,
        now: UnixTime,
    ) -> Result<Vec<StoredTestResult>, Infallible> {
        let mut state = self.state();
        let pending = StoredTestResult {
            result: TestResult::Pending,
            sample_collected_at: now,
            lab_id: None,
            created_at: now,
        };
        Ok(ids
            .into_iter()
            .map(|id| state.results.entry(id).or_insert_with(|| pending.clone()).clone())
            .collect())
    }
}

impl RetentionStore for MemoryStore {
    async fn purge(&self, retention: Retention, now: UnixTime) -> Result<Purged, Infallible> {
        let mut state = self.state();
        let State { sessions, used_test_ids, tele_tans, tans, receipts, results } = &mut *state;
        let mut purged = Purged {
            results_deleted: removed(results, |row| row.created_at <= retention.results_deleted_before),
            ..Purged::default()
        };
        for row in results.values_mut().filter(|row| !row.result.is_final()) {
            if row.created_at <= retention.results_redeemed_before {
                row.result = row.result.redeemed();
                row.lab_id = None;
                purged.results_redeemed += 1;
            }
        }
        purged.sessions = removed(sessions, |row| row.expires_at <= now);
        for row in sessions.values_mut() {
            row.retry = row.retry.filter(|retry| now < retry.until);
        }
        let before = used_test_ids.len();
        used_test_ids.retain(|id, expires_at| {
            now < *expires_at || results.get(id).is_some_and(|row| !row.result.is_final())
        });
        purged.test_ids = count(before - used_test_ids.len());
        purged.tele_tans = removed(tele_tans, |row| {
            row.valid_until <= now && row.issued_at <= retention.tele_tans_counted_from
        });
        purged.tans = removed(tans, |row| row.valid_until <= now && row.lease(now).is_none());
        purged.receipts = removed(receipts, |until| *until <= now);
        Ok(purged)
    }
}

#[derive(Default)]
struct State {
    sessions: HashMap<RegistrationTokenHash, SessionRow>,
    used_test_ids: HashMap<TestIdHash, UnixTime>,
    tele_tans: HashMap<TeleTanHash, TeleTanRow>,
    tans: HashMap<TanHash, TanRow>,
    receipts: HashMap<ReservationId, UnixTime>,
    results: HashMap<TestIdHash, StoredTestResult>,
}

impl State {
    fn reserved(&self, reservation: ReservationId) -> Option<(TanHash, Lease)> {
        self.tans.iter().find_map(|(hash, row)| {
            row.reservation.filter(|lease| lease.id == reservation).map(|lease| (*hash, lease))
        })
    }

    fn use_up(&mut self, hash: TanHash) -> Option<TanRow> {
        let tan = self.tans.remove(&hash)?;
        if let Some(session) = self.sessions.get_mut(&tan.session) {
            session.tans_used = session.tans_used.saturating_add(1);
        }
        Some(tan)
    }
}

struct SessionRow {
    salt: TokenSalt,
    source: SessionSource,
    created_at: UnixTime,
    expires_at: UnixTime,
    tans_used: u32,
    next_tan: TanNumber,
    retry: Option<RetryWindow>,
}

struct TeleTanRow {
    kind: Option<TeleTanType>,
    issued_at: UnixTime,
    valid_until: UnixTime,
    redeemed: bool,
}

struct TanRow {
    session: RegistrationTokenHash,
    number: TanNumber,
    valid_until: UnixTime,
    kind: Option<TeleTanType>,
    reservation: Option<Lease>,
}

impl TanRow {
    /// The reservation, as long as its lease has not lapsed.
    fn lease(&self, now: UnixTime) -> Option<Lease> {
        self.reservation.filter(|lease| now < lease.end)
    }
}

#[derive(Clone, Copy)]
struct Lease {
    id: ReservationId,
    end: UnixTime,
}

fn removed<K, V>(rows: &mut HashMap<K, V>, goes: impl Fn(&V) -> bool) -> u64
where
    K: Eq + core::hash::Hash,
{
    let before = rows.len();
    rows.retain(|_, row| !goes(row));
    count(before - rows.len())
}

fn count(rows: usize) -> u64 {
    u64::try_from(rows).unwrap_or(u64::MAX)
}
