//! Application configuration on its way to phones: read, checked, signed.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use cwa_export::archive::{self, Archive, ArchiveError, WriteArchiveError};
use cwa_export::configuration::v1::PublishError;
use cwa_export::configuration::v2::Platform;
use cwa_export::configuration::{Configuration, ConfigurationError, ConfigurationV1};
use cwa_export::export::SignContentError;
use cwa_export::finding::{Code, Finding, Severity};
use cwa_export::index::DistributionPath;
use cwa_export::{Country, SignedFiles, Signer};

/// Largest configuration that is read, in bytes.
const LIMIT: u64 = 4 << 20;

/// Reads a configuration from a file, checks it, and signs it; where it is published, and the archive.
///
/// The file is YAML as the German server keeps it (a file may `!include` others beside it), a signed archive, whose
/// content is signed anew, or bare content.
pub(super) fn sign_file(
    path: &Path,
    country: Country,
    signer: &dyn Signer,
) -> Result<(DistributionPath, Vec<u8>), ConfigurationFileError> {
    let mut bytes = Vec::new();
    let unreadable = |source| ConfigurationFileError::Unreadable { path: path.to_owned(), source };
    fs::File::open(path).and_then(|file| file.take(LIMIT + 1).read_to_end(&mut bytes)).map_err(unreadable)?;
    if bytes.len() as u64 > LIMIT {
        return Err(ConfigurationFileError::TooLarge { path: path.to_owned() });
    }
    let at = |problem| ConfigurationFileError::Content { path: path.to_owned(), problem };
    if let Some(text) = as_text(&bytes) {
        let v1: ConfigurationV1 = crate::yaml::read(path, text)
            .map_err(|source| ConfigurationFileError::Yaml { path: path.to_owned(), source })?;
        return Ok((DistributionPath::Configuration { country }, sign_v1(&v1, signer).map_err(at)?));
    }
    let archive;
    let content = if archive::is_archive(&bytes) {
        archive = Archive::read(&bytes).map_err(|error| at(error.into()))?;
        archive.export_bin()
    } else {
        &bytes
    };
    match Configuration::decode(content).map_err(|error| at(error.into()))? {
        Configuration::V1(v1) => {
            Ok((DistributionPath::Configuration { country }, sign_v1(&v1, signer).map_err(at)?))
        }
        // Maps have no canonical order: what is signed is what came, not what was understood of it.
        Configuration::V2(v2) => {
            let findings = Configuration::lint_content(content).map_err(|error| at(error.into()))?;
            check(findings).map_err(at)?;
            let path = match v2.platform {
                Platform::Ios => DistributionPath::ConfigurationIos,
                _ => DistributionPath::ConfigurationAndroid,
            };
            Ok((path, sign_content(content.to_vec(), signer).map_err(at)?))
        }
        _ => Err(at(ConfigurationProblem::Unrecognised(ConfigurationError::Unrecognised))),
    }
}

/// Checks an archive that was signed elsewhere: a configuration of the kind that belongs to this path, fit to be published.
pub(super) fn check_archive(path: DistributionPath, bytes: &[u8]) -> Result<(), ConfigurationProblem> {
    let archive = Archive::read(bytes)?;
    let decoded = Configuration::decode(archive.export_bin())?;
    match (path, &decoded) {
        (DistributionPath::Configuration { .. }, Configuration::V1(v1)) => check(v1.lint()),
        (DistributionPath::ConfigurationAndroid, Configuration::V2(v2)) if v2.platform != Platform::Ios => {
            check(Configuration::lint_content(archive.export_bin())?)
        }
        (DistributionPath::ConfigurationIos, Configuration::V2(v2)) if v2.platform == Platform::Ios => {
            check(Configuration::lint_content(archive.export_bin())?)
        }
        _ => Err(ConfigurationProblem::WrongPlace { path: path.to_string() }),
    }
}

fn sign_v1(v1: &ConfigurationV1, signer: &dyn Signer) -> Result<Vec<u8>, ConfigurationProblem> {
    Ok(v1.sign(&[signer])?.to_archive()?)
}

fn sign_content(content: Vec<u8>, signer: &dyn Signer) -> Result<Vec<u8>, ConfigurationProblem> {
    Ok(SignedFiles::sign_content(content, &[signer])?.to_archive()?)
}

/// YAML is text, and a protocol buffer of this kind never is: its first byte is a control character.
fn as_text(bytes: &[u8]) -> Option<&str> {
    let text = core::str::from_utf8(bytes).ok()?;
    let is_text =
        text.chars().all(|character| !character.is_control() || matches!(character, '\n' | '\r' | '\t'));
    is_text.then_some(text)
}

/// Refuses what [`ConfigurationV1::sign`] would refuse: errors, and scores without a class.
fn check(mut findings: Vec<Finding>) -> Result<(), ConfigurationProblem> {
    findings.retain(|finding| finding.severity == Severity::Error || finding.code == Code::ClassesGap);
    if findings.is_empty() { Ok(()) } else { Err(ConfigurationProblem::NotPublishable { findings }) }
}

/// Why a file cannot be published as configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigurationFileError {
    /// It cannot be read.
    #[error("the configuration {} cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// It is too large.
    #[error("the configuration {} has more than {LIMIT} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// It is text, but no configuration v1 in YAML.
    #[error("{} is no configuration v1 in YAML", path.display())]
    Yaml {
        /// The file.
        path: PathBuf,
        /// What was found where.
        #[source]
        source: Box<dyn core::error::Error + Send + Sync>,
    },
    /// It cannot be published.
    #[error("the configuration {} cannot be published", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        problem: ConfigurationProblem,
    },
}

/// Why a configuration cannot be published.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigurationProblem {
    /// It is no archive that can be read in one way only.
    #[error("the archive cannot be read")]
    Archive(#[from] ArchiveError),
    /// It is no configuration of a known kind.
    #[error(transparent)]
    Unrecognised(#[from] ConfigurationError),
    /// It is of another kind than the path is for.
    #[error("a configuration of this kind does not belong at {path}")]
    WrongPlace {
        /// The path.
        path: String,
    },
    /// It has errors, or scores without a class.
    #[error("the configuration is not fit to be published: {}", listed(findings))]
    NotPublishable {
        /// What keeps it.
        findings: Vec<Finding>,
    },
    /// It could not be signed.
    #[error("the configuration could not be signed")]
    Sign(#[from] SignContentError),
    /// It does not fit into an archive.
    #[error("the configuration does not fit into an archive")]
    Write(#[from] WriteArchiveError),
}

impl From<PublishError> for ConfigurationProblem {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::Sign(error) => Self::Sign(error),
            PublishError::NotPublishable { findings } => Self::NotPublishable { findings },
            PublishError::TooLong(error) => Self::Unrecognised(error),
            _ => Self::Unrecognised(ConfigurationError::Unrecognised),
        }
    }
}

fn listed(findings: &[Finding]) -> String {
    findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use cwa_export::{SignatureInfo, SoftwareSigner};

    use super::*;

    const YAML: &str = include_str!("configuration.yaml");

    fn signer() -> SoftwareSigner {
        let key = p256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap();
        SoftwareSigner::new(key, SignatureInfo::new("262", "v1"))
    }

    fn sign(name: &str, content: &[u8]) -> Result<(DistributionPath, Vec<u8>), ConfigurationFileError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        fs::write(&path, content).unwrap();
        sign_file(&path, Country::GERMANY, &signer())
    }

    #[test]
    fn yaml_and_signed_and_bare_content_give_the_same_archive() {
        let (path, archive) = sign("configuration.yaml", YAML.as_bytes()).unwrap();
        assert_eq!(path, DistributionPath::Configuration { country: Country::GERMANY });
        assert_eq!(sign("app_config.zip", &archive).unwrap(), (path, archive.clone()));
        let content = Archive::read(&archive).unwrap();
        assert_eq!(sign("app_config.bin", content.export_bin()).unwrap(), (path, archive.clone()));
        check_archive(path, &archive).unwrap();
        let elsewhere = check_archive(DistributionPath::ConfigurationAndroid, &archive);
        assert!(matches!(elsewhere, Err(ConfigurationProblem::WrongPlace { .. })), "{elsewhere:?}");
    }

    #[test]
    fn a_gap_between_classes_is_refused_and_named() {
        let gap = YAML.replace("min: 15", "min: 20");
        assert_ne!(gap, YAML);
        let error = sign("configuration.yaml", gap.as_bytes()).unwrap_err();
        let ConfigurationFileError::Content { problem, .. } = error else { panic!("{error:?}") };
        assert!(
            problem.to_string().contains("scores between 15 and 20 belong to no risk class"),
            "{problem}"
        );
    }

    #[test]
    fn what_is_no_configuration_is_refused() {
        let yaml = sign("a.yaml", b"min-risk-score: eleven\n").unwrap_err();
        assert!(matches!(yaml, ConfigurationFileError::Yaml { .. }), "{yaml:?}");
        let bytes = sign("a.bin", &[0xff; 40]).unwrap_err();
        assert!(matches!(bytes, ConfigurationFileError::Content { .. }), "{bytes:?}");
        let keys = sign("a.bin", b"EK Export v1    \x09\x01").unwrap_err();
        assert!(matches!(keys, ConfigurationFileError::Content { .. }), "{keys:?}");
        let missing = sign_file(Path::new("/nowhere/at/all"), Country::GERMANY, &signer()).unwrap_err();
        assert!(matches!(missing, ConfigurationFileError::Unreadable { .. }), "{missing:?}");
    }

    #[test]
    fn included_files_are_read_from_the_same_directory_only() {
        let directory = tempfile::tempdir().unwrap();
        let (head, classes) = YAML.split_once("risk-score-classes:\n").unwrap();
        let (classes, tail) = classes.split_once("\nexposure-config:").unwrap();
        let main = format!("{head}risk-score-classes: !include classes.yaml\nexposure-config:{tail}");
        let path = directory.path().join("app-config.yaml");
        fs::write(&path, &main).unwrap();
        fs::write(directory.path().join("classes.yaml"), classes).unwrap();
        let whole = sign("configuration.yaml", YAML.as_bytes()).unwrap();
        assert_eq!(sign_file(&path, Country::GERMANY, &signer()).unwrap(), whole);

        let outside = main.replace("!include classes.yaml", "!include ../classes.yaml");
        let inner = directory.path().join("inner");
        fs::create_dir(&inner).unwrap();
        fs::write(inner.join("app-config.yaml"), outside).unwrap();
        let error = sign_file(&inner.join("app-config.yaml"), Country::GERMANY, &signer()).unwrap_err();
        assert!(matches!(error, ConfigurationFileError::Yaml { .. }), "{error:?}");
    }
}
