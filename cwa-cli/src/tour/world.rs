//! Where the story takes place: a server, a clock that everybody lives by, and those who are not phones.

use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cwa_crypto::{Day, UnixTime};
use cwa_export::configuration::ConfigurationV1;
use cwa_export::index::DistributionPath;
use cwa_export::{Country, SignatureInfo, SoftwareSigner};
use cwa_verify::HashedGuid;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::story::{Mishap, ensure};
use crate::client::{Answer, Client};
use crate::clock::ProtocolClock;
use crate::server::demo::generate_signing_key;
use crate::server::{
    BearerToken, Credential, Password, Permission, Policy, PortalAccount, Publication, RunningServer, Server,
};

/// Everything but the phones.
#[derive(Debug)]
pub(super) struct World {
    pub(super) clock: ProtocolClock,
    pub(super) server: RunningServer,
    pub(super) external: SocketAddr,
    /// Where the phones' data goes; the server's is beside it.
    pub(super) phones: PathBuf,
    /// What phones trust: the public half of the server's signing key, in PEM, as it was built into the app.
    pub(super) pinned_key: String,
    pub(super) officer_password: Password,
    pub(super) rng: StdRng,
    /// Looks at the distribution as anybody can.
    observer: Client,
    laboratory: Client,
    laboratory_token: BearerToken,
}

/// The user name of the health officer.
pub(super) const OFFICER: &str = "officer";

/// The tour's publication threshold; the German server's is 140.
pub(super) const THRESHOLD: usize = 2;

impl World {
    /// Starts the server in `directory`, at `now`.
    pub(super) async fn begin(directory: &Path, now: UnixTime, mut rng: StdRng) -> Result<Self, Mishap> {
        let clock = ProtocolClock::manual(now);
        let signing_key = generate_signing_key(&mut rng);
        let signer = SoftwareSigner::new(signing_key, SignatureInfo::new("999", "v1"));
        let pinned_key = signer.public_key_pem()?;
        let laboratory_token = BearerToken::generate(&mut rng);
        let officer_password = Password::generate(&mut rng);
        let mut policy = Policy { answer_deadline: Duration::from_millis(15), ..Policy::default() };
        policy.publication.threshold = THRESHOLD;
        let anywhere: SocketAddr = (Ipv4Addr::LOCALHOST, 0).into();
        let configuration: ConfigurationV1 = serde_saphyr::from_str(include_str!("configuration.yaml"))?;
        let configuration = configuration.sign(&[&signer])?.to_archive()?;
        let server = Server::builder(directory.join("server"))
            .clock(clock.clone())
            .policy(policy)
            .scheduler(false)
            .signer(Arc::new(signer))
            .configuration(CONFIGURATION, configuration)
            .credential(Credential::new("laboratory", [Permission::Laboratory], &laboratory_token))
            .portal_account(PortalAccount::new(OFFICER, &officer_password, [Permission::Hotline], &mut rng)?)
            .external(anywhere)
            .internal(anywhere)
            .portal(anywhere)
            .admin(anywhere)
            .start()
            .await?;
        let phones = directory.join("phones");
        std::fs::create_dir_all(&phones)?;
        std::fs::write(phones.join("pinned-key.pem"), &pinned_key)?;
        Ok(Self {
            clock,
            external: server.external_addr(),
            server,
            phones,
            pinned_key,
            officer_password,
            rng,
            observer: Client::from_address(Ipv4Addr::new(127, 9, 3, 1).into()),
            laboratory: Client::from_address(Ipv4Addr::new(127, 9, 2, 2).into()),
            laboratory_token,
        })
    }

    /// A generator for somebody in this world, which the story's seed decides.
    pub(super) fn fork_rng(&mut self) -> StdRng {
        StdRng::from_rng(&mut self.rng)
    }

    pub(super) fn now(&self) -> UnixTime {
        self.clock.now()
    }

    /// Lets time pass to the next full hour and has it closed; what was published.
    pub(super) async fn close_hour(&self, hour_end: UnixTime) -> Result<Vec<Publication>, Mishap> {
        self.clock.set(hour_end)?;
        Ok(self.server.publish(hour_end).await?)
    }

    /// The laboratory uploads results, with its token.
    pub(super) async fn laboratory_reports(&self, tests: &[(&HashedGuid, u8)]) -> Result<Answer, Mishap> {
        let results: Vec<_> = tests
            .iter()
            .map(|(guid, result)| serde_json::json!({"id": *guid.expose_hex(), "result": result}))
            .collect();
        let body = serde_json::json!({"testResults": results, "labId": "laboratory-7"}).to_string();
        let authorization = format!("Bearer {}", self.laboratory_token.expose());
        let headers = [("content-type", "application/json"), ("authorization", authorization.as_str())];
        let internal = self.server.internal_addr();
        Ok(self.laboratory.post(internal, "/api/v1/lab/results", &headers, body).await?)
    }

    /// The same without a token; the status.
    pub(super) async fn stranger_reports(&self, guid: &HashedGuid) -> Result<u16, Mishap> {
        let body = serde_json::json!({"testResults": [{"id": *guid.expose_hex(), "result": 2}]}).to_string();
        let internal = self.server.internal_addr();
        let headers = [("content-type", "application/json")];
        Ok(self.laboratory.post(internal, "/api/v1/lab/results", &headers, body).await?.status.as_u16())
    }

    /// Looks a resource of the distribution up.
    pub(super) async fn look(&self, path: DistributionPath) -> Result<Answer, Mishap> {
        Ok(self.observer.get(self.external, &format!("/{path}")).await?)
    }

    /// The body of a resource that has to be there.
    pub(super) async fn fetch(&self, path: DistributionPath) -> Result<Vec<u8>, Mishap> {
        let answer = self.look(path).await?;
        ensure!(answer.status == 200, "{path} answered {}", answer.status);
        Ok(answer.body.to_vec())
    }

    /// The server's metrics, as the admin listener gives them.
    pub(super) async fn metrics_text(&self) -> Result<String, Mishap> {
        let answer = self.observer.get(self.server.admin_addr(), "/metrics").await?;
        Ok(String::from_utf8(answer.body.to_vec())?)
    }

    /// A metric without labels.
    pub(super) async fn metric(&self, name: &str) -> Result<u64, Mishap> {
        let text = self.metrics_text().await?;
        let values: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.split_once(' ')).collect();
        let value = values.get(name).ok_or_else(|| Mishap(format!("there is no metric {name}")))?;
        Ok(value.parse()?)
    }

    /// How many keys have been stored since the server's start.
    pub(super) async fn keys_stored(&self) -> Result<u64, Mishap> {
        self.metric("cwa_keys_stored_total").await
    }
}

/// The country of the story.
pub(super) const COUNTRY: Country = Country::GERMANY;

/// Where its configuration is.
pub(super) const CONFIGURATION: DistributionPath = DistributionPath::Configuration { country: COUNTRY };

/// The day of the upload.
pub(super) fn day_of_upload() -> Result<Day, Mishap> {
    Day::from_calendar(2020, 7, 22).ok_or_else(|| Mishap("no such day".to_owned()))
}
