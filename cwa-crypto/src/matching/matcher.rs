use alloc::vec::Vec;
use core::ops::ControlFlow;

use super::heard::HeardKeys;
use super::judge::judge;
use super::scan::{Found, Scratch, scan};
use super::statement::{HeardIntervals, Statement};
use super::store::Store;
use super::{Matching, ReceivedIdentifiers, Rules};
use crate::derive::Backend;
use crate::diagnosis::DiagnosisKey;

/// Matches keys, which come in any number of pieces, against one store of received identifiers.
///
/// Pushing finds out which keys were heard; [`finish`](Self::finish) judges that under rules, as often as wanted.
/// Memory is needed for the keys that were heard, and for each of their copies, not for others that were pushed.
///
/// ```
/// use cwa_crypto::matching::{Matcher, ReceivedIdentifiers, Rules, Sighting, Split, StoreKey};
/// use cwa_crypto::{DiagnosisKey, ENIntervalNumber, RollingPeriod, UnixTime};
///
/// let key_data = 0x75c734c6dd1a782de7a965da5eb93125_u128.to_be_bytes();
/// let key = DiagnosisKey::new(key_data, ENIntervalNumber::new(2_642_976), RollingPeriod::FULL_DAY);
/// let (rpi, aem) = ("8be6cd371c5c891604bfbe49df845096".parse()?, "72033874".parse()?);
/// let sighting = Sighting::new(rpi, aem, -42, UnixTime::from_secs(1_585_785_630));
/// let store_key = StoreKey::generate(&mut rand::rng());
/// let received = ReceivedIdentifiers::build([sighting], Split::Whole, &store_key);
///
/// let mut matcher = Matcher::new(&received);
/// for piece in [&[key], &[key]] {
///     matcher.push_keys(piece);
/// }
/// assert_eq!(matcher.keys_pushed(), 2);
/// assert_eq!(matcher.finish(Rules::SPEC).matches.len(), 1);
/// # Ok::<(), cwa_crypto::bytes::ByteStringError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Matcher<'a> {
    store: Store<'a>,
    backend: Backend,
    keys_pushed: u64,
    statements: Vec<Statement>,
    /// The keys that statements are about.
    heard: HeardKeys,
    scratch: Scratch,
}

impl<'a> Matcher<'a> {
    /// A matcher that no key was pushed to, which derives with the best backend.
    #[must_use]
    pub fn new<B: AsRef<[u8]>>(received: &'a ReceivedIdentifiers<B>) -> Self {
        Self::with_backend(received, Backend::best())
    }

    /// A matcher that no key was pushed to, which derives with this backend. All backends find the same.
    #[must_use]
    pub fn with_backend<B: AsRef<[u8]>>(received: &'a ReceivedIdentifiers<B>, backend: Backend) -> Self {
        Self {
            store: received.store(),
            backend,
            keys_pushed: 0,
            statements: Vec::new(),
            heard: HeardKeys::default(),
            scratch: Scratch::default(),
        }
    }

    /// Goes on where `checkpoint` was taken.
    ///
    /// # Errors
    ///
    /// The checkpoint is about another store.
    pub fn resume<B: AsRef<[u8]>>(
        received: &'a ReceivedIdentifiers<B>,
        checkpoint: Checkpoint,
    ) -> Result<Self, CheckpointError> {
        if checkpoint.store_digest != *received.digest() {
            return Err(CheckpointError::OtherStore);
        }
        let mut this = Self::new(received);
        this.keys_pushed = checkpoint.keys_pushed;
        this.statements = checkpoint.statements;
        for statement in &this.statements {
            this.heard.insert(statement.key.key_data);
        }
        Ok(this)
    }

    /// What is needed to go on later with the same store. The next key to push is number
    /// [`keys_pushed`](Checkpoint::keys_pushed).
    #[must_use]
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            store_digest: *self.store.digest(),
            keys_pushed: self.keys_pushed,
            statements: self.statements.clone(),
        }
    }

    /// Looks for the identifiers of `keys`.
    ///
    /// Into how many pieces the keys are divided changes nothing but the time: pieces of a thousand and more are
    /// quickest.
    pub fn push_keys(&mut self, keys: &[DiagnosisKey]) {
        self.push(keys, false, |_| ControlFlow::Continue(()));
    }

    /// Looks for the identifiers of keys that stood among the revised ones of their export, and replace what was said
    /// of them before.
    pub fn push_revised_keys(&mut self, keys: &[DiagnosisKey]) {
        self.push(keys, true, |_| ControlFlow::Continue(()));
    }

    /// Looks for the identifiers of `keys` for as long as `proceed`, which is called every few thousand keys, says so.
    /// Returns the number of keys that were pushed; the rest can be pushed later.
    pub fn push_keys_while(
        &mut self,
        keys: &[DiagnosisKey],
        proceed: impl FnMut(Progress) -> ControlFlow<()>,
    ) -> usize {
        self.push(keys, false, proceed)
    }

    /// Looks for the identifiers of `keys` on all threads of the current `rayon` pool; the result is that of
    /// [`push_keys`](Self::push_keys).
    #[cfg(feature = "rayon")]
    pub fn par_push_keys(&mut self, keys: &[DiagnosisKey]) {
        use rayon::prelude::*;

        let (store, backend) = (&self.store, self.backend);
        let scan = |piece: &[DiagnosisKey]| {
            let mut scratch = Scratch::default();
            scan(store, backend, piece, &mut scratch);
            scratch.found
        };
        let found: Vec<_> = keys.par_chunks(PIECE).map(scan).collect();
        for (piece, found) in keys.chunks(PIECE).zip(found) {
            self.record(piece, &found, false);
        }
    }

    /// The number of keys that were pushed, revised ones included.
    #[must_use]
    pub const fn keys_pushed(&self) -> u64 {
        self.keys_pushed
    }

    /// What the keys that were pushed say about what was received, in their order.
    #[must_use]
    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// What counts under `rules`, of all that was found so far.
    ///
    /// A sighting is in a match or a drop once, however many copies its key has, so that there are never more of both
    /// than sightings. (Two keys that derive one identifier, which takes 2⁶⁴ attempts to make, would each tell of it.)
    /// The time grows with the [statements](Self::statements) and the sightings of their keys, not with their product.
    #[must_use]
    pub fn finish(&self, rules: Rules) -> Matching {
        judge(&self.statements, &self.store, rules)
    }

    fn push(
        &mut self,
        keys: &[DiagnosisKey],
        is_revised: bool,
        mut proceed: impl FnMut(Progress) -> ControlFlow<()>,
    ) -> usize {
        let mut pushed = 0;
        for piece in keys.chunks(PIECE) {
            let mut scratch = core::mem::take(&mut self.scratch);
            scan(&self.store, self.backend, piece, &mut scratch);
            self.record(piece, &scratch.found, is_revised);
            self.scratch = scratch;
            pushed += piece.len();
            let progress = Progress { keys_pushed: self.keys_pushed, keys_heard: self.heard.len() };
            if proceed(progress).is_break() {
                break;
            }
        }
        pushed
    }

    /// Makes statements of what was found of `keys`, and of later copies of keys that were heard before.
    fn record(&mut self, keys: &[DiagnosisKey], found: &[Found], is_revised: bool) {
        let mut found = found.iter().peekable();
        if found.peek().is_none() && self.heard.is_empty() {
            self.keys_pushed = self.keys_pushed.saturating_add(keys.len() as u64);
            return;
        }
        for (place, &key) in keys.iter().enumerate() {
            let heard = found.next_if(|found| found.place == place).map(|found| found.heard);
            if heard.is_some() || self.heard.contains(&key.key_data) {
                self.heard.insert(key.key_data);
                let heard = heard.unwrap_or(HeardIntervals::NONE);
                self.statements.push(Statement { number: self.keys_pushed, key, is_revised, heard });
            }
            self.keys_pushed = self.keys_pushed.saturating_add(1);
        }
    }
}

/// How far pushing has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Progress {
    /// All keys that were pushed to the matcher so far.
    pub keys_pushed: u64,
    /// How many different ones of them were heard.
    pub keys_heard: usize,
}

/// What a [`Matcher`] knows after some keys, without the store.
///
/// As private as the store: it says which of the published keys were near.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Checkpoint {
    /// The [digest](ReceivedIdentifiers::digest) of the store.
    #[cfg_attr(feature = "serde", serde(with = "hex::serde"))]
    pub store_digest: [u8; 32],
    /// The number of keys that were pushed. Going on, it saturates.
    pub keys_pushed: u64,
    /// What they said.
    pub statements: Vec<Statement>,
}

/// A checkpoint that does not fit.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// It was taken with another store.
    #[error("the checkpoint was taken with another store")]
    OtherStore,
}

impl<B: AsRef<[u8]>> ReceivedIdentifiers<B> {
    /// Finds out which of the sightings belong to `keys`, under `rules`.
    ///
    /// What is said last of a key and interval holds; the order of keys is of no other consequence. For keys that come
    /// in pieces, and for revised keys, there is [`Matcher`].
    #[must_use]
    pub fn find(&self, keys: impl IntoIterator<Item = DiagnosisKey>, rules: Rules) -> Matching {
        let mut matcher = Matcher::new(self);
        let mut keys = keys.into_iter().peekable();
        let mut piece = Vec::new();
        while keys.peek().is_some() {
            piece.clear();
            piece.extend(keys.by_ref().take(PIECE));
            matcher.push_keys(&piece);
        }
        matcher.finish(rules)
    }
}

/// Keys that are scanned at once: enough for a few hundred of each day in two weeks, few enough to stop soon.
const PIECE: usize = 4096;

#[cfg(test)]
#[path = "matcher_tests.rs"]
mod tests;
