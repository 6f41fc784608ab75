//! The publisher: from stored keys to signed files.
//!
//! A run is a function of the database and of `now`. It closes every hour that is due, in order, and stores which keys
//! belong to it; then it makes the files that are missing or stale. Content is written first, then the indexes, and last
//! the signed manifest that ties them together; a run that breaks off is finished by the next one.

use core::fmt;
use core::sync::atomic::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use cwa_crypto::{Day, DiagnosisKey, UnixTime};
use cwa_export::archive::WriteArchiveError;
use cwa_export::batch::{ClockBehind, Hour, PublicationPolicy};
use cwa_export::export::{Export, SignContentError};
use cwa_export::index::{DistributionPath, Manifest, countries_json, days_json, hours_json};
use cwa_export::signature::SignError;
use cwa_export::{Country, ExportKey, Signer};
use tokio::sync::Mutex;
use tokio::task::{JoinError, JoinSet};

use super::metrics::Metrics;
use super::store::{CloseError, Database, Job, Package, PackageStore as _, Span, StoreError};
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
#[derive(Debug)]
pub(super) struct Publisher {
    store: Database,
    metrics: Arc<Metrics>,
    policy: PublicationPolicy,
    files: Arc<Files>,
    /// One run at a time in this process; the job's lock keeps other processes out.
    turn: Mutex<()>,
}

/// What becomes of packages outside the database. Its methods block.
pub(super) struct Files {
    pub(super) tree: Tree,
    pub(super) signer: SharedSigner,
    pub(super) country: Country,
    /// Signed configurations, by where they are published.
    pub(super) configurations: BTreeMap<DistributionPath, Vec<u8>>,
}

/// How many packages are made at a time: most of the time goes into waiting for the disk.
const PACKAGES_AT_A_TIME: usize = 8;

impl Publisher {
    pub(super) fn new(
        store: Database,
        metrics: Arc<Metrics>,
        policy: PublicationPolicy,
        files: Files,
    ) -> Self {
        Self { store, metrics, policy, files: Arc::new(files), turn: Mutex::new(()) }
    }

    /// One run; gives the packages it has written, hours before days, oldest first.
    pub(super) async fn publish(&self, now: UnixTime) -> Result<Vec<Publication>, PublishError> {
        let _turn = self.turn.lock().await;
        let lock = self.store.try_lock(Job::Publish).await?.ok_or(PublishError::Busy)?;
        let result = self.run(now).await;
        lock.release().await;
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
    pub(super) async fn can_sign(&self) -> bool {
        self.blocking(|files| Ok(files.signer.sign_digest(&[0; 32]).is_ok())).await.unwrap_or(false)
    }

    async fn run(&self, now: UnixTime) -> Result<Vec<Publication>, PublishError> {
        let closed =
            self.store.close_hours(self.policy, super::rng(), now).await.map_err(|error| match error {
                CloseError::ClockBehind(error) => PublishError::ClockBehind(error),
                CloseError::ClockAhead { now, open } => PublishError::ClockAhead { now, open },
                CloseError::Store(error) => PublishError::Store(error),
            })?;
        let served = Served::new(&self.policy, closed.next_hour, now);
        let (mut packages, gone): (Vec<_>, Vec<_>) =
            self.store.packages().await?.into_iter().partition(|package| served.includes(package.span));
        let gone: Vec<Span> = gone.into_iter().map(|package| package.span).collect();

        let written = self.write_packages(&packages).await?;
        for package in &mut packages {
            if let Some(key_count) = written.get(&package.span) {
                package.key_count = *key_count;
            }
        }
        let retention_days = self.policy.retention_days;
        let unnamed = gone.clone();
        self.blocking(move |files| {
            files.write_configurations()?;
            files.write_indexes(&served, &packages, now)?;
            // What no index names any more can go.
            files.remove(&served, &unnamed, retention_days)
        })
        .await?;
        let path = |span| self.files.path(span).to_string();
        let publications = written
            .iter()
            .map(|(span, key_count)| Publication { path: path(*span), key_count: *key_count })
            .collect();
        self.store.run_finished(written, gone, now).await?;
        Ok(publications)
    }

    /// Makes the files that are stale or missing, several at a time.
    async fn write_packages(&self, packages: &[Package]) -> Result<BTreeMap<Span, usize>, PublishError> {
        let mut written = BTreeMap::new();
        let mut under_way = JoinSet::new();
        for package in packages {
            let span = package.span;
            if !package.stale && self.blocking(move |files| Ok(files.contains(span))).await? {
                continue;
            }
            if under_way.len() >= PACKAGES_AT_A_TIME
                && let Some(done) = under_way.join_next().await
            {
                let (span, key_count) = finished(done)??;
                written.insert(span, key_count);
            }
            let keys = self.store.keys_of(span).await?;
            let files = Arc::clone(&self.files);
            under_way.spawn_blocking(move || {
                let key_count = keys.len();
                files.write_package(span, keys)?;
                Ok::<_, PublishError>((span, key_count))
            });
        }
        while let Some(done) = under_way.join_next().await {
            let (span, key_count) = finished(done)??;
            written.insert(span, key_count);
        }
        Ok(written)
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Files) -> Result<T, PublishError> + Send + 'static,
    ) -> Result<T, PublishError> {
        let files = Arc::clone(&self.files);
        finished(tokio::task::spawn_blocking(move || work(&files)).await)?
    }
}

fn finished<T>(done: Result<T, JoinError>) -> Result<T, PublishError> {
    done.map_err(|_panicked| PublishError::Interrupted)
}

impl Files {
    fn contains(&self, span: Span) -> bool {
        self.tree.contains(self.path(span))
    }

    /// Writes the signed archive of a package, an empty one too.
    fn write_package(&self, span: Span, keys: Vec<DiagnosisKey>) -> Result<(), PublishError> {
        let (start, end) = match span {
            Span::Hour(hour) => (hour.start(), hour.end()),
            Span::Day(day) => (day.start(), day.next().start()),
        };
        let keys = keys.into_iter().map(ExportKey::from).collect();
        let export = Export::new(start, end, self.country.to_string(), keys);
        self.write(self.path(span), &export.sign(&[&*self.signer])?.to_archive()?)
    }

    fn write_configurations(&self) -> Result<(), PublishError> {
        self.configurations.iter().try_for_each(|(path, archive)| self.write(*path, archive))
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
            manifest.insert(path, &self.read(path)?, package.key_count);
        }
        // A configuration that is not among the settings any more, or that another process has published, stays until
        // it is replaced; what is served is in the manifest.
        let places = [
            DistributionPath::Configuration { country },
            DistributionPath::ConfigurationAndroid,
            DistributionPath::ConfigurationIos,
        ];
        for path in places {
            if let Some(archive) = self.tree.read(path).map_err(|source| self.failed(path, source))? {
                manifest.insert(path, &archive, 0);
            }
        }
        for (path, content) in &indexes {
            manifest.insert(*path, content.as_bytes(), 0);
        }
        // Hours before days before countries: what a reader reads first is written last.
        for (path, content) in indexes.iter().rev() {
            self.write(*path, content.as_bytes())?;
        }
        self.write(DistributionPath::Manifest, &manifest.sign(&[&*self.signer])?.to_archive()?)
    }

    /// Removes packages that are served no longer, and hour indexes of days whose hours are served no longer.
    fn remove(&self, served: &Served, gone: &[Span], retention_days: u64) -> Result<(), PublishError> {
        let kept = served.days_with_hours();
        // The days of the packages that go count too: after a long pause they lie further back than the retention.
        let days_of_gone = gone.iter().filter_map(|span| match span {
            Span::Hour(hour) => Some(hour.day()),
            Span::Day(_) => None,
        });
        let days = (0..=retention_days).map(|back| served.today.minus(back)).chain(days_of_gone);
        let days: BTreeSet<Day> = days.filter(|day| !kept.contains(day)).collect();
        let indexes = days.into_iter().map(|day| DistributionPath::Hours { country: self.country, day });
        for path in gone.iter().map(|span| self.path(*span)).chain(indexes) {
            self.tree.remove(path).map_err(|source| self.failed(path, source))?;
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

    fn read(&self, path: DistributionPath) -> Result<Vec<u8>, PublishError> {
        let content = self.tree.read(path).map_err(|source| self.failed(path, source))?;
        content.ok_or_else(|| self.failed(path, io::ErrorKind::NotFound.into()))
    }

    fn write(&self, path: DistributionPath, content: &[u8]) -> Result<(), PublishError> {
        self.tree.write(path, content).map(drop).map_err(|source| self.failed(path, source))
    }

    fn failed(&self, path: DistributionPath, source: io::Error) -> PublishError {
        PublishError::File { path: self.tree.file(path), source }
    }
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Files")
            .field("tree", &self.tree)
            .field("country", &self.country)
            .finish_non_exhaustive()
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
    /// The present lies more than ten years after the last hour that was closed: the clock, or its unit, is wrong.
    #[error("the present is said to be {}, more than ten years after hour {open}, which is still open", now.as_secs())]
    ClockAhead {
        /// What the clock says.
        now: UnixTime,
        /// The first hour that is not closed.
        open: Hour,
    },
    /// Another process that shares the database is publishing.
    #[error("another process that shares the database is publishing")]
    Busy,
    /// A part of the work was not finished; the log says more.
    #[error("a part of the work was not finished")]
    Interrupted,
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
