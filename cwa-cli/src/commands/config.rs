//! `cwa config`: application configuration, as apps fetch it and as the German server keeps it.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use cwa_export::archive::{self, Archive};
use cwa_export::audit::Kind;
use cwa_export::configuration::v1::{AttenuationDuration, RiskScoreClassification, RiskScoreParameters};
use cwa_export::configuration::{Configuration, ConfigurationError, ConfigurationV1, ConfigurationV2};
use cwa_export::finding::Finding;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::trust::write_findings;
use crate::args::Answer;
use crate::failure::Failure;
use crate::input;
use crate::output::{Output, style};

/// Application configuration.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ConfigCommand {
    /// What a configuration says, and what is wrong with it: signed or bare, v1 or v2, or YAML of the German server.
    Inspect(InspectArguments),
}

/// Arguments of `cwa config inspect`.
#[derive(Debug, clap::Args)]
pub(crate) struct InspectArguments {
    /// Signed archives, bare configurations, or YAML files; - is standard input.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

impl ConfigCommand {
    pub(crate) fn run(&self, output: &mut Output) -> Result<Answer, Failure> {
        match self {
            Self::Inspect(arguments) => inspect(arguments, output),
        }
    }
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

#[derive(Serialize)]
struct FileFinding {
    file: String,
    #[serde(flatten)]
    finding: Finding,
}

fn inspect(arguments: &InspectArguments, output: &mut Output) -> Result<Answer, Failure> {
    let files = arguments.files.iter().map(|path| inspect_file(path)).collect::<Result<Vec<_>, _>>()?;
    let findings = files.iter().flat_map(|file| {
        file.findings.iter().map(|finding| FileFinding { file: file.file.clone(), finding: finding.clone() })
    });
    let inspected = Inspected { findings: findings.collect(), files };
    output.answer("cwa.config.inspect/1", &inspected, |text| {
        inspected.files.iter().try_for_each(|file| write_file(text, file))
    })?;
    Ok(Answer::Yes)
}

fn inspect_file(path: &Path) -> Result<InspectedFile, Failure> {
    let bytes = input::read(path)?;
    let file = path.display().to_string();
    let (content, signed) = if archive::is_archive(&bytes) {
        let archive = Archive::read(&bytes).map_err(|error| {
            Failure::input("CWA-E1001", format!("{file} is an archive that cannot be read")).caused_by(error)
        })?;
        (archive.export_bin().to_vec(), true)
    } else {
        (bytes, false)
    };
    match Configuration::decode(&content) {
        Ok(Configuration::V1(v1)) => of_v1(file, &v1, signed),
        Ok(Configuration::V2(v2)) => of_v2(file, &v2, signed),
        Err(ConfigurationError::IsExport) => {
            Err(Failure::input("CWA-E0402", format!("{file} holds keys, not configuration"))
                .help(format!("`cwa export inspect {file}` shows them")))
        }
        // Content that is neither can still be text; signed content never is.
        other => match core::str::from_utf8(&content) {
            Ok(text) if !signed && !text.trim().is_empty() && !text.contains('\0') => {
                of_yaml(file, path, text)
            }
            _ => {
                let failure = Failure::input("CWA-E0403", format!("{file} is no application configuration"));
                Err(match other {
                    Err(error) => failure.caused_by(error),
                    Ok(_) => failure,
                })
            }
        },
    }
}

fn of_v1(file: String, v1: &ConfigurationV1, signed: bool) -> Result<InspectedFile, Failure> {
    let mut summary = vec![("minimum risk score".to_owned(), v1.min_risk_score.to_string())];
    summary.extend(summary_of_parameters(&v1.exposure_config));
    summary.extend(summary_of_classes(&v1.risk_score_classes));
    summary.extend(summary_of_durations(&v1.attenuation_duration));
    if !v1.supported_countries.is_empty() {
        summary.push(("supported countries".to_owned(), v1.supported_countries.join(" ")));
    }
    let configuration = to_json(v1)?;
    let findings = v1.lint();
    Ok(InspectedFile {
        file,
        kind: Kind::ApplicationConfigurationV1,
        part: None,
        signed,
        configuration,
        findings,
        summary,
    })
}

fn of_v2(file: String, v2: &ConfigurationV2, signed: bool) -> Result<InspectedFile, Failure> {
    let mut summary = vec![
        ("platform".to_owned(), format!("{:?}", v2.platform)),
        ("versions".to_owned(), format!("{} to {}", v2.min_version, v2.latest_version)),
        ("supported countries".to_owned(), v2.supported_countries.join(" ")),
        ("revoked packages".to_owned(), v2.revoked_packages.to_string()),
    ];
    if let Some(risk) = &v2.risk_calculation {
        let weights = risk.minutes_at_attenuation_weights.iter().map(|weighted| {
            let (min, max) = (weighted.attenuation.min, weighted.attenuation.max);
            format!("{min} to {max} dB: {}", weighted.weight)
        });
        summary.push(("weight of a minute".to_owned(), weights.collect::<Vec<_>>().join(", ")));
        let days = risk.max_encounter_age_in_days;
        summary.push(("encounters count for".to_owned(), format!("{days} days")));
    }
    for (name, length) in &v2.opaque_parts {
        summary.push(((*name).to_owned(), format!("{length} bytes, not looked into")));
    }
    let configuration = to_json(v2)?;
    Ok(InspectedFile {
        file,
        kind: Kind::ApplicationConfigurationV2,
        part: None,
        signed,
        configuration,
        findings: Vec::new(),
        summary,
    })
}

/// A part that the German server keeps in a file of its own, known by a member that no other part has.
const OTHER_PARTS: &[(&str, Kind, &str)] = &[
    ("minutes-at-attenuation-weights", Kind::ApplicationConfigurationV2, "risk-calculation-parameters"),
    ("attenuation-bucket-threshold-db", Kind::ApplicationConfigurationV2, "daily-summaries-config"),
    ("days-since-onset-to-infectiousness", Kind::ApplicationConfigurationV2, "diagnosis-keys-data-mapping"),
    (
        "infectiousness-for-days-since-onset-of-symptoms",
        Kind::ApplicationConfigurationV2,
        "exposure-configuration",
    ),
    ("risk-calculation-parameters", Kind::ApplicationConfigurationV2, "presence-tracing-parameters"),
    ("transmission-risk-value-mapping", Kind::ApplicationConfigurationV2, "transmission-risk-value-mapping"),
    ("check-in-sizes-in-bytes", Kind::ApplicationConfigurationV2, "plausible-deniability-parameters"),
    ("revoked-trace-location-versions", Kind::ApplicationConfigurationV2, "revoked-trace-location-versions"),
    ("coronaPCRTestParameters", Kind::ApplicationConfigurationV2, "corona-test-parameters"),
    ("transmission-risk-encoding", Kind::ApplicationConfigurationV2, "transmission-risk-encoding"),
    ("tek-field-derivations", Kind::Opaque, "derivation-maps"),
    ("region-mapping", Kind::Opaque, "region-mapping"),
];

fn of_yaml(file: String, path: &Path, text: &str) -> Result<InspectedFile, Failure> {
    let yaml: Value = crate::yaml::read(path, text).map_err(|error| {
        Failure::input("CWA-E0401", format!("{file} is no application configuration, nor YAML: {error}"))
    })?;
    let has = |member: &str| yaml.get(member).is_some();

    let kind = Kind::ApplicationConfigurationV1;
    let (part, findings, summary): (_, Vec<Finding>, _) = if has("exposure-config") && has("min-risk-score") {
        return of_v1(file.clone(), &typed(&file, yaml)?, false);
    } else if has("transmission") && has("attenuation") {
        let parameters: RiskScoreParameters = typed(&file, yaml.clone())?;
        ("exposure-config", parameters.lint(), summary_of_parameters(&parameters))
    } else if has("risk-classes") {
        let classes: RiskScoreClassification = typed(&file, yaml.clone())?;
        ("risk-score-classes", classes.lint(), summary_of_classes(&classes))
    } else if has("thresholds") && has("weights") {
        let durations: AttenuationDuration = typed(&file, yaml.clone())?;
        ("attenuation-duration", durations.lint(), summary_of_durations(&durations))
    } else if let Some((_, kind, part)) = OTHER_PARTS.iter().find(|(member, ..)| has(member)) {
        let members = yaml.as_object().into_iter().flatten();
        let summary = members.map(|(name, value)| (name.clone(), short(value))).collect();
        let part = Some(*part);
        return Ok(InspectedFile {
            file,
            kind: *kind,
            part,
            signed: false,
            configuration: yaml,
            findings: Vec::new(),
            summary,
        });
    } else {
        return Err(Failure::input(
            "CWA-E0403",
            format!("{file} is YAML, but no part of a configuration that is known"),
        ));
    };
    Ok(InspectedFile { file, kind, part: Some(part), signed: false, configuration: yaml, findings, summary })
}

fn typed<T: DeserializeOwned>(file: &str, yaml: Value) -> Result<T, Failure> {
    serde_json::from_value(yaml).map_err(|error| {
        Failure::input("CWA-E0401", format!("{file} is not what its members say it is")).caused_by(error)
    })
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
    let line = |class: &cwa_export::configuration::v1::RiskScoreClass| {
        (format!("class {}", class.label), format!("{} to {}", class.min, class.max))
    };
    classes.risk_classes.iter().map(line).collect()
}

fn summary_of_durations(durations: &AttenuationDuration) -> Vec<(String, String)> {
    let (thresholds, weights) = (durations.thresholds, durations.weights);
    let text = |name: &str, value: String| (name.to_owned(), value);
    vec![
        text("attenuation thresholds", format!("{} and {} dB", thresholds.lower, thresholds.upper)),
        text("weights near, middle, far", format!("{} {} {}", weights.low, weights.mid, weights.high)),
        text("bucket offset", format!("{} minutes", durations.default_bucket_offset)),
        text("normalization divisor", durations.risk_score_normalization_divisor.to_string()),
    ]
}

fn to_json(configuration: &impl Serialize) -> Result<Value, Failure> {
    serde_json::to_value(configuration)
        .map_err(|error| Failure::input("CWA-E0403", "the configuration cannot be shown").caused_by(error))
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
