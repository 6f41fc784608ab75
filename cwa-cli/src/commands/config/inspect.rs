//! `cwa config inspect`: what a configuration says.

use std::io::{self, Write};
use std::path::PathBuf;

use cwa_export::audit::Kind;
use cwa_export::configuration::v1::{
    AttenuationDuration, KeyDownloadParameters, RiskScoreClass, RiskScoreClassification, RiskScoreParameters,
};
use cwa_export::configuration::v2::RiskCalculation;
use cwa_export::configuration::{ConfigurationV1, ConfigurationV2};
use cwa_export::finding::{Code, Finding};
use serde::Serialize;
use serde_json::Value;

use super::FileFinding;
use super::load::{Content, Loaded};
use crate::args::Answer;
use crate::commands::trust::write_findings;
use crate::failure::Failure;
use crate::output::{Output, style};

/// Arguments of `cwa config inspect`.
#[derive(Debug, clap::Args)]
pub(crate) struct InspectArguments {
    /// Signed archives, bare configurations, or YAML files; - is standard input.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

/// The answer of `cwa config inspect`.
#[derive(Serialize)]
struct Inspected {
    files: Vec<InspectedFile>,
    /// Those of all files.
    findings: Vec<FileFinding>,
}

#[derive(Serialize)]
struct InspectedFile {
    file: String,
    kind: Kind,
    /// Which part of a configuration, where a YAML file holds only one.
    part: Option<&'static str>,
    /// Whether it came in a signed archive; the signature was not verified.
    signed: bool,
    configuration: Value,
    findings: Vec<Finding>,
    #[serde(skip)]
    summary: Vec<(String, String)>,
}

pub(super) fn inspect(arguments: &InspectArguments, output: &mut Output) -> Result<Answer, Failure> {
    let files = arguments
        .files
        .iter()
        .map(|path| Loaded::read(path).and_then(|loaded| InspectedFile::of(&loaded)))
        .collect::<Result<Vec<_>, _>>()?;
    let findings = files.iter().flat_map(|file| {
        file.findings.iter().map(|finding| FileFinding { file: file.file.clone(), finding: finding.clone() })
    });
    let inspected = Inspected { findings: findings.collect(), files };
    output.answer("cwa.config.inspect/1", &inspected, |text| {
        inspected.files.iter().try_for_each(|file| write_file(text, file))
    })?;
    Ok(Answer::Yes)
}

impl InspectedFile {
    fn of(loaded: &Loaded) -> Result<Self, Failure> {
        let configuration = loaded.value()?;
        let summary = match &loaded.content {
            Content::V1(v1) => summary_of_v1(v1),
            Content::V2(v2) => summary_of_v2(v2),
            Content::Parameters(part) => summary_of_parameters(part),
            Content::Classes(part) => summary_of_classes(part),
            Content::Durations(part) => summary_of_durations(part),
            Content::RiskCalculation(part) => summary_of_risk_calculation(part),
            _ => {
                let members = configuration.as_object().into_iter().flatten();
                members.map(|(name, value)| (name.clone(), short(value))).collect()
            }
        };
        let mut findings = loaded.findings.clone();
        findings.retain(|finding| finding.code != Code::Opaque);
        Ok(Self {
            file: loaded.file.clone(),
            kind: loaded.kind(),
            part: loaded.part(),
            signed: loaded.signed,
            configuration,
            findings,
            summary,
        })
    }
}

fn line(name: &str, value: impl ToString) -> (String, String) {
    (name.to_owned(), value.to_string())
}

fn summary_of_v1(v1: &ConfigurationV1) -> Vec<(String, String)> {
    let mut summary = vec![line("minimum risk score", v1.min_risk_score)];
    summary.extend(summary_of_parameters(&v1.exposure_config));
    summary.extend(summary_of_classes(&v1.risk_score_classes));
    summary.extend(summary_of_durations(&v1.attenuation_duration));
    if let Some(versions) = v1.app_version {
        for (app, version) in [("versions for iOS", versions.ios), ("versions for Android", versions.android)]
        {
            summary.push(line(app, format!("{} to {}", version.min, version.latest)));
        }
    }
    if !v1.supported_countries.is_empty() {
        summary.push(line("supported countries", v1.supported_countries.join(" ")));
    }
    for (name, downloads) in [
        ("revoked packages on iOS", &v1.ios_key_download_parameters),
        ("revoked packages on Android", &v1.android_key_download_parameters),
    ] {
        summary.extend(downloads.as_ref().map(|downloads| line(name, revoked(downloads))));
    }
    summary
}

fn summary_of_v2(v2: &ConfigurationV2) -> Vec<(String, String)> {
    let mut summary = vec![
        line("platform", format!("{:?}", v2.platform)),
        line("versions", format!("{} to {}", v2.min_version, v2.latest_version)),
        line("supported countries", v2.supported_countries.join(" ")),
        line("revoked packages", v2.key_download_parameters.as_ref().map_or(0, revoked)),
    ];
    summary.extend(v2.risk_calculation.iter().flat_map(summary_of_risk_calculation));
    for (name, part) in &v2.opaque_parts {
        summary.push(line(name, format!("{} bytes, not looked into", part.0.len())));
    }
    summary
}

const fn revoked(downloads: &KeyDownloadParameters) -> usize {
    let (days, hours) = (downloads.revoked_day_packages.len(), downloads.revoked_hour_packages.len());
    days.saturating_add(hours).saturating_add(downloads.revoked_trace_warning_packages.len())
}

fn summary_of_risk_calculation(risk: &RiskCalculation) -> Vec<(String, String)> {
    let range = |range: Option<cwa_export::configuration::v2::Range>| {
        range.map_or_else(|| "no range".to_owned(), |range| range.to_string())
    };
    let weights = risk.minutes_at_attenuation_weights.iter();
    let weights =
        weights.map(|weighted| format!("{} dB: {}", range(weighted.attenuation_range), weighted.weight));
    let levels = |mapping: &[cwa_export::configuration::v2::RiskLevelRange]| {
        let levels = mapping.iter().map(|entry| {
            let level = match entry.risk_level {
                1 => "low".to_owned(),
                2 => "high".to_owned(),
                other => other.to_string(),
            };
            format!("{} minutes: {level}", range(entry.normalized_time_range))
        });
        levels.collect::<Vec<_>>().join(", ")
    };
    let days = risk.max_encounter_age_in_days;
    vec![
        line("weight of a minute", weights.collect::<Vec<_>>().join(", ")),
        line("risk of a window", levels(&risk.normalized_time_per_ew_to_risk_level)),
        line("risk of a day", levels(&risk.normalized_time_per_day_to_risk_level)),
        line("encounters count for", format!("{days} days")),
    ]
}

fn summary_of_parameters(parameters: &RiskScoreParameters) -> Vec<(String, String)> {
    let weights = parameters.weights().map(|(name, weight)| (name.replace('_', " "), weight.to_string()));
    let scores = parameters.scores().map(|(category, scores)| {
        let scores = scores.map(|(_, score)| score.to_string());
        (format!("{} scores", category.replace('_', " ")), scores.join(" "))
    });
    weights.into_iter().chain(scores).collect()
}

fn summary_of_classes(classes: &RiskScoreClassification) -> Vec<(String, String)> {
    let line = |class: &RiskScoreClass| {
        (format!("class {}", class.label), format!("{} to {}", class.min, class.max))
    };
    classes.risk_classes.iter().map(line).collect()
}

fn summary_of_durations(durations: &AttenuationDuration) -> Vec<(String, String)> {
    let (thresholds, weights) = (durations.thresholds, durations.weights);
    vec![
        line("attenuation thresholds", format!("{} and {} dB", thresholds.lower, thresholds.upper)),
        line("weights near, middle, far", format!("{} {} {}", weights.low, weights.mid, weights.high)),
        line("bucket offset", format!("{} minutes", durations.default_bucket_offset)),
        line("normalization divisor", durations.risk_score_normalization_divisor),
    ]
}

/// A value in one line.
fn short(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("{} entries", items.len()),
        Value::Object(members) => format!("{} members", members.len()),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn write_file(text: &mut dyn Write, file: &InspectedFile) -> io::Result<()> {
    let strong = style::STRONG;
    let part = file.part.map_or_else(String::new, |part| format!(", part {part}"));
    let signed = if file.signed { ", signed (not verified: `cwa export verify` does that)" } else { "" };
    let kind = match file.kind {
        Kind::Opaque => "parameters of the German server".to_owned(),
        kind => kind.to_string(),
    };
    writeln!(text, "{strong}{}{strong:#}  {kind}{part}{signed}", file.file)?;
    let width = file.summary.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    for (name, value) in &file.summary {
        writeln!(text, "  {name:width$}  {value}")?;
    }
    write_findings(text, &file.findings)
}
