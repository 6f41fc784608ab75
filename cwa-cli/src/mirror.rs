//! A copy of a distribution on disk: asks for what is new, and puts each file in place whole.

mod state;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use cwa_crypto::{Day, UnixTime};
use cwa_export::archive;
use cwa_export::audit::{Audit, Verdict};
use cwa_export::batch::Hour;
use cwa_export::finding::Severity;
use cwa_export::index::{DistributionPath, parse_countries, parse_days, parse_hours};
use cwa_export::layout::{FileIndex, RelativePath};
use cwa_export::transfer::{EntityTag, Listing, Outcome, Package, TransferPlanner, TransferPolicy};
use cwa_export::{Country, TrustStore};
use hyper::header::{ETAG, IF_NONE_MATCH};
use rand::rngs::StdRng;
use serde::Serialize;

use crate::client::{Answer, Session};
use crate::failure::{Failure, Kind};
use crate::output::replace_file;
use state::State;

/// Where a distribution is: plain HTTP.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ServerAddress {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Empty, or begins with a slash and ends without.
    base: String,
}

impl core::str::FromStr for ServerAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let uri: hyper::Uri = text.parse().map_err(|_| "no address such as http://localhost:8000")?;
        if uri.scheme_str() != Some("http") {
            return Err("only http:// is spoken; TLS needs a proxy on this machine".to_owned());
        }
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'));
        let authority = authority.ok_or("no host, or more than a host and a port")?;
        if uri.query().is_some() {
            return Err("an address without a query is needed".to_owned());
        }
        Ok(Self {
            host: authority.host().to_owned(),
            port: authority.port_u16().unwrap_or(80),
            base: uri.path().trim_end_matches('/').to_owned(),
        })
    }
}

impl core::fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.port {
            80 => write!(f, "http://{}{}", self.host, self.base),
            port => write!(f, "http://{}:{port}{}", self.host, self.base),
        }
    }
}

/// What became of one file.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FileOutcome {
    /// It was not there.
    New,
    /// It has other content than before.
    Changed,
    /// The server says that it is the same, or sent the same.
    Unchanged,
    /// It is listed and is not there.
    Missing,
    /// It was not put in place.
    Refused,
    /// It would be asked for.
    Planned,
}

/// One file of a run.
#[derive(Debug, Serialize)]
pub(crate) struct MirroredFile {
    pub(crate) path: String,
    pub(crate) outcome: FileOutcome,
    /// Bytes that came.
    pub(crate) bytes: usize,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// What verifying said, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) verdict: Option<Verdict>,
}

/// What a run did.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Run {
    pub(crate) requests: usize,
    pub(crate) connections: usize,
    /// When a mirror should ask again, in Unix seconds; none of a layout that has no interval.
    pub(crate) next_run: Option<u64>,
    pub(crate) files: Vec<MirroredFile>,
}

impl Run {
    pub(crate) fn count(&self, outcome: FileOutcome) -> usize {
        self.files.iter().filter(|file| file.outcome == outcome).count()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

/// What a mirror noted of a file when it put it in place.
#[derive(Debug)]
pub(crate) struct RecordedFile {
    pub(crate) path: String,
    pub(crate) sha256: String,
    pub(crate) etag: Option<String>,
}

/// What the mirror in `directory` noted of its files; nothing if it is no mirror.
pub(crate) fn recorded(directory: &Path) -> Result<Vec<RecordedFile>, Failure> {
    Ok(State::read(directory)?.into_iter().flat_map(State::into_files).collect())
}

/// How a mirror is made.
#[derive(Debug)]
pub(crate) struct Mirror<'a> {
    server: &'a ServerAddress,
    directory: Option<&'a Path>,
    writes: bool,
    session: Session,
    state: State,
    trusted: Option<&'a TrustStore>,
    run: Run,
}

impl<'a> Mirror<'a> {
    /// A mirror of `server` in `directory`; a dry run, which needs none, only asks for indexes. With trusted keys, what
    /// does not verify under one of them is refused.
    pub(crate) fn open(
        server: &'a ServerAddress,
        directory: Option<&'a Path>,
        dry_run: bool,
        trusted: Option<&'a TrustStore>,
    ) -> Result<Self, Failure> {
        let state = match directory {
            Some(directory) => State::open(directory, &server.to_string())?,
            None => State::empty(&server.to_string()),
        };
        let session = Session::new(server.host.clone(), server.port);
        let writes = directory.is_some() && !dry_run;
        Ok(Self { server, directory, writes, session, state, trusted, run: Run::default() })
    }

    /// The German tree, of these countries or of all that it lists.
    pub(crate) async fn tree(
        mut self,
        countries: &[Country],
        now: UnixTime,
        rng: &mut StdRng,
    ) -> Result<Run, Failure> {
        let result = self.tree_files(countries, now, rng).await;
        self.end(result)
    }

    /// A host with an `index.txt`.
    pub(crate) async fn file_index(mut self, index: &RelativePath, from_root: bool) -> Result<Run, Failure> {
        let result = self.listed_files(index, from_root).await;
        self.end(result)
    }

    /// What was got is kept, however the run ended.
    fn end(mut self, result: Result<(), Failure>) -> Result<Run, Failure> {
        if let Some(directory) = self.directory.filter(|_| self.writes) {
            self.state.save(directory)?;
        }
        result?;
        self.run.requests = self.session.requests();
        self.run.connections = self.session.connections();
        Ok(self.run)
    }

    async fn tree_files(
        &mut self,
        countries: &[Country],
        now: UnixTime,
        rng: &mut StdRng,
    ) -> Result<(), Failure> {
        let mut indexes = Vec::new();
        let path = DistributionPath::Countries;
        let mut listed = countries.to_vec();
        if let Some(index) = self.index(path).await? {
            let all = parse_countries(&index).map_err(|error| wrong_index(path, error))?;
            if countries.is_empty() {
                listed = all;
            }
            indexes.push((path, index));
        } else if countries.is_empty() {
            return Err(no_index(path));
        }
        for country in listed {
            indexes.splice(0..0, self.country(country, now, rng).await?);
            self.optional_archive(DistributionPath::Configuration { country }).await?;
        }
        for path in [
            DistributionPath::ConfigurationAndroid,
            DistributionPath::ConfigurationIos,
            DistributionPath::Manifest,
        ] {
            self.optional_archive(path).await?;
        }
        // Indexes last: a run that breaks leaves none that lists what it did not come to.
        indexes.into_iter().try_for_each(|(path, index)| self.place(&path.file_path(), &index))
    }

    /// The packages of one country; its indexes, to be put in place when everything they list is.
    async fn country(
        &mut self,
        country: Country,
        now: UnixTime,
        rng: &mut StdRng,
    ) -> Result<Vec<(DistributionPath, Vec<u8>)>, Failure> {
        let dates = DistributionPath::Dates { country };
        let index = self.index(dates).await?.ok_or_else(|| no_index(dates))?;
        let days: BTreeSet<Day> =
            parse_days(&index).map_err(|error| wrong_index(dates, error))?.into_iter().collect();
        let mut planner = TransferPlanner::new(TransferPolicy::mirror());
        let mut hours: BTreeMap<Day, BTreeSet<Hour>> = BTreeMap::new();
        let mut indexes = Vec::new();
        for day in planner.hour_indexes(&days, now) {
            let path = DistributionPath::Hours { country, day };
            if let Some(index) = self.index(path).await? {
                let listed = parse_hours(day, &index).map_err(|error| wrong_index(path, error))?;
                hours.insert(day, listed.into_iter().collect());
                indexes.push((path, index));
            }
        }
        indexes.push((dates, index));
        let listed = days.iter().copied().map(Package::Day);
        let listed = listed.chain(hours.values().flatten().copied().map(Package::Hour));
        for package in listed {
            if let Some(etag) = self.state.held(self.directory, &package.path(country).file_path()) {
                planner.hold(package, Some(etag));
            }
        }
        let plan = planner.plan(&Listing { days, hours }, now);
        let mut outcome = Outcome::Complete;
        for request in plan.requests {
            let path = request.package.path(country);
            let url = path.to_string();
            let file = self.archive(&url, &path.file_path(), request.if_none_match.as_ref()).await?;
            if matches!(file, FileOutcome::Missing | FileOutcome::Refused) {
                outcome = Outcome::Failed;
            }
        }
        let next = planner.finish(outcome, now, rng).next_run.as_secs();
        self.run.next_run = Some(self.run.next_run.map_or(next, |other| other.min(next)));
        Ok(indexes)
    }

    async fn listed_files(&mut self, index: &RelativePath, from_root: bool) -> Result<(), Failure> {
        let url = if from_root { format!("/{index}") } else { format!("{}/{index}", self.server.base) };
        let bytes = self.resource(&url, index.as_str()).await?;
        let bytes = bytes.ok_or_else(|| no_index(index))?;
        let files = FileIndex::parse(&bytes, &self.server.to_string());
        for path in files.map_err(|error| wrong_index(index, error))?.files() {
            if path == index || state::is_own(path.as_str()) {
                let mut file = MirroredFile::planned(path.as_str());
                file.refuse("a mirror keeps another file there".to_owned());
                self.run.files.push(file);
            // Each file once: what has a name in the index never changes.
            } else if self.state.holds(self.directory, path.as_str()) {
                let outcome = FileOutcome::Unchanged;
                self.run.files.push(MirroredFile { outcome, ..MirroredFile::planned(path.as_str()) });
            } else {
                self.archive(path.as_str(), path.as_str(), None).await?;
            }
        }
        self.place(index.as_str(), &bytes)
    }

    /// A file of the tree that a distribution may be without.
    async fn optional_archive(&mut self, path: DistributionPath) -> Result<(), Failure> {
        let file_path = path.file_path();
        let etag = self.state.held(self.directory, &file_path);
        let outcome = self.archive(&path.to_string(), &file_path, etag.as_ref()).await?;
        if outcome == FileOutcome::Missing {
            self.run.files.pop();
        }
        Ok(())
    }

    /// An index of the tree; `None` if the server has none.
    async fn index(&mut self, path: DistributionPath) -> Result<Option<Vec<u8>>, Failure> {
        let url = format!("{}/{path}", self.server.base);
        self.resource(&url, &path.file_path()).await
    }

    /// Unsigned content, from the server or, if it says that it is the same, from the disk; put in place later.
    async fn resource(&mut self, url: &str, file_path: &str) -> Result<Option<Vec<u8>>, Failure> {
        let etag = self.state.held(self.directory, file_path);
        let answer = self.get(url, etag.as_ref()).await?;
        match (answer.status.as_u16(), self.directory) {
            (200, _) if answer.body.len() > FileIndex::MAX_BYTES => {
                let (bytes, most) = (answer.body.len(), FileIndex::MAX_BYTES);
                Err(network(format!("the index {url} has {bytes} bytes; at most {most} are read")))
            }
            (200, _) => {
                self.state.coming(file_path, entity_tag(&answer));
                Ok(Some(answer.body.to_vec()))
            }
            (304, Some(directory)) if etag.is_some() => {
                let path = directory.join(file_path);
                std::fs::read(&path).map(Some).map_err(|error| {
                    Failure::new(Kind::System, "CWA-E0904", format!("{} could not be read", path.display()))
                        .caused_by(error)
                })
            }
            (404, _) => Ok(None),
            (status, _) => Err(network(format!("{url} answered {status}"))),
        }
    }

    /// One archive: asked for, checked, put in place.
    async fn archive(
        &mut self,
        url: &str,
        file_path: &str,
        etag: Option<&EntityTag>,
    ) -> Result<FileOutcome, Failure> {
        let mut file = MirroredFile::planned(url);
        if self.writes {
            let answer = self.get(&format!("{}/{url}", self.server.base), etag).await?;
            file.bytes = answer.body.len();
            match answer.status.as_u16() {
                200 => self.take(&answer, file_path, &mut file)?,
                304 if etag.is_some() => file.outcome = FileOutcome::Unchanged,
                404 => file.outcome = FileOutcome::Missing,
                status => file.refuse(format!("status {status}")),
            }
        }
        let outcome = file.outcome;
        self.run.files.push(file);
        Ok(outcome)
    }

    /// Puts an archive in place, unless it is none or must not be believed.
    fn take(&mut self, answer: &Answer, file_path: &str, file: &mut MirroredFile) -> Result<(), Failure> {
        if !archive::is_archive(&answer.body) {
            file.refuse("not an archive".to_owned());
            return Ok(());
        }
        if let Some(trusted) = self.trusted {
            let report = Audit::new(trusted).archive(&answer.body);
            file.verdict = Some(report.verdict);
            if report.verdict != Verdict::Valid {
                let error = report.findings.into_iter().find(|finding| finding.severity == Severity::Error);
                file.refuse(error.map_or_else(|| report.verdict.to_string(), |finding| finding.message));
                return Ok(());
            }
        }
        file.outcome = self.state.compare(self.directory, file_path, &answer.body);
        self.state.coming(file_path, entity_tag(answer));
        self.place(file_path, &answer.body)
    }

    /// Puts a file in place whole, and remembers which content it is. Nothing happens in a dry run.
    fn place(&mut self, file_path: &str, content: &[u8]) -> Result<(), Failure> {
        let Some(directory) = self.directory.filter(|_| self.writes) else { return Ok(()) };
        let path: PathBuf = directory.join(file_path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(|error| {
                Failure::new(Kind::System, "CWA-E0904", format!("{} cannot be made", parent.display()))
                    .caused_by(error)
            })?;
        }
        if self.state.compare(Some(directory), file_path, content) != FileOutcome::Unchanged {
            replace_file(&path, content)?;
        }
        self.state.placed(file_path, content);
        Ok(())
    }

    async fn get(&mut self, url: &str, etag: Option<&EntityTag>) -> Result<Answer, Failure> {
        let known = etag.map(|etag| (IF_NONE_MATCH.as_str(), etag.as_str()));
        let answer = self.session.get(url, known.as_slice()).await;
        answer.map_err(|error| {
            network(format!("{url} could not be fetched from {}", self.server)).caused_by(error)
        })
    }
}

impl MirroredFile {
    fn planned(path: &str) -> Self {
        let outcome = FileOutcome::Planned;
        Self { path: path.to_owned(), outcome, bytes: 0, reason: None, verdict: None }
    }

    fn refuse(&mut self, reason: String) {
        self.outcome = FileOutcome::Refused;
        self.reason = Some(reason);
    }
}

fn entity_tag(answer: &Answer) -> Option<EntityTag> {
    EntityTag::parse(answer.headers.get(ETAG)?.to_str().ok()?)
}

fn network(message: String) -> Failure {
    Failure::new(Kind::Network, "CWA-E0901", message)
        .help("what came before is in the mirror; the next run goes on from there")
}

fn no_index(path: impl core::fmt::Display) -> Failure {
    Failure::new(Kind::Network, "CWA-E0902", format!("the server has no index {path}"))
}

fn wrong_index(
    path: impl core::fmt::Display,
    error: impl core::error::Error + Send + Sync + 'static,
) -> Failure {
    Failure::new(Kind::Network, "CWA-E0903", format!("the index {path} cannot be used")).caused_by(error)
}
