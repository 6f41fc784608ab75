//! Several sets of rules over one stream of keys.
//!
//! All rules read ordinary keys alike, so that one matcher serves all of them. From the first export on that has keys
//! which they read in different ways, each set has a matcher of its own.

use std::path::Path;

use cwa_crypto::matching::{
    Consequence, KeyRefusal, KeyRefusalReason, MalformedKeys, Matcher, ReceivedIdentifiers, Rule, Rules,
    StatedKey,
};
use cwa_crypto::{DiagnosisKey, TemporaryExposureKey};
use cwa_export::key::RawKey;
use serde::Serialize;

use crate::failure::{Failure, Kind};

use super::keys::{Believed, Stated, push_pieces};

/// Matchers for several sets of rules, and what they refused.
pub(super) struct Lanes<'a> {
    /// One for all, or one for each set of rules, in their order.
    matchers: Vec<Matcher<'a>>,
    rules: Vec<Rules>,
    refused: Vec<Vec<RefusedKey>>,
}

/// A key that rules do not take, as it is printed.
#[derive(Clone, Debug, Serialize)]
pub(super) struct RefusedKey {
    export: String,
    /// Its number among its kind, from 1.
    number: usize,
    revised: bool,
    /// Why, by a stable name.
    reason: &'static str,
    /// `file` if nothing of its export is processed, `key` if only it is skipped.
    pub(super) refused: &'static str,
    message: String,
    #[serde(skip)]
    pub(super) rule: Rule,
    /// The key's bytes, if they are those of a key.
    #[serde(skip)]
    pub(super) key_data: Option<[u8; TemporaryExposureKey::LENGTH]>,
}

impl RefusedKey {
    /// Which key, and why.
    pub(super) fn sentence(&self) -> String {
        let Self { export, number, message, .. } = self;
        let revised = if self.revised { "revised " } else { "" };
        format!("{export}, {revised}key {number}: {message}")
    }

    /// Nothing of its export was processed.
    pub(super) fn failure(&self) -> Failure {
        let message = format!("{} is refused by the rules of matching", self.export);
        Failure::new(Kind::Refused, "CWA-E0207", message).help(format!(
            "{}; `cwa export verify` says more, and with other rules beside these --rules says what they make of it",
            self.sentence()
        ))
    }
}

impl<'a> Lanes<'a> {
    pub(super) fn new<B: AsRef<[u8]>>(received: &'a ReceivedIdentifiers<B>, rules: &[Rules]) -> Self {
        let refused = vec![Vec::new(); rules.len()];
        Self { matchers: vec![Matcher::new(received)], rules: rules.to_vec(), refused }
    }

    pub(super) fn push(&mut self, export: &Believed<'_>) {
        if !export.has_odd_keys {
            push_pieces(&export.content, |keys, stated| {
                for matcher in &mut self.matchers {
                    match stated {
                        Stated::AtFirst => matcher.push_keys(keys),
                        Stated::Revised => matcher.push_revised_keys(keys),
                    }
                }
            });
            return;
        }
        if let [matcher] = self.matchers.as_slice() {
            self.matchers = vec![matcher.clone(); self.rules.len()];
        }
        let content = &export.content;
        for ((matcher, rules), refused) in self.matchers.iter_mut().zip(&self.rules).zip(&mut self.refused) {
            let mut reader = Reader { rules: *rules, path: export.path, refused };
            // Whether the file is refused may only be known at its last key, and a key can be many: none is kept.
            if reader.takes(content.raw_keys(), false) && reader.takes(content.raw_revised_keys(), true) {
                in_pieces(*rules, content.raw_keys(), |piece| matcher.push_keys(piece));
                in_pieces(*rules, content.raw_revised_keys(), |piece| matcher.push_revised_keys(piece));
            }
        }
    }

    /// Each set of rules with its matcher and what it refused.
    pub(super) fn finish(mut self) -> impl Iterator<Item = (Rules, Matcher<'a>, Vec<RefusedKey>)> {
        if let [matcher] = self.matchers.as_slice() {
            self.matchers = vec![matcher.clone(); self.rules.len()];
        }
        let lanes = self.rules.into_iter().zip(self.matchers).zip(self.refused);
        lanes.map(|((rules, matcher), refused)| (rules, matcher, refused))
    }
}

struct Reader<'a> {
    rules: Rules,
    path: &'a Path,
    refused: &'a mut Vec<RefusedKey>,
}

impl Reader<'_> {
    /// Notes the keys that the rules refuse; `false` if they refuse the file.
    fn takes<'k>(&mut self, raw: impl Iterator<Item = RawKey<'k>>, revised: bool) -> bool {
        for (number, raw) in (1..).zip(raw) {
            let refused = match StatedKey::try_from(raw) {
                Ok(stated) => match self.rules.read(stated) {
                    Ok(_) => continue,
                    Err(refusal) => self.refusal(number, revised, &refusal),
                },
                Err(error) => {
                    let is_file = self.rules.malformed_keys() == MalformedKeys::RefuseFile;
                    let refused = if is_file { "file" } else { "key" };
                    let message = format!("{error}; {}", self.rules.choice(Rule::MalformedKeys));
                    self.refused_key(number, revised, ("malformed", refused, Rule::MalformedKeys), message)
                }
            };
            let key_data = raw.key_data.and_then(|key_data| key_data.try_into().ok());
            let refused = RefusedKey { key_data, ..refused };
            let refuses_file = refused.refused == "file";
            self.refused.push(refused);
            if refuses_file {
                return false;
            }
        }
        true
    }

    fn refusal(&self, number: usize, revised: bool, refusal: &KeyRefusal) -> RefusedKey {
        let refused = if refusal.consequence == Consequence::FileRefused { "file" } else { "key" };
        let rule = match refusal.reason {
            KeyRefusalReason::RollingPeriod { .. } => Rule::RollingPeriods,
            _ => Rule::MalformedKeys,
        };
        self.refused_key(number, revised, (refusal.reason.name(), refused, rule), refusal.to_string())
    }

    fn refused_key(
        &self,
        number: usize,
        revised: bool,
        (reason, refused, rule): (&'static str, &'static str, Rule),
        message: String,
    ) -> RefusedKey {
        let export = self.path.display().to_string();
        RefusedKey { export, number, revised, reason, refused, message, rule, key_data: None }
    }
}

/// Shows `push` the keys that the rules make of what stands in a file, in pieces; those that they skip are left out.
fn in_pieces<'k>(rules: Rules, raw: impl Iterator<Item = RawKey<'k>>, mut push: impl FnMut(&[DiagnosisKey])) {
    let stated = raw.filter_map(|raw| StatedKey::try_from(raw).ok());
    let mut keys = stated.filter_map(|stated| rules.read(stated).ok()).flatten().peekable();
    let mut piece = Vec::new();
    while keys.peek().is_some() {
        piece.clear();
        piece.extend(keys.by_ref().take(PIECE));
        push(&piece);
    }
}

/// Keys in a piece: what a matcher takes at once.
const PIECE: usize = 4096;
