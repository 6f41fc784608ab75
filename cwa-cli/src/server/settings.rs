//! The server's configuration file: TOML, every key optional, unknown keys refused.
//!
//! ```toml
//! region = "DE"
//! configuration = ["configuration.yaml"]     # application configuration for phones
//!
//! [listen]
//! external = "127.0.0.1:8000"
//! internal = "127.0.0.1:8001"
//! admin = "127.0.0.1:8002"
//! portal = "127.0.0.1:8003"
//!
//! [storage]
//! database = "cwa.sqlite3"                    # or "postgres://cwa@db/cwa?sslmode=verify-full&sslrootcert=ca.pem"
//! password_file = "secrets/database.password"  # PostgreSQL only, as are the next two
//! pool_size = 16
//! statement_timeout_ms = 15000
//! publish = "www"
//! hash_key_file = "secrets/hash.key"
//!
//! [signing]
//! key_file = "secrets/signing-key.pem"
//! key_id = "262"
//! key_version = "v1"
//!
//! [answers]
//! deadline_ms = 100
//!
//! [publication]
//! threshold = 140
//!
//! [verification]
//! tan_seconds = 3600
//!
//! [[credentials]]
//! name = "laboratory-1"
//! permissions = ["laboratory"]                 # laboratory, hotline, health-authority, event-hotline, server
//! token_file = "secrets/laboratory-1.token"    # or token_sha256 = "64 hexadecimal digits"
//!
//! [portal]
//! hosts = ["portal.example"]
//! secure_cookie = true
//!
//! [[portal.accounts]]
//! user = "officer"
//! permissions = ["hotline"]
//! password_hash = "$argon2id$v=19$m=19456,t=2,p=1$…$…"
//! ```
//!
//! Paths are relative to the file's directory. Secrets are never in the file itself: it names the files that hold them,
//! or holds their hashes.

use core::net::SocketAddr;
use core::time::Duration;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use cwa_export::country::CountryError;
use cwa_export::signature::SigningKeyError;
use cwa_export::submission::SubmissionPolicy;
use cwa_export::{Country, SignatureInfo, SoftwareSigner};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::builder::{ServerBuilder, StartError, read_hash_key};
use super::credentials::{BearerToken, Credential, Permission};
use super::policy::Policy;
use super::portal::{PasswordHashError, PortalAccount};
use super::store::{DatabaseLocation, DatabaseLocationError};

/// What a configuration file says.
#[derive(Debug)]
pub struct Settings {
    file: File,
    path: PathBuf,
}

impl Settings {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// [`SettingsError`], with the file, and line and column where something is wrong.
    pub fn read(path: &Path) -> Result<Self, SettingsError> {
        let unreadable = |source| SettingsError::Unreadable { path: path.to_owned(), source };
        let text = fs::read_to_string(path).map_err(unreadable)?;
        let file = toml::from_str(&text)
            .map_err(|source| SettingsError::Malformed { path: path.to_owned(), source: Box::new(source) })?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// Applies them to a server that is being built.
    ///
    /// # Errors
    ///
    /// [`SettingsError`], for example for a key file that does not hold a key.
    pub fn apply(self, mut builder: ServerBuilder) -> Result<ServerBuilder, SettingsError> {
        let base = self.path.parent().unwrap_or(Path::new("")).to_owned();
        let file = self.file;
        builder = builder.policy(policy(&file));
        if let Some(region) = &file.region {
            let country: Country =
                region.parse().map_err(|source| SettingsError::Region { region: region.clone(), source })?;
            builder = builder.region(country);
        }
        for configuration in &file.configuration {
            builder = builder.configuration_file(base.join(configuration));
        }
        let Listeners { external, internal, portal, admin } = file.listen;
        builder = external.into_iter().fold(builder, ServerBuilder::external);
        builder = internal.into_iter().fold(builder, ServerBuilder::internal);
        builder = portal.into_iter().fold(builder, ServerBuilder::portal);
        builder = admin.into_iter().fold(builder, ServerBuilder::admin);
        if let Some(database) = file.storage.database(&base)? {
            builder = builder.database(database);
        }
        builder = file
            .storage
            .publish
            .into_iter()
            .fold(builder, |builder, path| builder.publish_to(base.join(path)));
        if let Some(path) = file.storage.hash_key_file {
            builder = builder.hash_key(read_hash_key(&base.join(path)).map_err(SettingsError::HashKey)?);
        }
        if let Some(signing) = file.signing {
            builder = builder.signer(std::sync::Arc::new(signing.signer(&base)?));
        }
        for credential in file.credentials {
            builder = builder.credential(credential.read(&base)?);
        }
        for account in file.portal.accounts {
            let user = account.user;
            let account = PortalAccount::from_hash(user.clone(), account.password_hash, account.permissions)
                .map_err(|source| SettingsError::Account { user, source })?;
            builder = builder.portal_account(account);
        }
        Ok(builder)
    }
}

fn policy(file: &File) -> Policy {
    let mut policy = Policy::default();
    if let Some(milliseconds) = file.answers.deadline_ms {
        policy.answer_deadline = Duration::from_millis(milliseconds);
    }
    let publication = &mut policy.publication;
    set(&mut publication.threshold, file.publication.threshold);
    set(&mut publication.embargo_seconds, file.publication.embargo_seconds);
    set(&mut publication.max_shift_hours, file.publication.max_shift_hours);
    set(&mut publication.retention_days, file.publication.retention_days);
    set(&mut publication.hourly_package_days, file.publication.hourly_package_days);
    set(&mut publication.minimum_transmission_risk_level, file.publication.minimum_transmission_risk_level);
    policy.submission = match file.submission.profile {
        SubmissionProfile::Cwa => SubmissionPolicy::cwa(),
        SubmissionProfile::Framework => SubmissionPolicy::framework(),
    };
    policy.submission.retention_days = policy.publication.retention_days;
    set(&mut policy.submission.max_keys, file.submission.max_keys);
    set(&mut policy.submission.max_bytes, file.submission.max_bytes);
    let verification = &mut policy.verification;
    set(&mut verification.session_seconds, file.verification.session_seconds);
    set(&mut verification.retry_seconds, file.verification.retry_seconds);
    set(&mut verification.tan_seconds, file.verification.tan_seconds);
    set(&mut verification.tans_per_session, file.verification.tans_per_session);
    set(&mut verification.lease_seconds, file.verification.lease_seconds);
    set(&mut verification.tele_tan_test_seconds, file.verification.tele_tan_test_seconds);
    set(&mut verification.tele_tan_event_seconds, file.verification.tele_tan_event_seconds);
    set(&mut verification.issue_limit.count, file.verification.tele_tans_per_window);
    set(&mut verification.issue_limit.window_seconds, file.verification.tele_tan_window_seconds);
    policy.portal.hosts.clone_from(&file.portal.hosts);
    set(&mut policy.portal.secure_cookie, file.portal.secure_cookie);
    set(&mut policy.portal.issue_interval_seconds, file.portal.issue_interval_seconds);
    set(&mut policy.portal.session_seconds, file.portal.session_seconds);
    policy
}

fn set<T: Copy>(value: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *value = given;
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    region: Option<String>,
    configuration: Vec<PathBuf>,
    listen: Listeners,
    storage: Storage,
    signing: Option<Signing>,
    answers: Answers,
    publication: Publication,
    submission: Submission,
    verification: Verification,
    credentials: Vec<CredentialEntry>,
    portal: Portal,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Listeners {
    external: Option<SocketAddr>,
    internal: Option<SocketAddr>,
    portal: Option<SocketAddr>,
    admin: Option<SocketAddr>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Storage {
    database: Option<String>,
    #[cfg(feature = "postgres")]
    password_file: Option<PathBuf>,
    #[cfg(feature = "postgres")]
    pool_size: Option<usize>,
    #[cfg(feature = "postgres")]
    statement_timeout_ms: Option<u64>,
    publish: Option<PathBuf>,
    hash_key_file: Option<PathBuf>,
}

impl Storage {
    fn database(&self, base: &Path) -> Result<Option<DatabaseLocation>, SettingsError> {
        let Some(text) = &self.database else { return Ok(None) };
        let location = text.parse::<DatabaseLocation>().map_err(SettingsError::Database)?.below(base);
        #[cfg(feature = "postgres")]
        let location = match location {
            DatabaseLocation::Postgres(mut settings) => {
                if let Some(file) = &self.password_file {
                    settings = settings.password_file(base.join(file));
                }
                if let Some(connections) = self.pool_size {
                    settings = settings.pool_size(connections);
                }
                if let Some(milliseconds) = self.statement_timeout_ms {
                    settings = settings.statement_timeout(Duration::from_millis(milliseconds));
                }
                DatabaseLocation::Postgres(settings)
            }
            location => location,
        };
        Ok(Some(location))
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signing {
    key_file: PathBuf,
    key_id: String,
    key_version: String,
    app_bundle_id: Option<String>,
    android_package: Option<String>,
}

impl Signing {
    fn signer(self, base: &Path) -> Result<SoftwareSigner, SettingsError> {
        let mut info = SignatureInfo::new(self.key_id, self.key_version);
        if let Some(id) = self.app_bundle_id {
            info = info.with_app_bundle_id(id);
        }
        if let Some(package) = self.android_package {
            info = info.with_android_package(package);
        }
        let path = base.join(self.key_file);
        let pem = read_secret(&path)?;
        SoftwareSigner::from_pem(&pem, info).map_err(|source| SettingsError::SigningKey { path, source })
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Answers {
    deadline_ms: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Publication {
    threshold: Option<usize>,
    embargo_seconds: Option<u64>,
    max_shift_hours: Option<u64>,
    retention_days: Option<u64>,
    hourly_package_days: Option<u64>,
    minimum_transmission_risk_level: Option<u8>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Submission {
    profile: SubmissionProfile,
    max_keys: Option<usize>,
    max_bytes: Option<usize>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum SubmissionProfile {
    #[default]
    Cwa,
    Framework,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Verification {
    session_seconds: Option<u64>,
    retry_seconds: Option<u64>,
    tan_seconds: Option<u64>,
    tans_per_session: Option<u32>,
    lease_seconds: Option<u64>,
    tele_tan_test_seconds: Option<u64>,
    tele_tan_event_seconds: Option<u64>,
    tele_tans_per_window: Option<u32>,
    tele_tan_window_seconds: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CredentialEntry {
    name: String,
    permissions: Vec<Permission>,
    token_sha256: Option<String>,
    token_file: Option<PathBuf>,
}

impl CredentialEntry {
    fn read(self, base: &Path) -> Result<Credential, SettingsError> {
        let ambiguous = SettingsError::Credential { name: self.name.clone() };
        match (self.token_sha256, self.token_file) {
            (Some(hash), None) => {
                let mut bytes = [0; 32];
                hex::decode_to_slice(&hash, &mut bytes).map_err(|_| ambiguous)?;
                Ok(Credential::from_hash(self.name, self.permissions, bytes))
            }
            (None, Some(path)) => {
                let text = read_secret(&base.join(path))?;
                let token = text.trim();
                if token.is_empty() {
                    return Err(ambiguous);
                }
                Ok(Credential::new(self.name, self.permissions, &BearerToken::new(token)))
            }
            _ => Err(ambiguous),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Portal {
    hosts: Vec<String>,
    secure_cookie: Option<bool>,
    issue_interval_seconds: Option<u64>,
    session_seconds: Option<u64>,
    accounts: Vec<AccountEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountEntry {
    user: String,
    permissions: Vec<Permission>,
    password_hash: String,
}

fn read_secret(path: &Path) -> Result<Zeroizing<String>, SettingsError> {
    fs::read_to_string(path)
        .map(Zeroizing::new)
        .map_err(|source| SettingsError::Unreadable { path: path.to_owned(), source })
}

/// Why a configuration file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// A file cannot be read.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The file is not TOML of this form.
    #[error("{} is no configuration of this server", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// The region is no country.
    #[error("the region {region:?} cannot be used")]
    Region {
        /// The region.
        region: String,
        /// Why not.
        #[source]
        source: CountryError,
    },
    /// The database cannot be understood.
    #[error("storage.database cannot be used")]
    Database(#[source] DatabaseLocationError),
    /// A file does not hold a signing key.
    #[error("{} does not hold a signing key", path.display())]
    SigningKey {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: SigningKeyError,
    },
    /// The hash key cannot be used.
    #[error("the hash key cannot be used")]
    HashKey(#[source] StartError),
    /// A credential names no token, several, or something that is none.
    #[error(
        "the credential {name:?} needs either token_sha256 (64 hexadecimal digits) or token_file (not empty)"
    )]
    Credential {
        /// Its name.
        name: String,
    },
    /// An account's password hash cannot be used.
    #[error("the password hash of the portal account {user:?} cannot be used")]
    Account {
        /// Its user.
        user: String,
        /// Why not.
        #[source]
        source: PasswordHashError,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::Server;

    fn apply(text: &str) -> Result<ServerBuilder, SettingsError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("cwa.toml");
        fs::write(&path, text).unwrap();
        fs::write(directory.path().join("token"), "secret token\n").unwrap();
        fs::write(directory.path().join("key.pem"), "no key").unwrap();
        Settings::read(&path)?.apply(Server::builder(directory.path()))
    }

    #[test]
    fn every_key_is_optional_and_unknown_ones_are_refused() {
        assert!(apply("").is_ok());
        let error = apply("[publication]\ntreshold = 2\n").unwrap_err();
        let SettingsError::Malformed { source, .. } = error else { panic!("{error:?}") };
        assert!(source.to_string().contains("treshold"), "{source}");
    }

    #[test]
    fn what_is_said_arrives() {
        let text = r#"
            region = "AT"
            [listen]
            external = "127.0.0.1:9000"
            [answers]
            deadline_ms = 7
            [publication]
            threshold = 3
            retention_days = 10
            [submission]
            profile = "framework"
            max_keys = 30
            [verification]
            tan_seconds = 60
            tele_tans_per_window = 5
            [[credentials]]
            name = "lab"
            permissions = ["laboratory"]
            token_file = "token"
            [portal]
            hosts = ["portal.example"]
            secure_cookie = true
        "#;
        let builder = apply(text).unwrap();
        let policy = builder.policy_ref();
        assert_eq!(policy.answer_deadline, Duration::from_millis(7));
        assert_eq!((policy.publication.threshold, policy.publication.retention_days), (3, 10));
        assert_eq!((policy.submission.max_keys, policy.submission.retention_days), (30, 10));
        assert!(!policy.submission.start_at_midnight);
        assert_eq!((policy.verification.tan_seconds, policy.verification.issue_limit.count), (60, 5));
        assert!(policy.portal.secure_cookie);
    }

    #[cfg(feature = "postgres")]
    #[test]
    fn a_database_is_a_file_or_postgresql_whose_password_is_shown_nowhere() {
        let url = "postgres://cwa:hunter2@db/cwa?sslmode=verify-full";
        let storage = |text: &str| format!("[storage]\ndatabase = \"{text}\"\n");
        let more = "pool_size = 8\nstatement_timeout_ms = 500\npassword_file = \"token\"\n";
        assert!(apply(&storage("other.sqlite3")).is_ok());
        let builder = apply(&(storage(url) + more)).unwrap();
        assert!(!format!("{builder:?}").contains("hunter2"));
        for wrong in ["mysql://cwa:hunter2@db/cwa", "postgres://cwa:hunter2@db/cwa?sslmode=perhaps"] {
            let error = apply(&storage(wrong)).unwrap_err();
            assert!(matches!(error, SettingsError::Database(_)), "{error:?}");
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
    }

    #[test]
    fn what_cannot_be_used_is_refused_by_name() {
        let credential = |rest: &str| {
            apply(&format!("[[credentials]]\nname = \"lab\"\npermissions = [\"laboratory\"]\n{rest}\n"))
                .unwrap_err()
        };
        assert!(matches!(credential(""), SettingsError::Credential { .. }));
        assert!(matches!(credential("token_sha256 = \"00\""), SettingsError::Credential { .. }));
        let both = credential(&format!("token_sha256 = \"{}\"\ntoken_file = \"token\"", "00".repeat(32)));
        assert!(matches!(both, SettingsError::Credential { .. }));
        assert!(matches!(credential("token_file = \"nowhere\""), SettingsError::Unreadable { .. }));
        assert!(matches!(apply("region = \"Austria\"").unwrap_err(), SettingsError::Region { .. }));
        let key = "[signing]\nkey_file = \"key.pem\"\nkey_id = \"262\"\nkey_version = \"v1\"\n";
        assert!(matches!(apply(key).unwrap_err(), SettingsError::SigningKey { .. }));
        let account = "[[portal.accounts]]\nuser = \"o\"\npermissions = []\npassword_hash = \"secret\"\n";
        assert!(matches!(apply(account).unwrap_err(), SettingsError::Account { .. }));
        assert!(matches!(
            apply("[listen]\nexternal = \"here\"").unwrap_err(),
            SettingsError::Malformed { .. }
        ));
    }
}
