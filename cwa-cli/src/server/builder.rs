//! From parts to a running server.

use core::fmt;
use core::net::{Ipv4Addr, SocketAddr};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::routing::any;
use cwa_crypto::UnixTime;
use cwa_export::index::DistributionPath;
use cwa_export::signature::SigningKeyError;
use cwa_export::{Country, SignatureInfo, SoftwareSigner};
use cwa_verify::{HashKey, HashKeyId};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use zeroize::Zeroizing;

use super::configuration::{self, ConfigurationFileError, ConfigurationProblem};
use super::credentials::{Credential, Credentials};
use super::distribution::Distribution;
use super::metrics::Metrics;
use super::policy::Roles;
use super::portal::{Portal, PortalAccount};
use super::publisher::{Files, Publisher, SharedSigner};
use super::request::HeaderAllowance;
use super::store::{DatabaseLocation, OpenError};
use super::tasks::Tasks;
use super::tree::Tree;
use super::{
    Addresses, App, Policy, Publication, PublishError, Role, RunningServer, distribution, health, listener,
    portal, rng, submission, test_result, verification,
};
use crate::clock::ProtocolClock;

/// The reference server; see [`Server::builder`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Server;

impl Server {
    /// A server that keeps its data in this directory: database `cwa.sqlite3`, published files `www/`, secrets
    /// `secrets/`. It is made where it does not exist.
    pub fn builder(data_dir: impl Into<PathBuf>) -> ServerBuilder {
        let data_dir = data_dir.into();
        ServerBuilder {
            database: data_dir.join("cwa.sqlite3").into(),
            www: data_dir.join("www"),
            data_dir,
            clock: ProtocolClock::system(),
            policy: Policy::default(),
            country: Country::GERMANY,
            roles: Role::ALL.into(),
            scheduler: true,
            signer: None,
            hash_key: None,
            credentials: Vec::new(),
            portal_accounts: Vec::new(),
            configurations: BTreeMap::new(),
            configuration_files: Vec::new(),
            external: Listen::loopback(8000),
            internal: Listen::loopback(8001),
            admin: Listen::loopback(8002),
            portal: Listen::loopback(8003),
        }
    }
}

/// What a server is made of. Every part has a default but the signer, without which nothing is published.
#[must_use]
pub struct ServerBuilder {
    data_dir: PathBuf,
    database: DatabaseLocation,
    www: PathBuf,
    clock: ProtocolClock,
    policy: Policy,
    country: Country,
    roles: Roles,
    scheduler: bool,
    signer: Option<SharedSigner>,
    hash_key: Option<HashKey>,
    credentials: Vec<Credential>,
    portal_accounts: Vec<PortalAccount>,
    configurations: BTreeMap<DistributionPath, Vec<u8>>,
    configuration_files: Vec<PathBuf>,
    external: Listen,
    internal: Listen,
    admin: Listen,
    portal: Listen,
}

/// Where to listen.
#[derive(Debug)]
#[non_exhaustive]
pub enum Listen {
    /// At an address; port 0 takes a free one.
    At(SocketAddr),
    /// At a socket that is bound already, by systemd for example.
    Bound(std::net::TcpListener),
}

impl Listen {
    fn loopback(port: u16) -> Self {
        Self::At((Ipv4Addr::LOCALHOST, port).into())
    }

    async fn bind(self) -> Result<TcpListener, StartError> {
        match self {
            Self::At(address) => {
                TcpListener::bind(address).await.map_err(|source| StartError::Bind { address, source })
            }
            Self::Bound(listener) => listener
                .set_nonblocking(true)
                .and_then(|()| TcpListener::from_std(listener))
                .map_err(StartError::Listener),
        }
    }
}

impl From<SocketAddr> for Listen {
    fn from(address: SocketAddr) -> Self {
        Self::At(address)
    }
}

impl From<std::net::TcpListener> for Listen {
    fn from(listener: std::net::TcpListener) -> Self {
        Self::Bound(listener)
    }
}

impl ServerBuilder {
    /// The database, if it is not to be an SQLite file `cwa.sqlite3` in the data directory.
    pub fn database(mut self, location: impl Into<DatabaseLocation>) -> Self {
        self.database = location.into();
        self
    }

    /// The directory of published files, if it is not to be `www` in the data directory.
    pub fn publish_to(mut self, directory: impl Into<PathBuf>) -> Self {
        self.www = directory.into();
        self
    }

    /// Where protocol time comes from; the machine's clock unless said otherwise.
    pub fn clock(mut self, clock: ProtocolClock) -> Self {
        self.clock = clock;
        self
    }

    /// How the server behaves.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// The country whose keys these are: the region of packages and a part of paths. Germany unless said otherwise.
    pub fn region(mut self, country: Country) -> Self {
        self.country = country;
        self
    }

    /// The parts of the system that this process is; all of them unless said otherwise.
    pub fn roles(mut self, roles: impl IntoIterator<Item = Role>) -> Self {
        self.roles = roles.into_iter().collect();
        self
    }

    /// Whether the jobs run by themselves, a little after each full hour. Without, they run when
    /// [`RunningServer::publish`] and [`RunningServer::purge`] are called.
    pub const fn scheduler(mut self, scheduler: bool) -> Self {
        self.scheduler = scheduler;
        self
    }

    /// Who signs what is published: a key in memory, or one in a security module.
    pub fn signer(mut self, signer: SharedSigner) -> Self {
        self.signer = Some(signer);
        self
    }

    /// A signing key in PEM and the name under which devices look up its public half.
    ///
    /// # Errors
    ///
    /// The text is no private key of the curve P-256.
    pub fn signing_key_pem(
        self,
        pem: &str,
        key_id: &str,
        key_version: &str,
    ) -> Result<Self, SigningKeyError> {
        let signer = SoftwareSigner::from_pem(pem, SignatureInfo::new(key_id, key_version))?;
        Ok(self.signer(Arc::new(signer)))
    }

    /// The secret under which tokens are hashed, if it is not to be kept in the data directory.
    pub fn hash_key(mut self, hash_key: HashKey) -> Self {
        self.hash_key = Some(hash_key);
        self
    }

    /// Somebody who may talk to the internal listener.
    pub fn credential(mut self, credential: Credential) -> Self {
        self.credentials.push(credential);
        self
    }

    /// A health officer who may use the portal.
    pub fn portal_account(mut self, account: PortalAccount) -> Self {
        self.portal_accounts.push(account);
        self
    }

    /// An application configuration that was signed elsewhere: where it is published, and its archive.
    ///
    /// [`start`](Self::start) refuses one that is not fit to be published.
    pub fn configuration(mut self, path: DistributionPath, archive: impl Into<Vec<u8>>) -> Self {
        self.configurations.insert(path, archive.into());
        self
    }

    /// The file of an application configuration that this server checks, signs and publishes: YAML of the German
    /// server (v1), or content of either version, bare or signed.
    pub fn configuration_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.configuration_files.push(path.into());
        self
    }

    /// Where phones talk to; `127.0.0.1:8000` unless said otherwise.
    pub fn external(mut self, listen: impl Into<Listen>) -> Self {
        self.external = listen.into();
        self
    }

    /// Where laboratories and other servers talk to; `127.0.0.1:8001` unless said otherwise.
    pub fn internal(mut self, listen: impl Into<Listen>) -> Self {
        self.internal = listen.into();
        self
    }

    /// Where operators look; `127.0.0.1:8002` unless said otherwise.
    pub fn admin(mut self, listen: impl Into<Listen>) -> Self {
        self.admin = listen.into();
        self
    }

    /// Where health officers' browsers talk to; `127.0.0.1:8003` unless said otherwise.
    pub fn portal(mut self, listen: impl Into<Listen>) -> Self {
        self.portal = listen.into();
        self
    }

    /// How the server will behave.
    #[cfg(test)]
    pub(super) const fn policy_ref(&self) -> &Policy {
        &self.policy
    }

    /// Checks what can be checked without touching anything: keys, application configurations.
    ///
    /// # Errors
    ///
    /// [`StartError`], as [`start`](Self::start) would give it.
    pub fn check(&self) -> Result<(), StartError> {
        self.checked_configurations().map(drop)
    }

    /// Runs the publisher once, without serving: closes every hour that is over, and gives the packages it has written.
    ///
    /// # Errors
    ///
    /// The server could not start, or its publisher not finish; a [`PublishError`] is its source then.
    pub async fn publish_once(mut self, now: UnixTime) -> Result<Vec<Publication>, StartError> {
        self.roles = [Role::Publisher].into();
        let app = self.open().await?;
        let written = app.publish(now).await?;
        app.store.checkpoint().await.map_err(OpenError::from)?;
        Ok(written)
    }

    /// Opens the storage, binds the listeners, and serves.
    ///
    /// # Errors
    ///
    /// [`StartError`]; nothing listens then.
    pub async fn start(mut self) -> Result<RunningServer, StartError> {
        let listen = [&mut self.external, &mut self.internal, &mut self.admin, &mut self.portal];
        let [external, internal, admin, portal_listener] =
            listen.map(|listen| core::mem::replace(listen, Listen::loopback(0)));
        let external = external.bind().await?;
        let internal = internal.bind().await?;
        let admin = admin.bind().await?;
        let portal_listener = portal_listener.bind().await?;
        let addresses = Addresses {
            external: external.local_addr().map_err(StartError::Listener)?,
            internal: internal.local_addr().map_err(StartError::Listener)?,
            admin: admin.local_addr().map_err(StartError::Listener)?,
            portal: portal_listener.local_addr().map_err(StartError::Listener)?,
        };
        for (name, address) in [("internal", addresses.internal), ("portal", addresses.portal)] {
            if !address.ip().is_loopback() {
                // What passes there are credentials.
                tracing::warn!(
                    "the {name} listener speaks plain HTTP and can be reached from outside; put TLS in front"
                );
            }
        }
        let app = Arc::new(self.open().await?);
        let (stop, stopping) = watch::channel(false);
        let mut running = JoinSet::new();
        for (listener, router, allowance) in [
            (external, external_router(&app), HeaderAllowance::EXTERNAL),
            (internal, internal_router(&app), HeaderAllowance::INTERNAL),
            (admin, health::router(&app), HeaderAllowance::ADMIN),
            (portal_listener, portal_router(&app), HeaderAllowance::PORTAL),
        ] {
            running.spawn(listener::serve(listener, router, allowance, stopping.clone()));
        }
        if app.scheduler {
            running.spawn(super::jobs::run(Arc::clone(&app), stopping));
        }
        Ok(RunningServer { app, addresses, stop, running })
    }

    /// The signed configurations, after everything that can be checked was checked.
    fn checked_configurations(&self) -> Result<BTreeMap<DistributionPath, Vec<u8>>, StartError> {
        if self.signer.is_none() && self.roles.contains(&Role::Publisher) {
            return Err(StartError::NoSigner);
        }
        let mut configurations = self.configurations.clone();
        for (path, archive) in &configurations {
            configuration::check_archive(*path, archive)?;
        }
        if let Some(signer) = &self.signer {
            for file in &self.configuration_files {
                let (path, archive) = configuration::sign_file(file, self.country, &**signer)?;
                configurations.insert(path, archive);
            }
        }
        Ok(configurations)
    }

    /// Everything but the listeners.
    async fn open(mut self) -> Result<App, StartError> {
        // A server publishes the keys of one country and takes no others.
        self.policy.submission.country = self.country;
        let configurations = self.checked_configurations()?;
        make_private_directory(&self.data_dir)?;
        let hash_key = match self.hash_key {
            Some(key) => key,
            None => stored_hash_key(&self.data_dir)?,
        };
        let store = self.database.open().await?;
        let metrics = Arc::new(Metrics::default());
        let tree = Tree::new(self.www);
        let publisher = self.signer.map(|signer| {
            let files = Files { tree: tree.clone(), signer, country: self.country, configurations };
            Publisher::new(store.clone(), Arc::clone(&metrics), self.policy.publication, files)
        });
        let portal = Portal::new(self.policy.portal.clone(), self.portal_accounts, &mut rng());
        Ok(App {
            started_at: self.clock.now(),
            verification: verification::Service::new(store.clone(), hash_key, self.policy.verification),
            clock: self.clock,
            policy: self.policy,
            roles: self.roles,
            scheduler: self.scheduler,
            credentials: Credentials::new(self.credentials),
            metrics,
            tasks: Tasks::new(),
            store,
            distribution: Distribution::new(tree),
            portal: Arc::new(portal),
            publisher,
        })
    }
}

fn external_router(app: &Arc<App>) -> Router {
    let mut router = Router::new();
    if app.roles.contains(&Role::Verification) {
        router = router.merge(verification::external_router(app));
    }
    if app.roles.contains(&Role::Submission) {
        router = router.merge(submission::router(app));
    }
    if app.roles.contains(&Role::Distribution) {
        let app = Arc::clone(app);
        router = router.fallback(any(move |request: Request| {
            let app = Arc::clone(&app);
            async move { distribution::serve(&app, request).await }
        }));
    }
    router
}

fn internal_router(app: &Arc<App>) -> Router {
    let mut router = Router::new();
    if app.roles.contains(&Role::Verification) {
        router = router.merge(verification::internal_router(app));
    }
    if app.roles.contains(&Role::TestResult) {
        router = router.merge(test_result::router(app));
    }
    router
}

fn portal_router(app: &Arc<App>) -> Router {
    if app.roles.contains(&Role::Portal) { portal::router(app) } else { Router::new() }
}

impl fmt::Debug for ServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerBuilder")
            .field("data_dir", &self.data_dir)
            .field("country", &self.country)
            .field("roles", &self.roles)
            .field("scheduler", &self.scheduler)
            .finish_non_exhaustive()
    }
}

/// Why a server could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// An address cannot be listened at.
    #[error("cannot listen at {address}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A listener cannot be used.
    #[error("a listener cannot be used")]
    Listener(#[source] io::Error),
    /// A file or directory of the server's own cannot be read or made.
    #[error("{} cannot be read or made", path.display())]
    File {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The file does not hold 32 bytes in hexadecimal.
    #[error("{} does not hold a hash key: 64 hexadecimal digits", path.display())]
    HashKey {
        /// The file.
        path: PathBuf,
    },
    /// A new key cannot be written.
    #[error("a new key cannot be written")]
    Key(#[source] io::Error),
    /// The publisher did not finish.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// A publisher needs a signing key.
    #[error("there is no signing key, and the publisher cannot do without")]
    NoSigner,
    /// A configuration that was signed elsewhere cannot be published.
    #[error("an application configuration cannot be published")]
    Configuration(#[from] ConfigurationProblem),
    /// A configuration's file cannot be published.
    #[error(transparent)]
    ConfigurationFile(#[from] ConfigurationFileError),
    /// The database could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
}

pub(super) fn make_private_directory(path: &Path) -> Result<(), StartError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|source| StartError::File { path: path.to_owned(), source })
}

/// Writes a file that only its owner can read, and that was not there before.
pub(super) fn write_secret(path: &Path, content: &str) -> io::Result<()> {
    use std::io::Write as _;
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(content.as_bytes())?;
    file.sync_all()
}

/// The hash key in the data directory; a new one on the first start.
fn stored_hash_key(data_dir: &Path) -> Result<HashKey, StartError> {
    let directory = data_dir.join("secrets");
    make_private_directory(&directory)?;
    let path = directory.join("hash.key");
    let unusable = |source| StartError::File { path: path.clone(), source };
    let key = HashKey::generate(HASH_KEY_ID, &mut rng());
    let text = Zeroizing::new(hex::encode(key.expose_bytes()) + "\n");
    match write_secret(&path, &text) {
        Ok(()) => return Ok(key),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(unusable(error)),
    }
    read_hash_key(&path)
}

/// The hash key in a file: 64 hexadecimal digits.
pub(super) fn read_hash_key(path: &Path) -> Result<HashKey, StartError> {
    let unreadable = |source| StartError::File { path: path.to_owned(), source };
    let text = Zeroizing::new(fs::read_to_string(path).map_err(unreadable)?);
    let mut bytes = [0; HashKey::LENGTH];
    hex::decode_to_slice(text.trim(), &mut bytes)
        .map_err(|_| StartError::HashKey { path: path.to_owned() })?;
    Ok(HashKey::new(HASH_KEY_ID, bytes))
}

/// The id of a server's first hash key; another one is for a replacement.
const HASH_KEY_ID: HashKeyId = HashKeyId::new(1);
