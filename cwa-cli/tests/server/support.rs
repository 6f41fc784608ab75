//! A server on free loopback ports with a clock of its own, and a client that shows every byte.

use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::path::Path;
use std::sync::Arc;

use cwa_cli::clock::ProtocolClock;
use cwa_cli::server::{
    BearerToken, Credential, Password, Permission, Policy, PortalAccount, RunningServer, Server,
    ServerBuilder,
};
use cwa_crypto::{DiagnosisKey, ENIntervalNumber, RollingPeriod, TransmissionRiskLevel, UnixTime};
use cwa_export::submission::Submission;
use cwa_export::{SignatureInfo, SoftwareSigner};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// 2020-07-22T14:00:00Z
pub const NOW: UnixTime = UnixTime::from_secs(1_595_376_000 + 14 * 3600);
pub const HOUR: u64 = 3600;
pub const DAY: u64 = 24 * HOUR;

/// A server, and what its clients know.
pub struct TestServer {
    pub clock: ProtocolClock,
    pub directory: tempfile::TempDir,
    pub running: RunningServer,
    pub lab: BearerToken,
    pub hotline: BearerToken,
    pub event_hotline: BearerToken,
    pub server: BearerToken,
    pub password: Password,
    pub public_key: p256::ecdsa::VerifyingKey,
    /// The URL of its database, if that is no file in its directory.
    pub database: Option<String>,
}

pub fn rng() -> StdRng {
    rand::make_rng()
}

pub fn signer() -> SoftwareSigner {
    let key = p256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap();
    SoftwareSigner::new(key, SignatureInfo::new("262", "v1"))
}

/// A policy for tests that do not look at time: answers at once, packages from two keys on, teleTANs without pause.
pub fn policy() -> Policy {
    let mut policy = Policy::default();
    policy.answer_deadline = Duration::ZERO;
    policy.publication.threshold = 2;
    policy.portal.issue_interval_seconds = 0;
    policy
}

impl TestServer {
    pub async fn start() -> Self {
        Self::start_with(policy(), |builder| builder).await
    }

    pub async fn start_with(policy: Policy, more: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), ProtocolClock::manual(NOW), policy, more).await
    }

    pub async fn start_in(
        directory: tempfile::TempDir,
        clock: ProtocolClock,
        policy: Policy,
        more: impl FnOnce(ServerBuilder) -> ServerBuilder,
    ) -> Self {
        let mut rng = StdRng::seed_from_u64(1);
        let mut token = || BearerToken::generate(&mut rng);
        let (lab, hotline, event_hotline, server) = (token(), token(), token(), token());
        let password = Password::generate(&mut rng);
        let officer = PortalAccount::new("officer", &password, [Permission::Hotline], &mut rng).unwrap();
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let signer = signer();
        let public_key = *signer.verifying_key();
        let builder = Server::builder(directory.path())
            .clock(clock.clone())
            .policy(policy)
            .scheduler(false)
            .signer(Arc::new(signer))
            .credential(Credential::new("lab", [Permission::Laboratory], &lab))
            .credential(Credential::new("hotline", [Permission::Hotline], &hotline))
            .credential(Credential::new("event", [Permission::EventHotline], &event_hotline))
            .credential(Credential::new("server", [Permission::Server], &server))
            .portal_account(officer)
            .external(free)
            .internal(free)
            .portal(free)
            .admin(free);
        let database = crate::database_of(directory.path());
        let builder = match &database {
            Some(url) => builder.database(url.parse::<cwa_cli::server::DatabaseLocation>().unwrap()),
            None => builder,
        };
        let running = more(builder).start().await.unwrap();
        Self {
            clock,
            directory,
            running,
            lab,
            hotline,
            event_hotline,
            server,
            password,
            public_key,
            database,
        }
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn now(&self) -> UnixTime {
        self.clock.now()
    }

    /// A phone's request with a body, padded or not, as given.
    pub async fn phone(&self, path: &str, fake: bool, body: &str) -> Reply {
        let headers = [("content-type", "application/json"), ("cwa-fake", if fake { "1" } else { "0" })];
        request(self.running.external_addr(), "POST", path, &headers, body.as_bytes()).await
    }

    /// A request to the internal listener.
    pub async fn internal(&self, path: &str, token: Option<&BearerToken>, body: &str) -> Reply {
        let authorization = token.map(|token| format!("Bearer {}", token.expose()));
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(authorization.as_deref().map(|value| ("authorization", value)));
        request(self.running.internal_addr(), "POST", path, &headers, body.as_bytes()).await
    }

    pub async fn submit(&self, tan: &str, body: &[u8]) -> Reply {
        submit(self.running.external_addr(), tan, body).await
    }

    pub async fn get(&self, path: &str) -> Reply {
        request(self.running.external_addr(), "GET", path, &[], b"").await
    }

    pub async fn metrics(&self) -> String {
        request(self.running.admin_addr(), "GET", "/metrics", &[], b"").await.text()
    }

    /// Registers a test and has the laboratory report it as positive; the registration token.
    pub async fn positive_session(&self, id: u64) -> String {
        let hash = hash(id);
        let reply = self.phone("/version/v1/registrationToken", false, &registration(&hash)).await;
        assert_eq!(reply.status, 201, "{}", reply.text());
        let token = reply.member("registrationToken");
        self.report(&hash, 2).await;
        token
    }

    pub async fn report(&self, hash: &str, result: u8) {
        let body = format!(r#"{{"testResults":[{{"id":"{hash}","result":{result}}}],"labId":"lab-1"}}"#);
        assert_eq!(self.internal("/api/v1/lab/results", Some(&self.lab), &body).await.status, 204);
    }

    pub async fn tan(&self, token: &str) -> String {
        let reply = self.phone("/version/v1/tan", false, &token_request(token)).await;
        assert_eq!(reply.status, 201);
        reply.member("tan")
    }

    /// A fresh TAN for a test of its own.
    pub async fn fresh_tan(&self, id: u64) -> String {
        let token = self.positive_session(id).await;
        self.tan(&token).await
    }

    pub async fn tele_tan(&self) -> String {
        let reply = self.internal("/version/v1/tan/teletan", Some(&self.hotline), "").await;
        assert_eq!(reply.status, 201);
        reply.member("value")
    }

    /// Changes the database behind the server's back.
    pub fn execute(&self, statements: &str) {
        #[cfg(feature = "postgres")]
        if let Some(url) = &self.database {
            crate::cluster::sql(url, statements);
            return;
        }
        let database = rusqlite::Connection::open(self.path().join("cwa.sqlite3")).unwrap();
        database.execute_batch(statements).unwrap();
    }

    /// The number of rows of a table.
    pub fn count(&self, table: &str) -> u64 {
        #[cfg(feature = "postgres")]
        if let Some(url) = &self.database {
            return crate::cluster::sql(url, &format!("SELECT count(*) FROM {table}")).parse().unwrap();
        }
        let database = rusqlite::Connection::open(self.path().join("cwa.sqlite3")).unwrap();
        database
            .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0))
            .unwrap()
            .try_into()
            .unwrap()
    }
}

/// A hash as phones send it, different for each number.
pub fn hash(id: u64) -> String {
    format!("{id:064x}")
}

pub fn registration(hash: &str) -> String {
    format!(r#"{{"key":"{hash}","keyType":"GUID","requestPadding":"{}"}}"#, "p".repeat(139))
}

pub fn tele_tan_registration(code: &str) -> String {
    format!(r#"{{"key":"{code}","keyType":"TELETAN","requestPadding":"{}"}}"#, "p".repeat(190))
}

pub fn token_request(token: &str) -> String {
    format!(r#"{{"registrationToken":"{token}","requestPadding":"{}"}}"#, "p".repeat(170))
}

pub async fn submit(address: SocketAddr, tan: &str, body: &[u8]) -> Reply {
    let headers = [("content-type", "application/x-protobuf"), ("cwa-fake", "0"), ("cwa-authorization", tan)];
    request(address, "POST", "/version/v1/diagnosis-keys", &headers, body).await
}

/// A key of the day `days_ago` days before `now`, with a level.
pub fn key(id: u8, days_ago: u64, now: UnixTime) -> DiagnosisKey {
    let start = ENIntervalNumber::at(now.day().minus(days_ago).start());
    let mut key = DiagnosisKey::new([id; 16], start, RollingPeriod::FULL_DAY);
    key.transmission_risk_level = Some(TransmissionRiskLevel::try_from(5).unwrap());
    key
}

/// An upload of these keys, padded to one size.
pub fn payload(keys: Vec<DiagnosisKey>) -> Vec<u8> {
    Submission::new(keys).encode_padded(Submission::PADDED_SIZE, &mut rng()).unwrap()
}

/// An answer, with every byte of it.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Status line, headers and body.
    pub wire_size: usize,
}

impl Reply {
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn member(&self, name: &str) -> String {
        self.json()[name].as_str().unwrap().to_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    /// What an observer of the line could compare.
    pub fn shape(&self) -> (usize, usize, Vec<&str>) {
        (self.wire_size, self.body.len(), self.headers.iter().map(|(name, _)| name.as_str()).collect())
    }
}

/// One request on a connection of its own.
pub async fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Reply {
    let mut head = format!("{method} {path} HTTP/1.1\r\n");
    if !headers.iter().any(|(name, _)| *name == "host") {
        head.push_str(&format!("host: {address}\r\n"));
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !headers.iter().any(|(name, _)| *name == "transfer-encoding") {
        head.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(body);
    raw(address, &bytes, method == "HEAD").await
}

/// Sends these bytes and reads one answer.
pub async fn raw(address: SocketAddr, bytes: &[u8], is_head: bool) -> Reply {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // A server that answers before it has read everything may close; what it said is still there to be read.
    let _ = stream.write_all(bytes).await;
    read_reply(&mut stream, is_head).await.expect("an answer")
}

pub async fn read_reply(stream: &mut TcpStream, is_head: bool) -> Option<Reply> {
    let mut received = Vec::new();
    let mut chunk = [0; 16 << 10];
    loop {
        let head_end = received.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4);
        if let Some(head_end) = head_end {
            let head = String::from_utf8(received[..head_end].to_vec()).unwrap();
            let mut lines = head.lines();
            let status: u16 = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
            let headers: Vec<(String, String)> = lines
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                .collect();
            let length: usize = headers
                .iter()
                .find(|(name, _)| name == "content-length")
                .map_or(0, |(_, value)| value.parse().unwrap());
            let length = if is_head { 0 } else { length };
            if received.len() >= head_end + length {
                let body = received[head_end..head_end + length].to_vec();
                return Some(Reply { status, headers, body, wire_size: head_end + length });
            }
        }
        let read =
            tokio::time::timeout(Duration::from_secs(30), stream.read(&mut chunk)).await.unwrap().ok()?;
        if read == 0 {
            return None;
        }
        received.extend_from_slice(&chunk[..read]);
    }
}
