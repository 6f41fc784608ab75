//! Where a server's database is.

use core::str::FromStr;
use std::path::{Path, PathBuf};

#[cfg(feature = "postgres")]
use super::postgres::{PostgresSettings, PostgresStore, PostgresUrlError, is_postgres_url};
use super::sqlite::SqliteStore;
use super::{Database, OpenError, StoreError};

/// Where a server's database is.
///
/// As text: a path or `sqlite:PATH`, or with feature `postgres` the URL of a PostgreSQL database.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum DatabaseLocation {
    /// An SQLite database in this file, which is made where there is none.
    Sqlite(PathBuf),
    /// A PostgreSQL database, which any number of servers may share.
    #[cfg(feature = "postgres")]
    Postgres(PostgresSettings),
}

impl DatabaseLocation {
    /// The same, if it is a relative path, below this directory.
    #[must_use]
    pub fn below(self, directory: &Path) -> Self {
        match self {
            Self::Sqlite(path) => Self::Sqlite(directory.join(path)),
            #[cfg(feature = "postgres")]
            other => other,
        }
    }

    pub(in crate::server) async fn open(self) -> Result<Database, OpenError> {
        match self {
            Self::Sqlite(path) => tokio::task::spawn_blocking(move || SqliteStore::open(&path))
                .await
                .map_err(|_panicked| StoreError::Interrupted)?
                .map(Database::Sqlite),
            #[cfg(feature = "postgres")]
            Self::Postgres(settings) => Ok(Database::Postgres(PostgresStore::open(settings).await?)),
        }
    }
}

impl FromStr for DatabaseLocation {
    type Err = DatabaseLocationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        #[cfg(feature = "postgres")]
        if is_postgres_url(text) {
            return Ok(Self::Postgres(PostgresSettings::parse(text)?));
        }
        let path = match text.split_once(':') {
            Some(("sqlite", path)) => path.strip_prefix("//").unwrap_or(path),
            Some((_, rest)) if rest.starts_with("//") => return Err(DatabaseLocationError::Unknown),
            _ => text,
        };
        if path.is_empty() { Err(DatabaseLocationError::Empty) } else { Ok(Self::Sqlite(path.into())) }
    }
}

// Not from text: that may be a URL, and is parsed.

impl From<PathBuf> for DatabaseLocation {
    fn from(path: PathBuf) -> Self {
        Self::Sqlite(path)
    }
}

impl From<&Path> for DatabaseLocation {
    fn from(path: &Path) -> Self {
        Self::Sqlite(path.to_owned())
    }
}

#[cfg(feature = "postgres")]
impl From<PostgresSettings> for DatabaseLocation {
    fn from(settings: PostgresSettings) -> Self {
        Self::Postgres(settings)
    }
}

/// Why a text names no database. Does not repeat it: it may hold a password.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseLocationError {
    /// A URL of another kind.
    #[cfg_attr(feature = "postgres", error("a database is a path, sqlite:PATH or postgres://…"))]
    #[cfg_attr(not(feature = "postgres"), error("this build stores in SQLite only: a path, or sqlite:PATH"))]
    Unknown,
    /// No path.
    #[error("the path is empty")]
    Empty,
    /// A URL of PostgreSQL that cannot be used.
    #[cfg(feature = "postgres")]
    #[error(transparent)]
    Postgres(#[from] PostgresUrlError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_a_path_or_a_url_of_a_kind_that_there_is() {
        for (text, expected) in [
            ("data/cwa.sqlite3", "data/cwa.sqlite3"),
            ("sqlite:data.sqlite3", "data.sqlite3"),
            ("sqlite:///var/lib/cwa.sqlite3", "/var/lib/cwa.sqlite3"),
        ] {
            let location: DatabaseLocation = text.parse().unwrap();
            assert!(
                matches!(location, DatabaseLocation::Sqlite(path) if path == Path::new(expected)),
                "{text}"
            );
        }
        assert_eq!(
            "mysql://localhost/cwa".parse::<DatabaseLocation>().unwrap_err(),
            DatabaseLocationError::Unknown
        );
        assert_eq!("sqlite:".parse::<DatabaseLocation>().unwrap_err(), DatabaseLocationError::Empty);
        #[cfg(feature = "postgres")]
        assert!(matches!("postgres://h/d".parse(), Ok(DatabaseLocation::Postgres(_))));
        #[cfg(not(feature = "postgres"))]
        assert!(matches!("postgres://h/d".parse::<DatabaseLocation>(), Err(DatabaseLocationError::Unknown)));
    }
}
