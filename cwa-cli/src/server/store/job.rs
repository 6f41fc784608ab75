//! Locks of the jobs that must run in one process at a time, however many share a database.

use std::fs;
use std::path::Path;

use super::StoreError;

/// A job that runs in one process at a time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::server) enum Job {
    /// Closing hours and publishing their packages.
    Publish,
    /// Forgetting.
    Retention,
}

impl Job {
    /// The name of its lock's file.
    const fn file_name(self) -> &'static str {
        match self {
            Self::Publish => "publish.lock",
            Self::Retention => "retention.lock",
        }
    }
}

/// A job's lock, held until this is dropped or the process ends, however it ends.
#[derive(Debug)]
pub(in crate::server) struct JobLock {
    held: Held,
}

#[derive(Debug)]
enum Held {
    File(#[expect(dead_code, reason = "holds the lock until it is dropped")] fs::File),
    #[cfg(feature = "postgres")]
    Connection(Box<deadpool_postgres::ClientWrapper>),
}

impl JobLock {
    /// Gives the lock back at once. Dropping does too, but a session of PostgreSQL ends a moment after its connection.
    #[cfg_attr(
        not(feature = "postgres"),
        expect(clippy::unused_async, reason = "the other database is asked")
    )]
    pub(in crate::server) async fn release(self) {
        #[cfg(feature = "postgres")]
        if let Held::Connection(client) = &self.held {
            // If this fails, the connection has, and with it went the lock.
            let _ = client.batch_execute("SELECT pg_advisory_unlock_all()").await;
        }
        drop(self.held);
    }

    /// A lock that this session of PostgreSQL holds; it ends with the connection.
    #[cfg(feature = "postgres")]
    pub(super) fn on_connection(client: deadpool_postgres::ClientWrapper) -> Self {
        Self { held: Held::Connection(Box::new(client)) }
    }

    /// Locks a file beside an SQLite database. Blocks no longer than opening a file takes.
    pub(super) fn beside(database: &Path, job: Job) -> Result<Option<Self>, StoreError> {
        let path = database.with_file_name(job.file_name());
        let file = fs::File::options().create(true).truncate(false).write(true).open(path);
        let file = file.map_err(StoreError::Io)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { held: Held::File(file) })),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(source)) => Err(StoreError::Io(source)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_locked_once_until_its_lock_is_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("cwa.sqlite3");
        let held = JobLock::beside(&database, Job::Publish).unwrap();
        assert!(held.is_some());
        assert!(JobLock::beside(&database, Job::Publish).unwrap().is_none());
        assert!(JobLock::beside(&database, Job::Retention).unwrap().is_some(), "another job is free");
        drop(held);
        assert!(JobLock::beside(&database, Job::Publish).unwrap().is_some());
    }
}
