//! Where a PostgreSQL database is, and how it is talked to.

use core::fmt;
use core::time::Duration;
use std::fs;
use std::path::{Path, PathBuf};

use tokio_postgres::config::{Host, SslMode};
use zeroize::Zeroizing;

/// A PostgreSQL database: a URL as `libpq` reads it, and what the URL does not say.
///
/// `postgres://user@host:5432/database?sslmode=verify-full&sslrootcert=ca.pem`. Neither `Debug` nor an error shows a
/// password.
#[derive(Clone)]
pub struct PostgresSettings {
    pub(super) config: Box<tokio_postgres::Config>,
    pub(super) tls: TlsMode,
    pub(super) root_certificates: Option<PathBuf>,
    pub(super) pool_size: usize,
    pub(super) statement_timeout: Duration,
    password_file: Option<PathBuf>,
}

/// How a connection is protected: `sslmode`, as `libpq` defines it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum TlsMode {
    Disable,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

impl PostgresSettings {
    /// Reads a URL; `sslmode` is `disable`, `prefer` (the default), `require`, `verify-ca` or `verify-full`, and
    /// `sslrootcert` a file of certificates in PEM, the system's unless given.
    ///
    /// As with `libpq`, `prefer` and `require` do not look at the server's certificate: they keep out who listens, not
    /// who stands between.
    ///
    /// # Errors
    ///
    /// What is no such URL, or asks for what is not known.
    pub fn parse(url: &str) -> Result<Self, PostgresUrlError> {
        if !is_postgres_url(url) {
            return Err(PostgresUrlError::Scheme);
        }
        let (head, query) = url.split_once('?').unwrap_or((url, ""));
        let mut tls = TlsMode::Prefer;
        let mut root_certificates = None;
        let mut rest = form_urlencoded::Serializer::new(String::new());
        let mut has_rest = false;
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "sslmode" => tls = TlsMode::parse(&value).ok_or(PostgresUrlError::SslMode)?,
                "sslrootcert" if value == "system" => root_certificates = None,
                "sslrootcert" => root_certificates = Some(PathBuf::from(&*value)),
                _ => {
                    rest.append_pair(&name, &value);
                    has_rest = true;
                }
            }
        }
        // `+` is a space in forms, and itself in these URLs.
        let query = rest.finish().replace('+', "%20");
        let url = Zeroizing::new(if has_rest { format!("{head}?{query}") } else { head.to_owned() });
        let mut config: tokio_postgres::Config = url.parse().map_err(|_| PostgresUrlError::Malformed)?;
        config.ssl_mode(match tls {
            TlsMode::Disable => SslMode::Disable,
            TlsMode::Prefer => SslMode::Prefer,
            _ => SslMode::Require,
        });
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_secs(10));
        }
        if config.get_application_name().is_none() {
            config.application_name("cwa");
        }
        Ok(Self {
            config: Box::new(config),
            tls,
            root_certificates,
            pool_size: 16,
            statement_timeout: Duration::from_secs(15),
            password_file: None,
        })
    }

    /// The most connections at a time; 16 unless said otherwise, at least 4: the jobs keep one each while they run.
    #[must_use]
    pub fn pool_size(mut self, connections: usize) -> Self {
        self.pool_size = connections.max(4);
        self
    }

    /// How long one statement may take; 15 seconds unless said otherwise. The publisher's and migrations may take
    /// longer.
    #[must_use]
    pub const fn statement_timeout(mut self, timeout: Duration) -> Self {
        self.statement_timeout = timeout;
        self
    }

    /// The file that holds the password and nothing else. Without one, and without a password in the URL, the file that
    /// `PGPASSFILE` names is searched, as `libpq` does.
    #[must_use]
    pub fn password_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.password_file = Some(file.into());
        self
    }

    /// Finds the password. Blocks.
    pub(super) fn with_password(mut self) -> Result<Self, PasswordFileError> {
        if self.config.get_password().is_some() {
            return Ok(self);
        }
        let read = |path: &Path| {
            fs::read_to_string(path)
                .map(Zeroizing::new)
                .map_err(|source| PasswordFileError { path: path.to_owned(), source })
        };
        if let Some(path) = &self.password_file {
            let text = read(path)?;
            self.config.password(text.trim_end_matches(['\r', '\n']));
        } else if let Some(path) = std::env::var_os("PGPASSFILE").map(PathBuf::from) {
            let text = read(&path)?;
            if let Some(password) = text.lines().find_map(|line| self.matching_password(line)) {
                self.config.password(&*password);
            }
        }
        Ok(self)
    }

    /// The password of a line `host:port:database:user:password` if it is for this database; `*` is for every one.
    fn matching_password(&self, line: &str) -> Option<Zeroizing<String>> {
        if line.starts_with('#') {
            return None;
        }
        let mut fields = vec![Zeroizing::new(String::new())];
        let mut characters = line.chars();
        while let Some(character) = characters.next() {
            let character = match character {
                '\\' => characters.next()?,
                ':' if fields.len() < 5 => {
                    fields.push(Zeroizing::new(String::new()));
                    continue;
                }
                character => character,
            };
            fields.last_mut()?.push(character);
        }
        let [host, port, database, user, password] = fields.try_into().ok()?;
        let is = |pattern: &str, value: &str| pattern == "*" || pattern == value;
        let here = match self.config.get_hosts().first() {
            Some(Host::Tcp(name)) => name.as_str(),
            _ => "localhost",
        };
        let here_port = self.config.get_ports().first().copied().unwrap_or(5432).to_string();
        let here_user = self.config.get_user().unwrap_or_default();
        let here_database = self.config.get_dbname().unwrap_or(here_user);
        (is(&host, here) && is(&port, &here_port) && is(&database, here_database) && is(&user, here_user))
            .then_some(password)
    }
}

/// Whether this is meant to be the URL of a PostgreSQL database.
pub(in crate::server) fn is_postgres_url(text: &str) -> bool {
    text.starts_with("postgres://") || text.starts_with("postgresql://")
}

impl TlsMode {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "disable" => Self::Disable,
            "prefer" => Self::Prefer,
            "require" => Self::Require,
            "verify-ca" => Self::VerifyCa,
            "verify-full" => Self::VerifyFull,
            _ => return None,
        })
    }
}

impl fmt::Debug for PostgresSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresSettings")
            .field("hosts", &self.config.get_hosts())
            .field("tls", &self.tls)
            .field("pool_size", &self.pool_size)
            .field("statement_timeout", &self.statement_timeout)
            .finish_non_exhaustive()
    }
}

/// Why a text is no URL of a PostgreSQL database. Does not repeat it: it may hold a password.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PostgresUrlError {
    /// It begins otherwise.
    #[error("the URL of a PostgreSQL database begins with postgres:// or postgresql://")]
    Scheme,
    /// `sslmode` is none of those that are known.
    #[error("sslmode is none of disable, prefer, require, verify-ca, verify-full")]
    SslMode,
    /// Something else is wrong with it.
    #[error("the URL of the PostgreSQL database is malformed, or has a parameter that is not known")]
    Malformed,
}

/// The file that should hold the password cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the password file {} cannot be read", path.display())]
#[non_exhaustive]
pub struct PasswordFileError {
    /// The file.
    pub path: PathBuf,
    /// What the system says.
    #[source]
    pub source: std::io::Error,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_how_the_connection_is_protected_and_nothing_shows_its_password() {
        let url = "postgres://cwa:hunter2@db.example:6432/cwa?sslmode=verify-full&sslrootcert=ca.pem&application_name=a%20b";
        let settings = PostgresSettings::parse(url).unwrap();
        assert_eq!(settings.tls, TlsMode::VerifyFull);
        assert_eq!(settings.root_certificates.as_deref(), Some(Path::new("ca.pem")));
        assert_eq!(settings.config.get_ssl_mode(), SslMode::Require);
        assert_eq!(settings.config.get_application_name(), Some("a b"));
        assert_eq!(settings.config.get_password(), Some(&b"hunter2"[..]));
        assert!(!format!("{settings:?}").contains("hunter2"));
        let plain = PostgresSettings::parse("postgresql://localhost/cwa").unwrap();
        assert_eq!((plain.tls, plain.config.get_ssl_mode()), (TlsMode::Prefer, SslMode::Prefer));
        assert_eq!(PostgresSettings::parse("mysql://h/d").unwrap_err(), PostgresUrlError::Scheme);
        let error = PostgresSettings::parse("postgres://h/d?sslmode=sometimes").unwrap_err();
        assert_eq!(error, PostgresUrlError::SslMode);
        let error = PostgresSettings::parse("postgres://u:hunter2@h/d?nonsense=1").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }

    #[test]
    fn the_password_is_in_a_file_of_its_own_or_in_the_line_for_this_database() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("password");
        fs::write(&file, "secret one\n").unwrap();
        let settings = PostgresSettings::parse("postgres://cwa@db/keys").unwrap();
        let with = settings.clone().password_file(&file).with_password().unwrap();
        assert_eq!(with.config.get_password(), Some(&b"secret one"[..]));
        let missing = settings.clone().password_file(directory.path().join("nowhere")).with_password();
        assert!(missing.unwrap_err().to_string().contains("nowhere"));

        let find = |line: &str| settings.matching_password(line).map(|password| password.to_string());
        assert_eq!(find("db:5432:keys:cwa:secret").as_deref(), Some("secret"));
        assert_eq!(find("*:*:*:cwa:with\\:colon\\\\ and : one").as_deref(), Some("with:colon\\ and : one"));
        assert_eq!(find("db:5433:keys:cwa:secret"), None);
        assert_eq!(find("db:5432:keys:somebody:secret"), None);
        assert_eq!(find("# db:5432:keys:cwa:secret"), None);
        assert_eq!(find("nonsense"), None);
    }
}
