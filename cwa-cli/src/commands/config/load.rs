//! A configuration, or a part of one, in any of its forms.

use std::path::Path;

use cwa_export::archive::{self, Archive};
use cwa_export::audit::Kind;
use cwa_export::configuration::v1::{AttenuationDuration, RiskScoreClassification, RiskScoreParameters};
use cwa_export::configuration::v2::{
    DailySummaries, DiagnosisKeysDataMapping, ExposureConfiguration, RiskCalculation,
    TransmissionRiskEncodingFile, TransmissionRiskValueMapping,
};
use cwa_export::configuration::{Configuration, ConfigurationError, ConfigurationV1, ConfigurationV2};
use cwa_export::finding::{Code, Finding};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::failure::Failure;
use crate::input;

/// What is in a file.
pub(super) struct Loaded {
    /// The file's name, as it was given.
    pub(super) file: String,
    /// Whether it came in a signed archive; the signature was not verified.
    pub(super) signed: bool,
    pub(super) content: Content,
    /// What is wrong with it.
    pub(super) findings: Vec<Finding>,
}

/// A configuration, or a part that the German server keeps in a file of its own.
pub(super) enum Content {
    V1(Box<ConfigurationV1>),
    V2(Box<ConfigurationV2>),
    Parameters(RiskScoreParameters),
    Classes(RiskScoreClassification),
    Durations(AttenuationDuration),
    RiskCalculation(RiskCalculation),
    Values(TransmissionRiskValueMapping),
    Encoding(TransmissionRiskEncodingFile),
    DataMapping(DiagnosisKeysDataMapping),
    Summaries(DailySummaries),
    Exposure(ExposureConfiguration),
    /// A part that is not looked into: which one, and what it says.
    Other(Kind, &'static str, Value),
}

impl Loaded {
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let bytes = input::read(path)?;
        let file = path.display().to_string();
        let (content, signed) = if archive::is_archive(&bytes) {
            let archive = Archive::read(&bytes).map_err(|error| {
                Failure::input("CWA-E1001", format!("{file} is an archive that cannot be read"))
                    .caused_by(error)
            })?;
            (archive.export_bin().to_vec(), true)
        } else {
            (bytes, false)
        };
        let decoded = match Configuration::decode(&content) {
            Ok(Configuration::V1(v1)) => Content::V1(v1),
            Ok(Configuration::V2(v2)) => Content::V2(v2),
            Err(ConfigurationError::IsExport) => {
                return Err(Failure::input("CWA-E0402", format!("{file} holds keys, not configuration"))
                    .help(format!("`cwa export inspect {file}` shows them")));
            }
            // Content that is neither can still be text; signed content never is.
            other => match core::str::from_utf8(&content) {
                Ok(text) if !signed && !text.trim().is_empty() && !text.contains('\0') => {
                    return Self::of_yaml(file, path, text);
                }
                _ => {
                    let failure =
                        Failure::input("CWA-E0403", format!("{file} is no application configuration"));
                    return Err(match other {
                        Err(error) => failure.caused_by(error),
                        Ok(_) => failure,
                    });
                }
            },
        };
        let findings = Configuration::lint_content(&content).unwrap_or_default();
        Ok(Self { file, signed, content: decoded, findings })
    }

    fn of_yaml(file: String, path: &Path, text: &str) -> Result<Self, Failure> {
        let mut yaml: Value = crate::yaml::read(path, text).map_err(|error| {
            Failure::input("CWA-E0401", format!("{file} is no application configuration, nor YAML: {error}"))
        })?;
        let mut findings = Vec::new();
        resolve_placeholders(&mut yaml, "", &mut findings);
        let has = |member: &str| yaml.get(member).is_some();
        let content = if has("exposure-config") && has("min-risk-score") {
            Content::V1(typed(&file, yaml)?)
        } else if has("transmission") && has("attenuation") {
            Content::Parameters(typed(&file, yaml)?)
        } else if has("risk-classes") {
            Content::Classes(typed(&file, yaml)?)
        } else if has("thresholds") && has("weights") {
            Content::Durations(typed(&file, yaml)?)
        } else if has("minutes-at-attenuation-weights") {
            Content::RiskCalculation(typed(&file, yaml)?)
        } else if has("attenuation-bucket-threshold-db") {
            Content::Summaries(typed(&file, yaml)?)
        } else if has("days-since-onset-to-infectiousness") {
            Content::DataMapping(typed(&file, yaml)?)
        } else if has("infectiousness-for-days-since-onset-of-symptoms") {
            Content::Exposure(typed(&file, yaml)?)
        } else if has("transmission-risk-value-mapping") {
            Content::Values(typed(&file, yaml)?)
        } else if has("transmission-risk-encoding") {
            Content::Encoding(typed(&file, yaml)?)
        } else if let Some((_, kind, part)) = OTHER_PARTS.iter().find(|(member, ..)| has(member)) {
            Content::Other(*kind, part, yaml)
        } else {
            let message = format!("{file} is YAML, but no part of a configuration that is known");
            return Err(Failure::input("CWA-E0403", message));
        };
        findings.extend(content.lint());
        Ok(Self { file, signed: false, content, findings })
    }

    /// The configuration, or the part, by the names of the German server's files.
    pub(super) fn value(&self) -> Result<Value, Failure> {
        match &self.content {
            Content::V1(v1) => serde_json::to_value(v1),
            Content::V2(v2) => serde_json::to_value(v2),
            Content::Parameters(part) => serde_json::to_value(part),
            Content::Classes(part) => serde_json::to_value(part),
            Content::Durations(part) => serde_json::to_value(part),
            Content::RiskCalculation(part) => serde_json::to_value(part),
            Content::Values(part) => serde_json::to_value(part),
            Content::Encoding(part) => serde_json::to_value(part),
            Content::DataMapping(part) => serde_json::to_value(part),
            Content::Summaries(part) => serde_json::to_value(part),
            Content::Exposure(part) => serde_json::to_value(part),
            Content::Other(.., value) => Ok(value.clone()),
        }
        .map_err(|error| Failure::input("CWA-E0403", "the configuration cannot be shown").caused_by(error))
    }

    pub(super) const fn kind(&self) -> Kind {
        match self.content {
            Content::V1(_) | Content::Parameters(_) | Content::Classes(_) | Content::Durations(_) => {
                Kind::ApplicationConfigurationV1
            }
            Content::Other(kind, ..) => kind,
            _ => Kind::ApplicationConfigurationV2,
        }
    }

    /// Which part of a configuration it is, by its name there; `None` for a whole one.
    pub(super) const fn part(&self) -> Option<&'static str> {
        match self.content {
            Content::V1(_) | Content::V2(_) => None,
            Content::Parameters(_) => Some("exposure-config"),
            Content::Classes(_) => Some("risk-score-classes"),
            Content::Durations(_) => Some("attenuation-duration"),
            Content::RiskCalculation(_) => Some("risk-calculation-parameters"),
            Content::Values(_) => Some("transmission-risk-value-mapping"),
            Content::Encoding(_) => Some("transmission-risk-encoding"),
            Content::DataMapping(_) => Some("diagnosis-keys-data-mapping"),
            Content::Summaries(_) => Some("daily-summaries-config"),
            Content::Exposure(_) => Some("exposure-configuration"),
            Content::Other(_, part, _) => Some(part),
        }
    }
}

impl Content {
    fn lint(&self) -> Vec<Finding> {
        match self {
            Self::V1(v1) => v1.lint(),
            Self::V2(v2) => v2.lint(),
            Self::Parameters(part) => part.lint(),
            Self::Classes(part) => part.lint(),
            Self::Durations(part) => part.lint(),
            Self::RiskCalculation(part) => part.lint(),
            Self::Values(part) => part.lint(),
            Self::Encoding(part) => part.lint(),
            Self::DataMapping(part) => part.lint(),
            Self::Summaries(part) => part.lint(),
            Self::Exposure(part) => part.lint(),
            Self::Other(_, part, _) => {
                vec![Finding::new(Code::Opaque, format!("{part} is not looked into"))]
            }
        }
    }
}

/// A part that the German server keeps in a file of its own and that is not looked into, known by a member that no
/// other part has.
const OTHER_PARTS: &[(&str, Kind, &str)] = &[
    ("risk-calculation-parameters", Kind::ApplicationConfigurationV2, "presence-tracing-parameters"),
    ("check-in-sizes-in-bytes", Kind::ApplicationConfigurationV2, "plausible-deniability-parameters"),
    ("revoked-trace-location-versions", Kind::ApplicationConfigurationV2, "revoked-trace-location-versions"),
    ("coronaPCRTestParameters", Kind::ApplicationConfigurationV2, "corona-test-parameters"),
    ("tek-field-derivations", Kind::Opaque, "derivation-maps"),
    ("region-mapping", Kind::Opaque, "region-mapping"),
];

fn typed<T: DeserializeOwned>(file: &str, yaml: Value) -> Result<T, Failure> {
    serde_json::from_value(yaml).map_err(|error| {
        Failure::input("CWA-E0401", format!("{file} is not what its members say it is")).caused_by(error)
    })
}

/// Puts the default of `${NAME:default}` in its place, and says so.
fn resolve_placeholders(value: &mut Value, place: &str, findings: &mut Vec<Finding>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let place = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
                resolve_placeholders(value, &place, findings);
            }
        }
        Value::Array(entries) => {
            for (value, index) in entries.iter_mut().zip(0..) {
                resolve_placeholders(value, &format!("{place}[{index}]"), findings);
            }
        }
        Value::String(text) => {
            let inside = text.strip_prefix("${").and_then(|text| text.strip_suffix('}'));
            if let Some((_, default)) = inside.and_then(|inside| inside.split_once(':')) {
                findings.push(Finding::new(Code::Placeholder, format!("{place} is {text}")));
                // Numbers and truth values are the same in JSON and YAML; everything else is text.
                let default = default.trim().to_owned();
                *value = match serde_json::from_str(&default) {
                    Ok(scalar @ (Value::Number(_) | Value::Bool(_))) => scalar,
                    _ => Value::String(default),
                };
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_default_of_a_placeholder_stands_in_for_it() {
        let mut value = json!({ "a": ["${AGE:10}", "${NAME:x:y}", "${NO-DEFAULT}", "plain ${A:1}"] });
        let mut findings = Vec::new();
        resolve_placeholders(&mut value, "", &mut findings);
        assert_eq!(value, json!({ "a": [10, "x:y", "${NO-DEFAULT}", "plain ${A:1}"] }));
        let messages: Vec<_> = findings.iter().map(|finding| finding.message.as_str()).collect();
        assert_eq!(messages, ["a[0] is ${AGE:10}", "a[1] is ${NAME:x:y}"]);
    }
}
