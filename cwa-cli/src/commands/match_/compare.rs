//! What several sets of rules say about the same sightings, side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use cwa_crypto::matching::{Dropped, Match, Rule, Sighting};
use cwa_crypto::{DiagnosisKey, ENIntervalNumber};
use serde::Serialize;

use super::{Judged, explain, when};
use crate::output::style;

/// What all sets of rules say about one sighting of one key's identifier.
pub(super) struct Row<'a> {
    key_data: [u8; 16],
    interval: ENIntervalNumber,
    sighting: Sighting,
    /// In the order of the rules.
    outcomes: Vec<Outcome<'a>>,
    /// What makes the difference, if there is one.
    pub(super) decided_by: BTreeSet<Rule>,
}

#[derive(Clone, Copy)]
enum Outcome<'a> {
    Match(&'a Match),
    Dropped(&'a Dropped),
    /// Nothing was read that speaks of it.
    Unread(Rule),
}

/// Every sighting that any of the rules matched or dropped, by time.
pub(super) fn rows(judged: &[Judged]) -> Vec<Row<'_>> {
    let mut rows: BTreeMap<_, Vec<Outcome<'_>>> = BTreeMap::new();
    let unread: Vec<_> = judged.iter().map(Unread::new).collect();
    let unread = |key: &DiagnosisKey| -> Vec<_> {
        unread.iter().map(|unread| Outcome::Unread(unread.by_rule(key))).collect()
    };
    for (place, judged) in judged.iter().enumerate() {
        let matches = judged.matching.matches.iter();
        let matches = matches.map(|m| (&m.key, id(&m.key, m.interval, m.sighting), Outcome::Match(m)));
        let dropped = judged.matching.dropped.iter();
        let dropped = dropped.map(|d| (&d.key, id(&d.key, d.interval, d.sighting), Outcome::Dropped(d)));
        for (key, id, outcome) in matches.chain(dropped) {
            if let Some(slot) = rows.entry(id).or_insert_with(|| unread(key)).get_mut(place) {
                *slot = outcome;
            }
        }
    }
    rows.into_iter()
        .map(|((_, sighting, interval, key_data), outcomes)| {
            let decided_by = decided_by(&outcomes);
            Row { key_data, interval, sighting, outcomes, decided_by }
        })
        .collect()
}

fn id(
    key: &DiagnosisKey,
    interval: ENIntervalNumber,
    sighting: Sighting,
) -> (u64, Sighting, ENIntervalNumber, [u8; 16]) {
    (sighting.seen_at.as_secs(), sighting, interval, key.key_data)
}

/// By which rule one set of rules reads nothing of a key that others read.
struct Unread {
    of_keys: BTreeMap<[u8; 16], Rule>,
    of_files: Rule,
}

impl Unread {
    fn new(judged: &Judged) -> Self {
        let of_file = judged.refused.iter().find(|refused| refused.refused == "file");
        Self {
            of_keys: judged
                .refused
                .iter()
                .filter_map(|refused| Some((refused.key_data?, refused.rule)))
                .collect(),
            of_files: of_file.map_or(Rule::RollingPeriods, |refused| refused.rule),
        }
    }

    /// That of the key, or else of a file.
    fn by_rule(&self, key: &DiagnosisKey) -> Rule {
        self.of_keys.get(&key.key_data).copied().unwrap_or(self.of_files)
    }
}

/// The rules by which outcomes differ, if they do. Calibration confidence alone is no difference.
fn decided_by(outcomes: &[Outcome<'_>]) -> BTreeSet<Rule> {
    let mut rules = BTreeSet::new();
    for (place, one) in outcomes.iter().enumerate() {
        for other in outcomes.iter().skip(place + 1) {
            match (one, other) {
                (Outcome::Match(one), Outcome::Match(other)) if one.attenuation != other.attenuation => {
                    let is_known = one.attenuation.is_some() && other.attenuation.is_some();
                    rules.insert(if is_known { Rule::Attenuations } else { Rule::MetadataVersions });
                }
                (Outcome::Match(_), Outcome::Match(_)) => {}
                (Outcome::Dropped(one), Outcome::Dropped(other))
                    if one.reason.name() == other.reason.name() => {}
                _ => rules.extend([one.rule(), other.rule()].into_iter().flatten()),
            }
        }
    }
    rules
}

impl Outcome<'_> {
    /// The rule that keeps it from being a match.
    const fn rule(&self) -> Option<Rule> {
        match self {
            Self::Match(_) => None,
            Self::Dropped(dropped) => Some(dropped.reason.rule()),
            Self::Unread(rule) => Some(*rule),
        }
    }

    fn cell(&self) -> String {
        match self {
            Self::Match(found) => match found.attenuation {
                Some(attenuation) => format!("{attenuation} dB"),
                None => "? dB".to_owned(),
            },
            Self::Dropped(dropped) => dropped.reason.to_string(),
            Self::Unread(_) => "not read".to_owned(),
        }
    }
}

/// A sighting about which the rules differ, as it is printed.
#[derive(Serialize)]
pub(super) struct Difference {
    key_data: String,
    interval: u32,
    rpi: String,
    seen_at: u64,
    outcomes: Vec<PrintedOutcome>,
    /// The rules that make the difference, by their stable names.
    decided_by: Vec<&'static str>,
}

#[derive(Serialize)]
struct PrintedOutcome {
    rules: &'static str,
    /// `match`, `dropped`, or `not-read` if the rules took no key that speaks of the sighting.
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    attenuation_db: Option<i16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

impl Difference {
    pub(super) fn new(row: &Row<'_>, judged: &[Judged]) -> Self {
        let outcomes = row.outcomes.iter().zip(judged).map(|(outcome, judged)| {
            let (name, attenuation_db, reason) = match outcome {
                Outcome::Match(found) => ("match", found.attenuation.map(|found| found.db()), None),
                Outcome::Dropped(dropped) => ("dropped", None, Some(dropped.reason.name())),
                Outcome::Unread(_) => ("not-read", None, None),
            };
            PrintedOutcome { rules: judged.rules.name(), outcome: name, attenuation_db, reason }
        });
        Self {
            key_data: hex::encode(row.key_data),
            interval: row.interval.get(),
            rpi: row.sighting.rpi.to_string(),
            seen_at: row.sighting.seen_at.as_secs(),
            outcomes: outcomes.collect(),
            decided_by: row.decided_by.iter().map(|rule| rule.name()).collect(),
        }
    }
}

/// One line for each sighting, one column for each set of rules.
pub(super) fn write(
    text: &mut dyn Write,
    judged: &[Judged],
    rows: &[Row<'_>],
    with_steps: bool,
) -> io::Result<()> {
    let (strong, warning) = (style::STRONG, style::WARNING);
    if rows.is_empty() {
        return Ok(());
    }
    let widths: Vec<_> = judged
        .iter()
        .enumerate()
        .map(|(place, judged)| {
            let cells = rows.iter().filter_map(|row| Some(row.outcomes.get(place)?.cell().len()));
            cells.chain([judged.rules.name().len()]).max().unwrap_or(0)
        })
        .collect();
    write!(text, "\n{strong}{:20}  {:32}  {:>10}", "seen", "key", "interval")?;
    for (judged, width) in judged.iter().zip(&widths) {
        write!(text, "  {:width$}", judged.rules.name())?;
    }
    writeln!(text, "  decided by{strong:#}")?;
    for row in rows {
        let line = format!(
            "{:20}  {:32}  {:>10}",
            when(row.sighting.seen_at),
            hex::encode(row.key_data),
            row.interval.get()
        );
        let cells: String = row
            .outcomes
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("  {:width$}", cell.cell()))
            .collect();
        let decided_by: Vec<_> = row.decided_by.iter().map(|rule| rule.name()).collect();
        let line = format!("{line}{cells}  {}", decided_by.join(", "));
        let line = line.trim_end();
        if row.decided_by.is_empty() {
            writeln!(text, "{line}")?;
        } else {
            writeln!(text, "{warning}{line}{warning:#}")?;
        }
        if with_steps {
            write_steps(text, judged, row)?;
        }
    }
    Ok(())
}

fn write_steps(text: &mut dyn Write, judged: &[Judged], row: &Row<'_>) -> io::Result<()> {
    for (outcome, judged) in row.outcomes.iter().zip(judged) {
        let steps = match outcome {
            Outcome::Match(found) => explain::of_match(found, judged.rules),
            Outcome::Dropped(dropped) => explain::of_drop(dropped),
            Outcome::Unread(rule) => vec![format!("no key was read that speaks of it: {rule}")],
        };
        for step in steps {
            writeln!(text, "  {:6}  {step}", judged.rules.name())?;
        }
    }
    Ok(())
}
