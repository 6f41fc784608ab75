//! `cwa match`: diagnosis keys against received identifiers.

use std::io::{self, Write};
use std::path::PathBuf;

use cwa_crypto::UnixTime;
use cwa_crypto::matching::{ComputedAttenuation, Dropped, Match, Matcher, Rules};
use cwa_crypto::metadata::CalibrationConfidence;
use serde::Serialize;

use crate::args::{Answer, Global};
use crate::commands::trust::TrustArguments;
use crate::failure::Failure;
use crate::output::{Output, style};
use crate::sightings::{SightingsArguments, Skipped};

mod explain;
mod keys;

use keys::{KeySource, Stated};

/// Arguments of `cwa match`.
#[derive(Debug, clap::Args)]
pub(crate) struct MatchArguments {
    #[command(flatten)]
    sightings: SightingsArguments,
    /// The export to match against; several are taken together, and what a later one says of a key holds.
    #[arg(long = "export", value_name = "FILE", required = true)]
    exports: Vec<PathBuf>,
    #[command(flatten)]
    trust: TrustArguments,
    /// Take exports that nobody has signed, or nobody who is trusted.
    #[arg(long)]
    danger_accept_unverified: bool,
    /// The rules by which a sighting counts: spec, google, apple, microg.
    #[arg(long, value_name = "NAME", default_value = "spec")]
    rules: Rules,
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
    /// Different keys in all exports.
    keys: usize,
    sightings: usize,
    /// What the file of sightings holds besides, by reason.
    skipped: Vec<Skipped>,
    matches: Vec<FoundMatch>,
    dropped: Vec<FoundDrop>,
}

impl MatchArguments {
    pub(crate) fn run(&self, global: &Global, output: &mut Output) -> Result<Answer, Failure> {
        let (received, skipped) = self.sightings.received(global)?;
        let source =
            KeySource { trusted: self.trust.store()?, accept_unverified: self.danger_accept_unverified };
        let packages = source.open(&self.exports)?;
        let exports = source.believe(&packages)?;
        let mut matcher = Matcher::new(&received);
        let keys = keys::push_pieces(&exports, |keys, stated| match stated {
            Stated::AtFirst => matcher.push_keys(keys),
            Stated::Revised => matcher.push_revised_keys(keys),
        });
        let matching = matcher.finish(self.rules);
        let is_match = !matching.matches.is_empty();
        let document = Found {
            rules: self.rules.name(),
            keys,
            sightings: received.sighting_count(),
            skipped,
            matches: matching.matches.iter().map(|found| self.found(found)).collect(),
            dropped: matching.dropped.iter().map(|dropped| self.dropped(dropped)).collect(),
        };
        output.answer("cwa.match/1", &document, |text| write_found(text, &document))?;
        Ok(if self.exit_status && !is_match { Answer::No } else { Answer::Yes })
    }

    fn found(&self, found: &Match) -> FoundMatch {
        let explanation = self.explain.then(|| explain::of_match(found, self.rules));
        FoundMatch { explanation, ..FoundMatch::from(found) }
    }

    fn dropped(&self, dropped: &Dropped) -> FoundDrop {
        let explanation = self.explain.then(|| explain::of_drop(dropped));
        FoundDrop { explanation, ..FoundDrop::from(dropped) }
    }
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

fn write_found(text: &mut dyn Write, found: &Found) -> io::Result<()> {
    let (strong, good, warning, faint) = (style::STRONG, style::GOOD, style::WARNING, style::FAINT);
    writeln!(text, "{} keys, {} sightings, rules {}", found.keys, found.sightings, found.rules)?;
    let sightings = found.matches.len();
    if sightings == 0 {
        writeln!(text, "{strong}nothing matched{strong:#}")?;
    } else {
        let mut keys: Vec<_> = found.matches.iter().map(|found| &found.key_data).collect();
        keys.sort_unstable();
        keys.dedup();
        writeln!(text, "{good}{sightings} sightings match{good:#}, of {} keys", keys.len())?;
    }
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
    Ok(())
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
