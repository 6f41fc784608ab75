//! The suite that every store has to pass.
//!
//! Each function is one sentence about [`store`](crate::store), checked against a fresh store; it panics if the
//! sentence is not true. [`conformance_tests!`](crate::conformance_tests) makes a `#[test]` of each, so that a store
//! of your own is tested in a few lines:
//!
//! ```
//! use core::pin::Pin;
//! use cwa_verify::{MemoryStore, conformance::{Harness, Racer}};
//!
//! struct InMemory;
//!
//! impl Harness for InMemory {
//!     type Store = MemoryStore;
//!
//!     async fn empty_store(&self) -> MemoryStore {
//!         MemoryStore::new()
//!     }
//!
//!     async fn race<T: Send + 'static>(&self, racers: Vec<Racer<T>>) -> Vec<T> {
//!         // A runtime's harness spawns them all and awaits them all.
//!         let threads: Vec<_> =
//!             racers.into_iter().map(|racer| std::thread::spawn(|| pollster::block_on(racer))).collect();
//!         threads.into_iter().map(|thread| thread.join().unwrap()).collect()
//!     }
//! }
//!
//! cwa_verify::conformance_tests!(InMemory, pollster::block_on);
//! ```

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    clippy::indexing_slicing,
    reason = "a conformance suite reports by panicking, as every test does"
)]

use core::future::Future;
use core::pin::Pin;

use cwa_crypto::UnixTime;

use crate::guid::{HashedGuid, TestId};
use crate::hash::{
    HashKey, HashKeyId, PayloadDigest, RegistrationTokenHash, RequestDigest, ReservationId, TanHash,
    TestIdHash,
};
use crate::message::BodyDigest;
use crate::registration::{RegistrationToken, TokenSalt};
use crate::seal::SealedTestIds;
use crate::store::{
    Claim, IssueLimit, NewSession, NewTan, NewTeleTan, SessionStore, Store, TanStore as _, TeleTanStore,
};
use crate::tele_tan::{TeleTan, TeleTanType};

mod history;
mod races;
mod registration;
mod results;
mod retention;
mod tans;
mod tele_tans;

pub use history::*;
pub use races::*;
pub use registration::*;
pub use results::*;
pub use retention::*;
pub use tans::*;
pub use tele_tans::*;

/// What a store's own tests bring along: stores, and a runtime.
pub trait Harness {
    /// The store under test; clones share one database.
    type Store: Store + Clone + 'static;

    /// A store with nothing in it.
    fn empty_store(&self) -> impl Future<Output = Self::Store>;

    /// Runs all racers at once, as concurrently as the runtime can, and gives their results in order.
    fn race<T: Send + 'static>(&self, racers: Vec<Racer<T>>) -> impl Future<Output = Vec<T>>;
}

/// One of several transitions that are started together.
pub type Racer<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Makes a `#[test]` of every function of the suite.
///
/// `conformance_tests!(harness, block_on)`: an expression for a [`Harness`], evaluated
/// in every test, and a path to a function that runs a future to its end.
#[macro_export]
macro_rules! conformance_tests {
    ($harness:expr, $block_on:path) => {
        $crate::conformance_tests! { @each $harness, $block_on:
            a_test_registers_once
            a_date_of_birth_hash_counts_like_a_hashed_guid
            a_refused_registration_changes_nothing
            the_same_request_gets_the_same_session_until_its_window_ends
            a_session_expires
            a_taken_token_undoes_the_claim
            a_teletan_opens_one_session_of_its_type
            a_teletan_is_valid_from_its_issue_until_before_its_end
            a_repeated_request_with_a_redeemed_teletan_gets_the_same_session
            a_teletan_is_issued_once
            no_more_teletans_are_issued_than_the_limit_within_the_window
            a_tan_is_issued_only_to_an_open_session
            the_same_tan_is_given_until_it_is_used
            two_tans_are_given_and_no_third
            an_expired_unused_tan_gives_its_slot_back_and_never_returns
            an_expired_tan_under_a_lease_keeps_its_slot
            a_reservation_excludes_every_other_payload_until_its_lease_ends
            a_repeated_reservation_is_granted_again_and_prolonged
            a_lapsed_reservation_can_be_taken_over_and_then_not_confirmed
            a_lapsed_reservation_that_nobody_took_over_can_still_be_confirmed
            a_released_tan_can_be_used_for_another_payload
            a_confirmed_upload_is_answered_again_until_its_tan_would_have_expired
            a_confirmed_tan_is_unknown_with_another_payload
            a_confirmation_can_be_repeated
            a_tan_is_consumed_once
            a_reserved_tan_is_not_consumed
            a_tan_knows_the_type_of_its_teletan
            tans_outlive_their_session
            an_unknown_test_is_pending_from_its_first_poll
            results_are_replaced_but_for_final_ones
            results_too_old_to_be_retrieved_are_not_replaced
            a_batch_is_recorded_in_its_order
            results_come_in_the_order_of_the_ids
            a_test_is_not_forgotten_as_long_as_its_result_can_be_retrieved
            results_become_redeemed_and_then_go
            nothing_valid_is_purged
            everything_is_purged_in_the_end
            of_many_registrations_of_a_test_one_wins
            of_many_equal_requests_one_opens_the_session_and_all_get_it
            of_many_redemptions_of_a_teletan_one_wins
            of_many_requests_for_a_tan_all_get_the_same
            of_many_payloads_for_a_tan_one_is_reserved
            of_many_confirmations_one_counts
            of_many_consumers_of_a_tan_one_wins
            a_tan_is_reserved_or_consumed_but_not_both
            no_race_issues_more_teletans_than_the_limit
            every_history_gives_the_same_answers_as_in_memory
        }
    };
    (@each $harness:expr, $block_on:path: $($name:ident)+) => {$(
        #[test]
        fn $name() {
            let harness = $harness;
            $block_on($crate::conformance::$name(&harness));
        }
    )+};
}

/// Noon of a day on which much was uploaded.
const NOW: UnixTime = UnixTime::from_secs(1_595_419_200);
const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const LEASE: u64 = 60;

fn key() -> HashKey {
    HashKey::new(HashKeyId::new(1), [0x5a; HashKey::LENGTH])
}

/// 32 bytes that differ for every number.
fn bytes(number: u32) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    bytes
}

fn token(number: u32) -> RegistrationToken {
    RegistrationToken::from_prf(&bytes(number))
}

fn token_hash(number: u32) -> RegistrationTokenHash {
    key().registration_token(&token(number))
}

fn test_id(number: u32) -> TestIdHash {
    key().test_id(&TestId::from(HashedGuid::of_text(&number.to_string())))
}

fn salt(number: u32) -> TokenSalt {
    let mut salt = [0; TokenSalt::LENGTH];
    salt[..4].copy_from_slice(&number.to_be_bytes());
    TokenSalt::from_bytes(salt)
}

fn request(body: &[u8]) -> RequestDigest {
    key().request(&BodyDigest::of(body))
}

fn sealed() -> SealedTestIds {
    SealedTestIds::try_from(&[7; TestId::LENGTH][..]).unwrap()
}

/// Session `number`, opened with test `number`, for 21 days.
fn session(number: u32) -> NewSession {
    NewSession {
        token: token_hash(number),
        salt: salt(number),
        claim: Claim::Test { guid: test_id(number), date_of_birth: None, sealed: sealed() },
        retry: None,
        expires_at: NOW.plus(21 * DAY),
    }
}

/// teleTAN `number`; there are some thousand different ones.
fn tele_tan(number: u32) -> crate::hash::TeleTanHash {
    let alphabet = TeleTan::ALPHABET.as_bytes();
    let digit = |place: u32| char::from(alphabet[number as usize / 31_usize.pow(place) % 31]);
    let body: String = "ABCDEF".chars().chain([digit(2), digit(1), digit(0)]).collect();
    let check = TeleTan::check_character_of(&body).unwrap();
    key().tele_tan(&TeleTan::parse(&format!("{body}{check}")).unwrap())
}

fn tele_tan_session(number: u32) -> NewSession {
    NewSession { claim: Claim::TeleTan(tele_tan(number)), ..session(number) }
}

fn new_tan(number: u32, now: UnixTime) -> NewTan {
    NewTan {
        session: token_hash(number),
        series: key().tan_series(&token(number)),
        limit: 2,
        valid_until: now.plus(HOUR),
    }
}

const LIMIT: IssueLimit = IssueLimit { count: 1000, window_seconds: HOUR };

async fn issue_tele_tan<S: TeleTanStore>(store: &S, number: u32, kind: Option<TeleTanType>, now: UnixTime) {
    let new = NewTeleTan { hash: tele_tan(number), kind, valid_until: now.plus(HOUR) };
    store.issue_tele_tan(new, LIMIT, now).await.unwrap();
}

/// Opens session `number`, unless it is open, and gives the TAN it has at `now`: its hash, and itself.
async fn tan<S: Store>(store: &S, number: u32, now: UnixTime) -> (TanHash, crate::tan::Tan) {
    if store.session(token_hash(number), now).await.unwrap().is_none() {
        store.register(session(number), now).await.unwrap();
    }
    let issued = store.issue_tan(new_tan(number, now), now).await.unwrap();
    let tan = key().tan_series(&token(number)).tan(issued.number);
    (key().tan(&tan), tan)
}

fn reservation(tan: &crate::tan::Tan, payload: u32) -> ReservationId {
    key().reservation(tan, &PayloadDigest::of(&payload.to_be_bytes()))
}

/// Checks that a value has the shape it should have, and shows it if not.
macro_rules! assert_is {
    ($value:expr, $pattern:pat $(if $guard:expr)?) => {{
        let value = $value;
        if !matches!(&value, $pattern $(if $guard)?) {
            panic!("expected {}, got {value:?}", stringify!($pattern $(if $guard)?));
        }
    }};
}
use assert_is;
