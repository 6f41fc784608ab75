//! Several sets of rules over one stream of keys.
//!
//! All rules read ordinary keys alike, so that one matcher serves all of them. From the first export on that has keys
//! which they read in different ways, each set has a matcher of its own.

use std::path::Path;

use cwa_crypto::DiagnosisKey;
use cwa_crypto::matching::{
    Consequence, KeyRefusal, KeyRefusalReason, MalformedKeys, Matcher, ReceivedIdentifiers, Rule, Rules,
    StatedKey,
};
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
            let keys = reader.read(content.raw_keys(), false);
            let Some(keys) = keys else { continue };
            let Some(revised) = reader.read(content.raw_revised_keys(), true) else { continue };
            matcher.push_keys(&keys);
            matcher.push_revised_keys(&revised);
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
    /// The keys that the rules make of what stands in the file; `None` if they refuse the file.
    fn read<'k>(
        &mut self,
        raw: impl Iterator<Item = RawKey<'k>>,
        revised: bool,
    ) -> Option<Vec<DiagnosisKey>> {
        let mut keys = Vec::new();
        for (number, raw) in (1..).zip(raw) {
            let refused = match StatedKey::try_from(raw) {
                Ok(stated) => match self.rules.read(stated) {
                    Ok(read) => {
                        keys.extend(read);
                        continue;
                    }
                    Err(refusal) => self.refusal(number, revised, &refusal),
                },
                Err(error) => {
                    let is_file = self.rules.malformed_keys() == MalformedKeys::RefuseFile;
                    let refused = if is_file { "file" } else { "key" };
                    let message = format!("{error}; {}", self.rules.choice(Rule::MalformedKeys));
                    self.refused_key(number, revised, ("malformed", refused, Rule::MalformedKeys), message)
                }
            };
            let refuses_file = refused.refused == "file";
            self.refused.push(refused);
            if refuses_file {
                return None;
            }
        }
        Some(keys)
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
        RefusedKey { export, number, revised, reason, refused, message, rule }
    }
}
