//! The publisher: from stored keys to signed files.
//!
//! A run is a function of the database and of `now`. It closes every hour that is due, in order, and stores which keys
//! belong to it; then it makes the files that are missing or stale. Content is written first, then the indexes, and last
//! the signed manifest that ties them together; a run that breaks off is finished by the next one.

use core::sync::atomic::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cwa_crypto::{Day, DiagnosisKey, UnixTime};
use cwa_export::archive::WriteArchiveError;
use cwa_export::batch::{ClockBehind, Hour, PublicationPolicy};
use cwa_export::export::{Export, SignContentError};
use cwa_export::index::{DistributionPath, Manifest, countries_json, days_json, hours_json};
use cwa_export::signature::SignError;
use cwa_export::{Country, ExportKey, Signer};
use tokio::sync::Mutex;

use super::metrics::Metrics;
use super::store::{CloseError, Package, PackageStore as _, Span, SqliteStore, StoreError};
use super::tree::Tree;

/// A signer that a server can share between its threads.
pub type SharedSigner = Arc<dyn Signer + Send + Sync>;

/// A package that a run has written.
#[derive(Clone, Debug, Eq, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct Publication {
    /// Its path, as clients ask for it, without the leading `/`.
    pub path: String,
    /// The keys it holds, padding included; 0 for an empty package.
    pub key_count: usize,
}

/// Closes hours and writes packages.
pub(super) struct Publisher {
    store: SqliteStore,
    metrics: Arc<Metrics>,
    tree: Tree,
    signer: SharedSigner,
    policy: PublicationPolicy,
    country: Country,
    /// Signed configurations, by where they are published.
    configurations: BTreeMap<DistributionPath, Vec<u8>>,
    lock_file: PathBuf,
    /// One run at a time in this process; the lock file keeps other processes out.
    turn: Mutex<()>,
}

impl core::fmt::Debug for Publisher {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Publisher")
            .field("country", &self.country)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

/// What a publisher is made of.
pub(super) struct PublisherParts {
    pub(super) store: SqliteStore,
    pub(super) metrics: Arc<Metrics>,
    pub(super) tree: Tree,
    pub(super) signer: SharedSigner,
    pub(super) policy: PublicationPolicy,
    pub(super) country: Country,
    pub(super) configurations: BTreeMap<DistributionPath, Vec<u8>>,
    pub(super) lock_file: PathBuf,
}

impl Publisher {
    pub(super) fn new(parts: PublisherParts) -> Self {
        let PublisherParts { store, metrics, tree, signer, policy, country, configurations, lock_file } =
            parts;
        Self {
            store,
            metrics,
            tree,
            signer,
            policy,
            country,
            configurations,
            lock_file,
            turn: Mutex::new(()),
        }
    }

    /// One run; gives the packages it has written, oldest first, hours before days.
    pub(super) async fn publish(&self, now: UnixTime) -> Result<Vec<Publication>, PublishError> {
        let _turn = self.turn.lock().await;
        let _lock = RunLock::take(&self.lock_file)?;
        let result = self.run(now).await;
        match &result {
            Ok(written) => {
                self.metrics.packages_published.add(written.len() as u64);
                self.metrics.last_publish.store(now.as_secs(), Ordering::Relaxed);
            }
            Err(_) => self.metrics.publish_failures.add(1),
        }
        let pending = self.store.publisher_state().await?.keys_pending;
        self.metrics.keys_pending.store(pending, Ordering::Relaxed);
        result
    }

    /// Whether the signer makes signatures.
    pub(super) fn can_sign(&self) -> bool {
        self.signer.sign_digest(&[0; 32]).is_ok()
    }

    async fn run(&self, now: UnixTime) -> Result<Vec<Publication>, PublishError> {
        self.store.purge_keys(self.policy, now).await?;
        let closed =
            self.store.close_hours(self.policy, super::rng(), now).await.map_err(|error| match error {
                CloseError::ClockBehind(error) => PublishError::ClockBehind(error),
                CloseError::Store(error) => PublishError::Store(error),
            })?;
        let served = Served::new(&self.policy, closed.next_hour, now);

        let mut written = Vec::new();
        let mut packages = Vec::new();
        let mut gone = Vec::new();
        for package in self.store.packages().await? {
            if !served.includes(package.span) {
                gone.push(package.span);
                continue;
            }
            let path = self.path(package.span);
            let key_count = if package.stale || !self.tree.contains(path) {
                let keys = self.store.keys_of(package.span).await?;
                let key_count = keys.len();
                let archive = self.archive(package.span, keys)?;
                self.tree.write(path, &archive).map_err(|source| self.unwritable(path, source))?;
                self.store.package_written(package.span, Some(key_count)).await?;
                written.push(Publication { path: path.to_string(), key_count });
                key_count
            } else {
                package.key_count
            };
            packages.push(Package { key_count, ..package });
        }
        for (path, content) in &self.configurations {
            self.tree.write(*path, content).map_err(|source| self.unwritable(*path, source))?;
        }
        self.write_indexes(&served, &packages, now)?;
        // What no index names any more can go.
        for span in gone {
            let path = self.path(span);
            self.tree.remove(path).map_err(|source| self.unwritable(path, source))?;
            self.store.package_written(span, None).await?;
        }
        self.remove_old_hour_indexes(&served)?;
        self.store.run_finished(now).await?;
        Ok(written)
    }

    /// The signed archive of a package, an empty one too.
    fn archive(&self, span: Span, keys: Vec<DiagnosisKey>) -> Result<Vec<u8>, PublishError> {
        let (start, end) = match span {
            Span::Hour(hour) => (hour.start(), hour.end()),
            Span::Day(day) => (day.start(), day.next().start()),
        };
        let keys = keys.into_iter().map(ExportKey::from).collect();
        let export = Export::new(start, end, self.country.to_string(), keys);
        Ok(export.sign(&[&*self.signer])?.to_archive()?)
    }

    /// The indexes, and the manifest of everything that is served.
    fn write_indexes(
        &self,
        served: &Served,
        packages: &[Package],
        now: UnixTime,
    ) -> Result<(), PublishError> {
        let country = self.country;
        let mut indexes = BTreeMap::new();
        indexes.insert(DistributionPath::Countries, countries_json([country]));
        let days = packages.iter().filter_map(|package| match package.span {
            Span::Day(day) if package.key_count > 0 => Some(day),
            _ => None,
        });
        indexes.insert(DistributionPath::Dates { country }, days_json(days));
        for day in served.days_with_hours() {
            let hours = packages.iter().filter_map(|package| match package.span {
                Span::Hour(hour) if package.key_count > 0 && hour.day() == day => Some(hour),
                _ => None,
            });
            indexes.insert(DistributionPath::Hours { country, day }, hours_json(hours));
        }

        let mut manifest = Manifest::new(now);
        for package in packages {
            let path = self.path(package.span);
            self.list(&mut manifest, path, package.key_count)?;
        }
        for path in self.configurations.keys() {
            self.list(&mut manifest, *path, 0)?;
        }
        for (path, content) in &indexes {
            manifest.insert(*path, content.as_bytes(), 0);
        }
        let manifest = manifest.sign(&[&*self.signer])?.to_archive()?;
        // Hours before days before countries: what a reader reads first is written last.
        for (path, content) in indexes.iter().rev() {
            self.tree.write(*path, content.as_bytes()).map_err(|source| self.unwritable(*path, source))?;
        }
        let path = DistributionPath::Manifest;
        self.tree.write(path, &manifest).map_err(|source| self.unwritable(path, source))?;
        Ok(())
    }

    fn list(
        &self,
        manifest: &mut Manifest,
        path: DistributionPath,
        key_count: usize,
    ) -> Result<(), PublishError> {
        let content = self.tree.read(path).map_err(|source| self.unwritable(path, source))?;
        manifest.insert(path, &content.unwrap_or_default(), key_count);
        Ok(())
    }

    /// Hour indexes of days whose hours are served no longer.
    fn remove_old_hour_indexes(&self, served: &Served) -> Result<(), PublishError> {
        let kept = served.days_with_hours();
        for day in (0..=self.policy.retention_days).map(|back| served.today.minus(back)) {
            if !kept.contains(&day) {
                let path = DistributionPath::Hours { country: self.country, day };
                self.tree.remove(path).map_err(|source| self.unwritable(path, source))?;
            }
        }
        Ok(())
    }

    fn path(&self, span: Span) -> DistributionPath {
        let country = self.country;
        match span {
            Span::Hour(hour) => DistributionPath::HourPackage { country, hour },
            Span::Day(day) => DistributionPath::DayPackage { country, day },
        }
    }

    fn unwritable(&self, path: DistributionPath, source: io::Error) -> PublishError {
        PublishError::File { path: self.tree.file(path), source }
    }
}

/// Which packages are served at a moment.
struct Served {
    hours: BTreeSet<Hour>,
    days: BTreeSet<Day>,
    today: Day,
}

impl Served {
    fn new(policy: &PublicationPolicy, next: Hour, now: UnixTime) -> Self {
        Self {
            hours: policy.served_hours(next, now).collect(),
            days: policy.served_days(next, now).collect(),
            today: now.day(),
        }
    }

    fn includes(&self, span: Span) -> bool {
        match span {
            Span::Hour(hour) => self.hours.contains(&hour),
            Span::Day(day) => self.days.contains(&day),
        }
    }

    /// Every day of which hours are served, and today.
    fn days_with_hours(&self) -> BTreeSet<Day> {
        self.hours.iter().map(|hour| hour.day()).chain([self.today]).collect()
    }
}

/// Held while a run is under way, against other processes that share the files.
#[derive(Debug)]
struct RunLock(#[expect(dead_code, reason = "holds the lock until it is dropped")] fs::File);

impl RunLock {
    fn take(path: &Path) -> Result<Self, PublishError> {
        let unusable = |source| PublishError::File { path: path.to_owned(), source };
        let file =
            fs::File::options().create(true).truncate(false).write(true).open(path).map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(fs::TryLockError::WouldBlock) => Err(PublishError::Busy),
            Err(fs::TryLockError::Error(source)) => Err(unusable(source)),
        }
    }
}

/// Why a run was not finished. The next one takes up where it broke off.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// There is no signing key.
    #[error("there is no signing key")]
    NoSigner,
    /// The present lies before an hour that was already closed.
    #[error(transparent)]
    ClockBehind(#[from] ClockBehind),
    /// Another process is publishing into the same directory.
    #[error("another process is publishing into the same directory")]
    Busy,
    /// The database failed.
    #[error("the database failed")]
    Store(#[from] StoreError),
    /// A package could not be signed.
    #[error("a package could not be signed")]
    Sign(#[from] SignError),
    /// The manifest could not be signed.
    #[error("the manifest could not be signed")]
    SignContent(#[from] SignContentError),
    /// A package does not fit into its archive.
    #[error("a package does not fit into its archive")]
    Archive(#[from] WriteArchiveError),
    /// A file could not be read or written.
    #[error("{} could not be read or written", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}
