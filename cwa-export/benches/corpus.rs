//! What an audit of a whole distribution takes, beside what nobody can do without: inflating and hashing the same bytes.
//!
//! `cargo bench -p cwa-export --bench corpus` makes 10,000 signed archives of 1,000 keys, hour packages of 417 days, and
//! audits them on one core, in memory. Each figure is the least of three; what counts is the ratio.
//!
//! * `-- --archives N --keys N`: others;
//! * `-- --write DIR`: writes the distribution and its public key there, for `cwa export audit`, and measures nothing.
#![allow(missing_docs, reason = "a benchmark has no documentation")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark reports and may panic"
)]
#![allow(clippy::disallowed_methods, reason = "it measures time")]
#![allow(clippy::cast_precision_loss, reason = "figures for people")]

use core::hint::black_box;
use std::path::Path;
use std::time::Instant;

use cwa_crypto::{DiagnosisKey, ENIntervalNumber, RollingPeriod, TransmissionRiskLevel};
use cwa_export::batch::Hour;
use cwa_export::corpus::{Corpus, CorpusAudit, CorpusReport, FileBytes};
use cwa_export::index::{DistributionPath, countries_json, days_json, hours_json};
use cwa_export::p256::ecdsa::SigningKey;
use cwa_export::p256::pkcs8::{EncodePublicKey as _, LineEnding};
use cwa_export::{Archive, Country, Export, SignatureInfo, SoftwareSigner, TrustStore, TrustedKey};
use sha2::{Digest as _, Sha256};

const DE: Country = Country::GERMANY;
/// 2020-07-01T00
const FIRST: Hour = Hour::new(1_593_561_600 / 3600);

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).cloned()
    };
    let number = |name: &str, usual: u64| value(name).map_or(usual, |text| text.parse().unwrap());
    let (archives, keys) = (number("--archives", 10_000), number("--keys", 1_000));
    let signer =
        SoftwareSigner::new(SigningKey::from_slice(&[7; 32]).unwrap(), SignatureInfo::new("262", "v1"));
    let files = distribution(archives, keys, &signer);
    if let Some(directory) = value("--write") {
        return write(&files, &signer, Path::new(&directory));
    }
    let trusted: TrustStore = [TrustedKey::given("bench", *signer.verifying_key())].into_iter().collect();
    let (mut inflating, mut examining, mut comparing) = (f64::MAX, f64::MAX, f64::MAX);
    for _ in 0..3 {
        let start = Instant::now();
        for (_, bytes) in &files {
            if let Ok(archive) = Archive::read(bytes) {
                black_box(Sha256::digest(archive.export_bin()));
            }
        }
        inflating = inflating.min(start.elapsed().as_secs_f64());
        let (report, examined, compared) = audit(&files, &trusted);
        assert_eq!(report.keys as u64, archives * keys);
        assert!(report.severity() < Some(cwa_export::finding::Severity::Error), "{:?}", report.findings);
        examining = examining.min(examined);
        comparing = comparing.min(compared);
    }
    let size: usize = files.iter().map(|(_, bytes)| bytes.len()).sum();
    let total = examining + comparing;
    println!("{archives} archives of {keys} keys, {:.0} MB, one core", size as f64 / 1e6);
    println!("inflate and SHA-256     {inflating:8.2} s");
    println!("examine                 {examining:8.2} s  {:5.2} times that", examining / inflating);
    println!("compare and statistics  {comparing:8.2} s  {:5.2}", comparing / inflating);
    println!("audit                   {total:8.2} s  {:5.2}", total / inflating);
}

/// Seconds to examine every file, and seconds to compare them.
fn audit(files: &[(String, Vec<u8>)], trusted: &TrustStore) -> (CorpusReport, f64, f64) {
    let audit = CorpusAudit::new(trusted);
    let mut corpus = Corpus::new(&audit);
    let start = Instant::now();
    for (path, bytes) in files {
        corpus.add(audit.examine(path, FileBytes::Whole(bytes)));
    }
    let examined = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let report = corpus.finish();
    (report, examined, start.elapsed().as_secs_f64())
}

/// Hour packages, one after the other, with all their indexes.
fn distribution(archives: u64, keys: u64, signer: &SoftwareSigner) -> Vec<(String, Vec<u8>)> {
    let mut state = 1;
    let mut files = Vec::new();
    let mut hours: Vec<Hour> = Vec::new();
    for number in 0..archives {
        let hour = Hour::new(FIRST.get() + number);
        let keys = (0..keys).map(|number| key(hour, number, &mut state).into()).collect();
        let export = Export::new(hour.start(), hour.end(), "DE", keys);
        let package = export.sign(&[signer]).unwrap().to_archive().unwrap();
        files.push((DistributionPath::HourPackage { country: DE, hour }.file_path(), package));
        hours.push(hour);
    }
    for of_day in hours.chunk_by(|one, other| one.day() == other.day()) {
        let path = DistributionPath::Hours { country: DE, day: of_day.first().unwrap().day() };
        files.push((path.file_path(), hours_json(of_day.iter().copied()).into()));
    }
    files.push((DistributionPath::Dates { country: DE }.file_path(), days_json([]).into()));
    files.push((DistributionPath::Countries.file_path(), countries_json([DE]).into()));
    files
}

/// A key of one of the twelve days before, five of which say the same.
fn key(hour: Hour, number: u64, state: &mut u64) -> DiagnosisKey {
    let days = 1 + number / 5 % 12;
    let start = ENIntervalNumber::at(hour.day().minus(days + 1).start());
    let data = u128::from(mixed(state)) << 64 | u128::from(mixed(state));
    let mut key = DiagnosisKey::new(data.to_be_bytes(), start, RollingPeriod::FULL_DAY);
    key.transmission_risk_level = TransmissionRiskLevel::try_from(1 + (days % 8).cast_signed()).ok();
    key
}

/// Splitmix64: the same numbers everywhere.
fn mixed(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ *state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

fn write(files: &[(String, Vec<u8>)], signer: &SoftwareSigner, directory: &Path) {
    for (path, bytes) in files {
        let path = directory.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    let pem = signer.verifying_key().to_public_key_pem(LineEnding::LF).unwrap();
    std::fs::write(directory.join(".public.pem"), pem).unwrap();
    println!("{} files in {}; the public key is .public.pem there", files.len(), directory.display());
}
