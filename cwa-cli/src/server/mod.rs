//! The reference server as a value: build it, start it, stop it.
//!
//! ```no_run
//! use cwa_cli::server::Server;
//!
//! # async fn run() -> Result<(), Box<dyn core::error::Error>> {
//! let server = Server::builder("data").signing_key_pem(&std::fs::read_to_string("signing-key.pem")?, "262", "v1")?.start().await?;
//! println!("phones: http://{}", server.external_addr());
//! server.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! Four listeners: phones (external), laboratories and other servers (internal), health officers (portal), operators
//! (admin). Storage is one SQLite database; what is published is a tree of files. Time is a [`ProtocolClock`].

mod answer;
mod builder;
mod configuration;
mod credentials;
pub mod demo;
mod distribution;
mod error;
mod health;
mod jobs;
mod listener;
mod metrics;
mod policy;
mod portal;
mod publisher;
mod request;
pub mod settings;
mod store;
mod submission;
mod tasks;
mod test_result;
mod tree;
mod verification;

use core::net::SocketAddr;
use std::sync::Arc;

use cwa_crypto::UnixTime;
use rand::rngs::StdRng;
use tokio::sync::watch;
use tokio::task::JoinSet;

pub use builder::{Listen, Server, ServerBuilder, StartError};
pub use configuration::{ConfigurationFileError, ConfigurationProblem};
pub use credentials::{BearerToken, Credential, Permission};
pub use policy::{Policy, Role, RoleError};
pub use portal::{Password, PasswordHashError, PortalAccount, PortalPolicy};
pub use publisher::{Publication, PublishError, SharedSigner};
pub use store::{DatabaseLocation, DatabaseLocationError, OpenError, StoreError};
#[cfg(feature = "postgres")]
pub use store::{
    PasswordFileError, PostgresOpenError, PostgresSettings, PostgresTlsError, PostgresUrlError, SqlStateCode,
};

use crate::clock::ProtocolClock;
use credentials::Credentials;
use distribution::Distribution;
use metrics::Metrics;
use policy::Roles;
use portal::Portal;
use publisher::Publisher;
use store::{Database, Job};
use tasks::Tasks;

/// Everything that handlers share.
#[derive(Debug)]
struct App {
    clock: ProtocolClock,
    started_at: UnixTime,
    policy: Policy,
    roles: Roles,
    scheduler: bool,
    credentials: Credentials,
    metrics: Arc<Metrics>,
    tasks: Tasks,
    store: Database,
    verification: verification::Service,
    distribution: Distribution,
    portal: Arc<Portal>,
    publisher: Option<Publisher>,
}

impl App {
    async fn publish(&self, now: UnixTime) -> Result<Vec<Publication>, PublishError> {
        let publisher = self.publisher.as_ref().ok_or(PublishError::NoSigner)?;
        let written = publisher.publish(now).await;
        self.distribution.forget();
        written
    }

    async fn purge(&self, now: UnixTime) -> Result<(), StoreError> {
        let Some(lock) = self.store.try_lock(Job::Retention).await? else {
            tracing::info!("another process forgets");
            return Ok(());
        };
        let purged = self.verification.purge(now).await;
        lock.release().await;
        let purged = purged?;
        tracing::info!(
            sessions = purged.sessions,
            test_ids = purged.test_ids,
            tele_tans = purged.tele_tans,
            tans = purged.tans,
            receipts = purged.receipts,
            results_redeemed = purged.results_redeemed,
            results_deleted = purged.results_deleted,
            "retention"
        );
        self.store.checkpoint().await
    }
}

/// A server that answers. Dropping it stops it at once; [`RunningServer::shutdown`] lets requests finish first.
#[derive(Debug)]
pub struct RunningServer {
    app: Arc<App>,
    addresses: Addresses,
    stop: watch::Sender<bool>,
    running: JoinSet<()>,
}

#[derive(Clone, Copy, Debug)]
struct Addresses {
    external: SocketAddr,
    internal: SocketAddr,
    portal: SocketAddr,
    admin: SocketAddr,
}

impl RunningServer {
    /// Where phones talk to.
    #[must_use]
    pub const fn external_addr(&self) -> SocketAddr {
        self.addresses.external
    }

    /// Where laboratories and other servers talk to.
    #[must_use]
    pub const fn internal_addr(&self) -> SocketAddr {
        self.addresses.internal
    }

    /// Where health officers' browsers talk to; the page is `/portal`.
    #[must_use]
    pub const fn portal_addr(&self) -> SocketAddr {
        self.addresses.portal
    }

    /// Where operators look.
    #[must_use]
    pub const fn admin_addr(&self) -> SocketAddr {
        self.addresses.admin
    }

    /// One run of the publisher: closes every hour that is over, and gives the packages it has written.
    ///
    /// # Errors
    ///
    /// [`PublishError`]; nothing that was published before has changed if the clock was behind.
    pub async fn publish(&self, now: UnixTime) -> Result<Vec<Publication>, PublishError> {
        self.app.publish(now).await
    }

    /// One run of the retention job: forgets what is no longer needed of tokens, TANs and test results. Diagnosis keys
    /// are forgotten by [`publish`](Self::publish), because their packages change with them.
    ///
    /// # Errors
    ///
    /// The database's own.
    pub async fn purge(&self, now: UnixTime) -> Result<(), StoreError> {
        self.app.purge(now).await
    }

    /// Stops accepting, finishes the requests and jobs in work, and closes the database.
    pub async fn shutdown(self) {
        let Self { app, stop, mut running, .. } = self;
        let _ = stop.send(true);
        while running.join_next().await.is_some() {}
        app.tasks.finished().await;
        if let Err(error) = app.store.checkpoint().await {
            tracing::error!(%error, "the write-ahead log was not moved into the database");
        }
        // The last handle closes the database, which waits for its threads.
        let _ = tokio::task::spawn_blocking(move || drop(app)).await;
    }
}

/// A random generator of the operating system's making, for one request.
fn rng() -> StdRng {
    rand::make_rng()
}
