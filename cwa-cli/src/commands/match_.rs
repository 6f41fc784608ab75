//! `cwa match`: diagnosis keys against received identifiers.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::PathBuf;

use cwa_crypto::UnixTime;
use cwa_crypto::matching::{ComputedAttenuation, Dropped, Match, Matching, Rule, Rules};
use cwa_crypto::metadata::CalibrationConfidence;
use serde::Serialize;

use crate::args::{Answer, Global};
use crate::commands::trust::TrustArguments;
use crate::failure::Failure;
use crate::output::{Output, style};
use crate::sightings::{SightingsArguments, Skipped};

mod compare;
mod explain;
mod keys;
mod lanes;

use compare::Difference;
use keys::KeySource;
use lanes::{Lanes, RefusedKey};

/// Arguments of `cwa match`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = table_of_rules())]
pub(crate) struct MatchArguments {
    #[command(flatten)]
    sightings: SightingsArguments,
    /// The export to match against; several are taken together, and what a later one says of a key holds.
    ///
    /// A key is counted once, in how many exports ever it occurs, among the keys or the revised keys.
    #[arg(long = "export", value_name = "FILE", required = true)]
    exports: Vec<PathBuf>,
    #[command(flatten)]
    trust: TrustArguments,
    /// Take exports that nobody has signed, or nobody who is trusted.
    #[arg(long)]
    danger_accept_unverified: bool,
    /// The rules by which a sighting counts: spec, google, apple, microg; several, divided by commas, are shown side by
    /// side.
    ///
    /// Rules on the age of sightings take --now for the present, or else the end of the latest export.
    #[arg(long, value_name = "NAME", default_value = "spec", value_delimiter = ',')]
    rules: Vec<Rules>,
    /// Say for each sighting why it counts or does not.
    #[arg(long)]
    explain: bool,
    /// Exit 1 if nothing matched.
    #[arg(long)]
    exit_status: bool,
}

/// The answer of `cwa match`.
#[derive(Serialize)]
struct Found {
    rules: &'static str,
    /// Different keys in all exports, revised ones included.
    keys: usize,
    sightings: usize,
    /// What the file of sightings holds besides, by reason.
    skipped: Vec<Skipped>,
    /// Of the first rules.
    matches: Vec<FoundMatch>,
    /// Of the first rules.
    dropped: Vec<FoundDrop>,
    /// Of the first rules.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    refused_keys: Vec<RefusedKey>,
    /// With several rules: what each of them found.
    #[serde(skip_serializing_if = "Option::is_none")]
    profiles: Option<Vec<Profile>>,
    /// With several rules: the sightings on which they do not agree.
    #[serde(skip_serializing_if = "Option::is_none")]
    differences: Option<Vec<Difference>>,
}

/// What one set of rules found, as it is printed.
#[derive(Serialize)]
struct Profile {
    rules: &'static str,
    matches: Vec<FoundMatch>,
    dropped: Vec<FoundDrop>,
    refused_keys: Vec<RefusedKey>,
}

/// What one set of rules found.
struct Judged {
    rules: Rules,
    matching: Matching,
    refused: Vec<RefusedKey>,
}

impl Judged {
    fn print(&self, explain: bool) -> Profile {
        let rules = self.rules;
        let found = |found: &Match| FoundMatch {
            explanation: explain.then(|| explain::of_match(found, rules)),
            ..FoundMatch::from(found)
        };
        let dropped = |dropped: &Dropped| FoundDrop {
            explanation: explain.then(|| explain::of_drop(dropped)),
            ..FoundDrop::from(dropped)
        };
        Profile {
            rules: rules.name(),
            matches: self.matching.matches.iter().map(found).collect(),
            dropped: self.matching.dropped.iter().map(dropped).collect(),
            refused_keys: self.refused.clone(),
        }
    }
}

impl MatchArguments {
    pub(crate) fn run(&self, global: &Global, output: &mut Output) -> Result<Answer, Failure> {
        let (received, skipped) = self.sightings.received(global)?;
        let source = KeySource {
            trusted: self.trust.store()?,
            accept_unverified: self.danger_accept_unverified,
            accept_odd_keys: self.rules != [Rules::SPEC],
        };
        let packages = source.open(&self.exports)?;
        let exports = source.believe(&packages)?;
        let now =
            global.now.or_else(|| exports.iter().filter_map(|export| export.content.end_timestamp()).max());
        let rules = self.rules.iter().map(|rules| now.map_or(*rules, |now| rules.at(now)));
        let mut lanes = Lanes::new(&received, &rules.collect::<Vec<_>>());
        exports.iter().for_each(|export| lanes.push(export));
        let judged: Vec<_> = lanes
            .finish()
            .map(|(rules, matcher, refused)| Judged { rules, matching: matcher.finish(rules), refused })
            .collect();
        let keys = keys::count_different(&exports);
        self.answer(&judged, Heading { keys, sightings: received.sighting_count(), skipped }, output)
    }

    fn answer(&self, judged: &[Judged], heading: Heading, output: &mut Output) -> Result<Answer, Failure> {
        let Heading { keys, sightings, skipped } = heading;
        let mut profiles: Vec<_> = judged.iter().map(|judged| judged.print(self.explain)).collect();
        let rows = compare::rows(judged);
        let is_match = judged.first().is_some_and(|judged| !judged.matching.matches.is_empty());
        let first = match (profiles.len(), judged.first()) {
            (1, Some(one)) => {
                if let Some(refused) = one.refused.iter().find(|refused| refused.refused == "file") {
                    return Err(refused.failure());
                }
                profiles.remove(0)
            }
            (_, Some(first)) => first.print(self.explain),
            (_, None) => return Err(Failure::usage("CWA-E0206", "--rules names none")),
        };
        let differing = rows.iter().filter(|row| !row.decided_by.is_empty());
        let differences = differing.map(|row| Difference::new(row, judged)).collect();
        let is_one = profiles.is_empty();
        let Profile { rules, matches, dropped, refused_keys } = first;
        let document = Found {
            rules,
            keys,
            sightings,
            skipped,
            matches,
            dropped,
            refused_keys,
            profiles: (!is_one).then_some(profiles),
            differences: (!is_one).then_some(differences),
        };
        output.answer("cwa.match/1", &document, |text| match &document.profiles {
            None => write_found(text, &document, judged),
            Some(profiles) => {
                let names: Vec<_> = profiles.iter().map(|profile| profile.rules).collect();
                write_heading(text, &document, &names.join(", "))?;
                for profile in profiles {
                    write!(text, "{:6}  ", profile.rules)?;
                    write_count(text, &profile.matches)?;
                    write_refused(text, &profile.refused_keys)?;
                }
                compare::write(text, judged, &rows, self.explain)?;
                write_unevaluated(text, judged)
            }
        })?;
        Ok(if self.exit_status && !is_match { Answer::No } else { Answer::Yes })
    }
}

/// What was looked at.
struct Heading {
    keys: usize,
    sightings: usize,
    skipped: Vec<Skipped>,
}

/// A match as it is printed, and as vectors tell it.
#[derive(Serialize)]
pub(crate) struct FoundMatch {
    key_data: String,
    interval: u32,
    rpi: String,
    seen_at: u64,
    rssi_dbm: i8,
    /// `null` if the metadata cannot be meant.
    tx_power_dbm: Option<i8>,
    /// `null` if the transmit power is not known: impossible metadata, or of an unsupported major version.
    attenuation_db: Option<i16>,
    calibration_confidence: Option<u8>,
    /// `major.minor`; `null` if the metadata cannot be meant.
    metadata_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transmission_risk_level: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    report_type: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    days_since_onset_of_symptoms: Option<i16>,
    /// With `--explain`: every step of the decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<Vec<String>>,
}

impl From<&Match> for FoundMatch {
    fn from(found: &Match) -> Self {
        let metadata = found.metadata.ok();
        Self {
            key_data: hex::encode(found.key.key_data),
            interval: found.interval.get(),
            rpi: found.sighting.rpi.to_string(),
            seen_at: found.sighting.seen_at.as_secs(),
            rssi_dbm: found.sighting.rssi_dbm,
            tx_power_dbm: metadata.map(|metadata| metadata.transmit_power().dbm()),
            attenuation_db: found.attenuation.map(ComputedAttenuation::db),
            calibration_confidence: found.calibration_confidence.map(CalibrationConfidence::number),
            metadata_version: metadata.map(|metadata| metadata.version().to_string()),
            transmission_risk_level: found.key.transmission_risk_level.map(|level| level.get()),
            report_type: found.key.report_type.map(|report_type| report_type.number()),
            days_since_onset_of_symptoms: found.key.days_since_onset_of_symptoms.map(|days| days.get()),
            explanation: None,
        }
    }
}

/// A sighting of a key's identifier that does not count, as it is printed, and as vectors tell it.
#[derive(Serialize)]
pub(crate) struct FoundDrop {
    key_data: String,
    interval: u32,
    rpi: String,
    seen_at: u64,
    /// The rule, by its stable name.
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<Vec<String>>,
}

impl From<&Dropped> for FoundDrop {
    fn from(dropped: &Dropped) -> Self {
        Self {
            key_data: hex::encode(dropped.key.key_data),
            interval: dropped.interval.get(),
            rpi: dropped.sighting.rpi.to_string(),
            seen_at: dropped.sighting.seen_at.as_secs(),
            reason: dropped.reason.name(),
            explanation: None,
        }
    }
}

fn write_found(text: &mut dyn Write, found: &Found, judged: &[Judged]) -> io::Result<()> {
    let (strong, warning, faint) = (style::STRONG, style::WARNING, style::FAINT);
    write_heading(text, found, found.rules)?;
    write_count(text, &found.matches)?;
    write_refused(text, &found.refused_keys)?;
    for found in &found.matches {
        separate(text, found.explanation.as_deref())?;
        let seen_at = when(UnixTime::from_secs(found.seen_at));
        match found.attenuation_db {
            Some(attenuation) => write!(text, "{strong}{seen_at}  {attenuation:3} dB{strong:#}")?,
            None => write!(text, "{strong}{seen_at}    ? dB{strong:#}")?,
        }
        writeln!(text, "  key {}  interval {}  identifier {}", found.key_data, found.interval, found.rpi)?;
        write_steps(text, found.explanation.as_deref())?;
    }
    for dropped in &found.dropped {
        separate(text, dropped.explanation.as_deref())?;
        let seen_at = when(UnixTime::from_secs(dropped.seen_at));
        writeln!(
            text,
            "{warning}{seen_at}  dropped: {}{warning:#}  key {}  interval {}  identifier {}",
            dropped.reason, dropped.key_data, dropped.interval, dropped.rpi
        )?;
        write_steps(text, dropped.explanation.as_deref())?;
    }
    if !found.dropped.is_empty() && found.dropped.iter().all(|dropped| dropped.explanation.is_none()) {
        writeln!(text, "{faint}--explain says why sightings were dropped{faint:#}")?;
    }
    write_unevaluated(text, judged)
}

/// Says what was looked at.
fn write_heading(text: &mut dyn Write, found: &Found, rules: &str) -> io::Result<()> {
    let keys = counted(found.keys, "key", "different keys");
    let sightings = counted(found.sightings, "sighting", "sightings");
    writeln!(text, "{keys}, {sightings}, rules {rules}")
}

/// Says which rules could not be looked at.
fn write_unevaluated(text: &mut dyn Write, judged: &[Judged]) -> io::Result<()> {
    let faint = style::FAINT;
    for judged in judged {
        if let Some(rule) = judged.rules.unevaluated() {
            let name = judged.rules.name();
            writeln!(text, "{faint}{name}: {rule} was not looked at; it needs --now{faint:#}")?;
        }
    }
    Ok(())
}

fn write_count(text: &mut dyn Write, matches: &[FoundMatch]) -> io::Result<()> {
    let (strong, good) = (style::STRONG, style::GOOD);
    if matches.is_empty() {
        return writeln!(text, "{strong}nothing matched{strong:#}");
    }
    let keys: BTreeSet<_> = matches.iter().map(|found| &found.key_data).collect();
    let sightings = counted(matches.len(), "sighting matches", "sightings match");
    writeln!(text, "{good}{sightings}{good:#}, of {}", counted(keys.len(), "key", "keys"))
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn write_refused(text: &mut dyn Write, refused: &[RefusedKey]) -> io::Result<()> {
    let bad = style::BAD;
    refused.iter().try_for_each(|refused| writeln!(text, "{bad}{}{bad:#}", refused.sentence()))
}

/// The rules and their differences, for people: under each rule, who says what.
fn table_of_rules() -> String {
    let mut text = "The rules, and where they differ (* the specification is silent):".to_owned();
    for rule in Rule::ALL {
        let mark = if rule.is_implementation_defined() { " *" } else { "" };
        text.push_str(&format!("\n  {rule}{mark}"));
        let mut left = Rules::ALL.to_vec();
        while let Some(choice) = left.first().map(|rules| rules.choice(rule).to_string()) {
            let (same, other): (Vec<_>, Vec<_>) =
                left.into_iter().partition(|rules| rules.choice(rule).to_string() == choice);
            let names: Vec<_> = same.iter().map(Rules::name).collect();
            text.push_str(&format!("\n    {}: {choice}", names.join(", ")));
            left = other;
        }
    }
    text
}

/// A blank line where what follows takes several.
fn separate(text: &mut dyn Write, steps: Option<&[String]>) -> io::Result<()> {
    if steps.is_some() { writeln!(text) } else { Ok(()) }
}

fn write_steps(text: &mut dyn Write, steps: Option<&[String]>) -> io::Result<()> {
    steps.unwrap_or_default().iter().try_for_each(|step| writeln!(text, "  {step}"))
}

/// A moment for people.
fn when(time: UnixTime) -> String {
    let timestamp =
        i64::try_from(time.as_secs()).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    timestamp.map_or_else(|| format!("second {}", time.as_secs()), |timestamp| timestamp.to_string())
}
