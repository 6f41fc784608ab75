//! PostgreSQL for tests: a cluster of its own, from the system's binaries, gone when the tests are.

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::OnceLock;

/// The URL of a new and empty database; none on a machine without PostgreSQL, which is said once.
///
/// With `CWA_REQUIRE_POSTGRES` in the environment there has to be one.
pub(crate) fn empty_database() -> Option<String> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let cluster = cluster()?;
    let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let created = Command::new(cluster.binaries.join("createdb"))
        .args(["-h", &cluster.directory, "-p", &cluster.port.to_string(), "-U", "cwa", &name])
        .output()
        .expect("createdb");
    assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stderr));
    Some(format!("postgres://cwa@{}:{}/{name}", cluster.directory.replace('/', "%2F"), cluster.port))
}

/// Runs SQL on a database of [`empty_database`] and gives what it prints, columns separated by `|`.
#[allow(dead_code, reason = "not every test looks at the tables")]
pub(crate) fn sql(url: &str, statements: &str) -> String {
    let cluster = cluster().expect("a cluster");
    let output = Command::new(cluster.binaries.join("psql"))
        .args(["-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1", "-c", statements, url])
        .output()
        .expect("psql");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8").trim().to_owned()
}

/// The same database by way of TCP and TLS, at `host`, and the file of the certificate to trust.
#[allow(dead_code, reason = "not every test asks")]
pub(crate) fn over_tls(url: &str, host: &str, directory: &Path) -> (String, PathBuf) {
    let cluster = cluster().expect("a cluster");
    let file = directory.join("root.pem");
    std::fs::write(&file, &cluster.certificate).expect("a file");
    let (_, name) = url.rsplit_once('/').expect("a database");
    (format!("postgres://cwa@{host}:{}/{name}", cluster.port), file)
}

/// Where the cluster is, if there is one.
#[allow(dead_code, reason = "not every test asks")]
pub(crate) fn directory() -> Option<String> {
    cluster().map(|cluster| cluster.directory.clone())
}

/// Has the cluster write to the disk what it says it has written: for measuring. To be called before it is started.
#[allow(dead_code, reason = "tests are quicker without")]
pub(crate) fn make_durable() {
    DURABLE.store(true, Ordering::Relaxed);
}

static DURABLE: AtomicBool = AtomicBool::new(false);

struct Cluster {
    binaries: PathBuf,
    directory: String,
    /// Where it listens for connections with TLS, and under which certificate, in PEM.
    port: u16,
    certificate: String,
    /// The cluster is stopped and removed when this is closed, which it is however this process ends.
    _alive: ChildStdin,
}

fn cluster() -> Option<&'static Cluster> {
    static CLUSTER: OnceLock<Option<Cluster>> = OnceLock::new();
    CLUSTER.get_or_init(start).as_ref()
}

/// Where `initdb` and `postgres` are: distributions keep them out of the path.
fn binaries() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    found.sort_by_key(|path| {
        let version = path.parent().and_then(Path::file_name).and_then(|name| name.to_str());
        version.and_then(|name| name.parse::<u32>().ok())
    });
    found.reverse();
    found.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    found.into_iter().find(|path| path.join("initdb").exists() && path.join("postgres").exists())
}

fn start() -> Option<Cluster> {
    let Some(binaries) = binaries() else {
        assert!(
            std::env::var_os("CWA_REQUIRE_POSTGRES").is_none(),
            "CWA_REQUIRE_POSTGRES is set, and there is no PostgreSQL"
        );
        let message =
            "LEFT OUT: no PostgreSQL on this machine (initdb, postgres), so nothing is tested on it";
        // Past what the test harness keeps to itself.
        let _ = writeln!(std::io::stderr(), "{message}");
        return None;
    };
    // It runs as nobody if the tests run as root, whom initdb refuses; waits for the end of its input; and tidies up.
    let script = r#"
        set -eu
        directory=$(mktemp -d /tmp/cwa-test-postgres-XXXXXX)
        trap 'rm -rf "$directory"' EXIT
        "$1/initdb" -D "$directory/data" -U cwa -A trust -E UTF8 --no-locale --no-sync >"$directory/log" 2>&1 \
          || { cat "$directory/log" >&2; exit 1; }
        umask 077
        printf '%s' "$CERTIFICATE" >"$directory/data/server.crt"
        printf '%s' "$PRIVATE_KEY" >"$directory/data/server.key"
        "$1/postgres" -D "$directory/data" -k "$directory" -c listen_addresses=127.0.0.1 -p $3 -c ssl=on -c max_connections=300 \
          -c fsync=$2 -c max_wal_size=4GB -c logging_collector=off \
          >>"$directory/log" 2>&1 </dev/null &
        server=$!
        for attempt in $(seq 600); do
          "$1/pg_isready" -q -h "$directory" -p $3 && break
          kill -0 $server || { cat "$directory/log" >&2; exit 1; }
          sleep 0.05
        done
        echo "$directory"
        cat >/dev/null || true
        kill -INT $server
        wait $server || true
    "#;
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
    let mut command = if is_root {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups", "sh"]);
        command
    } else {
        Command::new("sh")
    };
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a port")
        .port();
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let certificate = certified.cert.pem();
    #[expect(clippy::zombie_processes, reason = "it ends after this process, and is nobody's child then")]
    let mut child = command
        .args(["-c", script, "cluster"])
        .arg(&binaries)
        .arg(if DURABLE.load(Ordering::Relaxed) { "on" } else { "off" })
        .arg(port.to_string())
        .env("CERTIFICATE", &certificate)
        .env("PRIVATE_KEY", certified.signing_key.serialize_pem())
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a shell");
    let mut directory = String::new();
    let stdout = child.stdout.take().expect("its output");
    BufReader::new(stdout).read_line(&mut directory).expect("its output");
    let directory = directory.trim().to_owned();
    assert!(!directory.is_empty(), "PostgreSQL did not start");
    Some(Cluster { binaries, directory, port, certificate, _alive: child.stdin.take().expect("its input") })
}
