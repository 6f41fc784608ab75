//! `cwa export inspect`: what is in a package, whoever signed it.

use std::collections::BTreeMap;
use std::io::{self, Write};

use cwa_crypto::{ENIntervalNumber, UnixTime};
use cwa_export::archive::ContentArchive;
use cwa_export::audit::Kind;
use cwa_export::content::ExportContent;
use cwa_export::header;
use cwa_export::{UnverifiedContent, UnverifiedExport, cwa_hash};
use serde::Serialize;

use super::keys::{KeyDocument, SignatureInfoDocument};
use super::{Package, PackageArguments};
use crate::args::Answer;
use crate::failure::Failure;
use crate::output::{Output, style};

/// Arguments of `cwa export inspect`.
#[derive(Debug, clap::Args)]
pub(crate) struct InspectArguments {
    #[command(flatten)]
    package: PackageArguments,
    /// Every key, too.
    #[arg(long)]
    keys: bool,
}

/// The answer of `cwa export inspect`. Members of exports are `null` for other content, and where the file has nothing.
#[derive(Serialize)]
struct Inspected {
    kind: Kind,
    size: usize,
    /// What the German distribution calls so: it tells whether content is the same, whoever signed.
    cwa_hash: String,
    start_timestamp: Option<u64>,
    end_timestamp: Option<u64>,
    region: Option<String>,
    batch_num: Option<i32>,
    batch_size: Option<i32>,
    /// Those that the export lists; for content that lists none, those beside its signatures.
    signature_infos: Vec<SignatureInfoDocument>,
    key_count: usize,
    revised_key_count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    keys: Option<Vec<KeyDocument>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revised_keys: Option<Vec<KeyDocument>>,
    #[serde(skip)]
    charts: Charts,
}

/// How many keys there are of each kind; `None` where a key does not say.
#[derive(Default)]
struct Charts {
    days: BTreeMap<Option<String>, usize>,
    periods: BTreeMap<Option<i32>, usize>,
    levels: BTreeMap<Option<i32>, usize>,
    report_types: BTreeMap<Option<i32>, usize>,
    days_since_onset: BTreeMap<Option<i32>, usize>,
}

pub(super) fn inspect(arguments: &InspectArguments, output: &mut Output) -> Result<Answer, Failure> {
    let name = arguments.package.name();
    let package = arguments.package.read()?;
    if let Package::Archive(bytes) = &package
        && let Ok(archive) = ContentArchive::read(bytes)
    {
        // Signed as a whole by content.sig, and never keys, whatever it begins with.
        let inspected = of_other(Kind::Opaque, archive.content_bin(), Vec::new());
        output.answer("cwa.export.inspect/1", &inspected, |text| write_export(text, &name, &inspected))?;
        return Ok(Answer::Yes);
    }
    let (content, signatures) = package.open(&name)?;
    let kind = Kind::of(&content);
    if let (Kind::Opaque, true, Err(error)) = (kind, signatures.is_empty(), header::strip(&content)) {
        return Err(Failure::input(
            "CWA-E1101",
            format!("{name} is neither keys nor configuration, and not signed"),
        )
        .help("expected is a ZIP archive, or a bare export.bin")
        .caused_by(error));
    }
    let inspected = if kind == Kind::ExposureKeys {
        let export = UnverifiedExport::parse(&content, &signatures).map_err(|error| {
            Failure::input("CWA-E1102", format!("{name} cannot be read as an export"))
                .help("the offset counts from behind the 16-byte header; was the file cut off, or sent as text?")
                .caused_by(error)
        })?;
        of_export(&export.danger_accept_unverified(), &content, arguments.keys)
    } else {
        let unverified = UnverifiedContent::parse(&content, &signatures).map_err(|error| {
            Failure::input("CWA-E1109", format!("the signatures of {name} cannot be read")).caused_by(error)
        })?;
        of_other(kind, &content, unverified.claimed_signature_infos().map(Into::into).collect())
    };
    output.answer("cwa.export.inspect/1", &inspected, |text| write_export(text, &name, &inspected))?;
    Ok(Answer::Yes)
}

fn of_other(kind: Kind, content: &[u8], signature_infos: Vec<SignatureInfoDocument>) -> Inspected {
    Inspected {
        kind,
        size: content.len(),
        cwa_hash: hex::encode(cwa_hash(content)),
        start_timestamp: None,
        end_timestamp: None,
        region: None,
        batch_num: None,
        batch_size: None,
        signature_infos,
        key_count: 0,
        revised_key_count: 0,
        keys: None,
        revised_keys: None,
        charts: Charts::default(),
    }
}

fn of_export(content: &ExportContent<'_>, export_bin: &[u8], with_keys: bool) -> Inspected {
    let mut charts = Charts::default();
    for key in content.raw_keys() {
        charts.count(key.rolling_start_interval_number.and_then(|start| u32::try_from(start).ok()), &key);
    }
    Inspected {
        kind: Kind::ExposureKeys,
        size: export_bin.len(),
        cwa_hash: hex::encode(cwa_hash(export_bin)),
        start_timestamp: content.start_timestamp().map(UnixTime::as_secs),
        end_timestamp: content.end_timestamp().map(UnixTime::as_secs),
        region: content.region().map(Into::into),
        batch_num: content.batch_num(),
        batch_size: content.batch_size(),
        signature_infos: content.signature_infos().iter().map(Into::into).collect(),
        key_count: content.key_count(),
        revised_key_count: content.revised_key_count(),
        keys: with_keys.then(|| content.raw_keys().map(Into::into).collect()),
        revised_keys: (with_keys && content.revised_key_count() > 0)
            .then(|| content.raw_revised_keys().map(Into::into).collect()),
        charts,
    }
}

impl Charts {
    fn count(&mut self, start: Option<u32>, key: &cwa_export::key::RawKey<'_>) {
        fn one<K: Ord>(chart: &mut BTreeMap<K, usize>, bar: K) {
            let count = chart.entry(bar).or_default();
            *count = count.saturating_add(1);
        }
        one(&mut self.days, start.map(|start| ENIntervalNumber::new(start).start().day().to_string()));
        one(&mut self.periods, key.rolling_period);
        one(&mut self.levels, key.transmission_risk_level);
        one(&mut self.report_types, key.report_type);
        one(&mut self.days_since_onset, key.days_since_onset_of_symptoms);
    }
}

fn write_export(text: &mut dyn Write, name: &str, inspected: &Inspected) -> io::Result<()> {
    let (strong, faint) = (style::STRONG, style::FAINT);
    writeln!(text, "{strong}{name}{strong:#}  {}, {} bytes", inspected.kind, inspected.size)?;
    for info in &inspected.signature_infos {
        writeln!(
            text,
            "  signed as  {}  {faint}(not verified: `cwa export verify` does that){faint:#}",
            info.name()
        )?;
    }
    writeln!(text, "  cwa-hash   {}", inspected.cwa_hash)?;
    if inspected.kind != Kind::ExposureKeys {
        if inspected.kind != Kind::Opaque {
            writeln!(text, "  {faint}`cwa config inspect` shows what is in it{faint:#}")?;
        }
        return Ok(());
    }
    let absent = || "-".to_owned();
    writeln!(text, "  region     {}", inspected.region.clone().unwrap_or_else(absent))?;
    let time = |time: Option<u64>| time.map_or_else(absent, crate::output::rfc3339);
    writeln!(text, "  window     {} to {}", time(inspected.start_timestamp), time(inspected.end_timestamp))?;
    let number = |number: Option<i32>| number.map_or_else(absent, |number| number.to_string());
    writeln!(text, "  batch      {} of {}", number(inspected.batch_num), number(inspected.batch_size))?;
    writeln!(text, "  keys       {}, {} revised", inspected.key_count, inspected.revised_key_count)?;

    let charts = &inspected.charts;
    write_chart(text, "first day on air", &charts.days)?;
    write_chart(text, "rolling period", &charts.periods)?;
    write_chart(text, "transmission risk level", &charts.levels)?;
    write_chart(text, "report type", &charts.report_types)?;
    write_chart(text, "days since onset of symptoms", &charts.days_since_onset)?;
    if let Some(keys) = &inspected.keys {
        writeln!(text)?;
        writeln!(text, "{strong}keys{strong:#}")?;
        for key in keys.iter().chain(inspected.revised_keys.iter().flatten()) {
            writeln!(text, "  {}", serde_json::to_string(key)?)?;
        }
    }
    Ok(())
}

/// A bar for each value, the longest of them 40 characters; nothing where no key says anything.
fn write_chart<K: ToString>(
    text: &mut dyn Write,
    title: &str,
    chart: &BTreeMap<Option<K>, usize>,
) -> io::Result<()> {
    const WIDTH: usize = 40;
    if chart.keys().all(Option::is_none) {
        return Ok(());
    }
    let (strong, faint) = (style::STRONG, style::FAINT);
    writeln!(text)?;
    writeln!(text, "{strong}{title}{strong:#}")?;
    let most = chart.values().copied().max().unwrap_or(1).max(1);
    for (value, count) in chart {
        let value = value.as_ref().map_or_else(|| "absent".to_owned(), ToString::to_string);
        let bar = "█".repeat(count.saturating_mul(WIDTH).div_ceil(most));
        writeln!(text, "  {value:>10} {count:>8} {faint}{bar}{faint:#}")?;
    }
    Ok(())
}
