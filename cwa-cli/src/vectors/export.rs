//! Known answers of `cwa-export`: signed files, archives, uploads, publication rules, public keys.

use std::collections::BTreeMap;

use cwa_crypto::{
    DaysSinceOnsetOfSymptoms, DiagnosisKey, ENIntervalNumber, RollingPeriod, TransmissionRiskLevel, UnixTime,
};
use cwa_export::ExportKey;
use cwa_export::audit::{Audit, Report};
use cwa_export::batch::{Hour, PendingKey, PublicationPolicy};
use cwa_export::cms::SignerCertificate;
use cwa_export::configuration::Configuration;
use cwa_export::content::ParseContentError;
use cwa_export::cosigning::{CosigningPolicy, CosigningPolicyError};
use cwa_export::finding::{Code, Finding};
use cwa_export::lint::{Lint, LintFinding};
use cwa_export::p256::pkcs8::EncodePublicKey as _;
use cwa_export::set::FileSet;
use cwa_export::submission::{PerKeyPadding, Submission, SubmissionError, SubmissionPolicy};
use cwa_export::verify::{ParseExportError, Profile, ProfileError, VerifyError};
use cwa_export::{Archive, TrustStore, TrustedKey, UnverifiedExport, VerifiedExport};
use cwa_test_vectors::{Group, Test};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::{Outcome, Problem, bytes, judge, member, optional, refused, same};

pub(super) fn run(family: &str, group: &Group, test: &Test) -> Outcome {
    let (input, expected) = (&test.input, &test.expected);
    let result = match family {
        "export.verify" => verify(group, input, expected, test.error.as_deref()),
        "export.archive" => archive(input, expected),
        "export.lint" => lint(input, expected),
        "export.reader" => readers(group, input, expected),
        "export.content_sig" => content_sig(group, input, expected),
        "export.together" => together(group, input, expected),
        "export.explanation" => explanation(group, input, expected),
        "config.lint" => lint_configuration(input, expected),
        "export.public_key" => public_key(input, expected),
        "export.submission" => submission(group, input, expected),
        // The verdict is in the status; a refusal is what is computed.
        "cwa.submission_validation" => return submission_validation(input, expected),
        "client.submission_sizes" => submission_size(input, expected),
        "cwa.distribution.expiry_policy" => expiry_policy(input, expected),
        "cwa.distribution.shifting_policy" => shifting_policy(input, expected),
        _ => return Outcome::NoRunner,
    };
    judge(result, test).into()
}

fn verify(group: &Group, input: &Value, expected: &Value, wanted: Option<&str>) -> Result<(), Problem> {
    let pem =
        group.data.get("public_key_pem").or_else(|| input.get("public_key_pem")).and_then(Value::as_str);
    let pem = pem.ok_or_else(|| "there is no member \"public_key_pem\"".to_owned())?;
    let mut trusted = TrustStore::empty();
    trusted.insert(TrustedKey::from_pem("vectors", pem).map_err(refused("public_key"))?);
    let (export_bin, export_sig) = (bytes(input, "export_bin")?, bytes(input, "export_sig")?);
    let parsed = UnverifiedExport::parse(&export_bin, &export_sig)
        .map_err(|error| Problem::Refused { layer: layer_of_parsing(&error), message: describe(&error) })?;
    let verified = parsed.verify(&trusted).map_err(|error| {
        let layers = layers_of_verifying(&error);
        // A file can be wrong in several layers; asked is whether the one that has to refuse it does.
        let layer = layers.iter().find(|layer| Some(**layer) == wanted).or_else(|| layers.first());
        Problem::Refused { layer: layer.copied().unwrap_or("signature"), message: describe(&error) }
    })?;
    if expected.is_null() { Ok(()) } else { Ok(content(&verified, expected)?) }
}

/// Compares what an export says with what the test tells of it.
fn content(verified: &VerifiedExport<'_>, expected: &Value) -> Result<(), String> {
    let content = verified.content();
    let export = content.to_export().map_err(|error| describe(&error))?;
    let keys = |keys: &[ExportKey]| Value::from_iter(keys.iter().map(key_of));
    let said = json!({
        "start_timestamp": content.start_timestamp().map(UnixTime::as_secs),
        "end_timestamp": content.end_timestamp().map(UnixTime::as_secs),
        "region": content.region(),
        "batch_num": content.batch_num(),
        "batch_size": content.batch_size(),
        "key_count": content.key_count(),
        "revised_key_count": content.revised_key_count(),
        "keys": keys(&export.keys),
        "revised_keys": keys(&export.revised_keys),
    });
    let expected: Map<String, Value> =
        serde_json::from_value(expected.clone()).map_err(|error| error.to_string())?;
    for (name, expected) in &expected {
        same(name, said.get(name).unwrap_or(&Value::Null), expected)?;
    }
    same("keys as a device takes them", &verified.keys().count(), &export.keys.len())
}

fn layer_of_parsing(error: &ParseExportError) -> &'static str {
    match error {
        ParseExportError::Content(ParseContentError::Header(_)) => "header",
        ParseExportError::Content(_) => "payload",
        _ => "signature_list",
    }
}

fn layers_of_verifying(error: &VerifyError) -> Vec<&'static str> {
    let layer = |finding: &Finding| match finding.code {
        Code::RepeatedField | Code::NumberOverflow | Code::BatchInvalid | Code::TimesInvalid => "payload",
        Code::KeyInvalid | Code::DuplicateKey => "key",
        Code::SignatureMismatch | Code::NoTrustedKey | Code::SignatureEncoding => "signature",
        _ => "signature_list",
    };
    match error {
        VerifyError::Refused { findings } => findings.iter().map(layer).collect(),
        _ => vec!["signature"],
    }
}

/// An error with its causes.
pub(super) fn describe(error: &dyn core::error::Error) -> String {
    let causes = core::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn archive(input: &Value, expected: &Value) -> Result<(), Problem> {
    let archive = Archive::read(&bytes(input, "zip")?)
        .map_err(|error| Problem::Refused { layer: "archive", message: describe(&error) })?;
    // The library reads archives with a further member and says so; a strict reader refuses them.
    if let [name, ..] = archive.unexpected_members() {
        return Err(Problem::Refused { layer: "archive", message: format!("unexpected member {name:?}") });
    }
    if expected.is_null() {
        return Ok(());
    }
    same("export_bin", &hex::encode(archive.export_bin()), &member(expected, "export_bin")?)?;
    Ok(same("export_sig", &hex::encode(archive.export_sig()), &member(expected, "export_sig")?)?)
}

fn lint(input: &Value, expected: &Value) -> Result<(), Problem> {
    let profile: Profile =
        member::<String>(input, "profile")?.parse().map_err(|error: ProfileError| error.to_string())?;
    let mut lint = Lint::new(profile);
    if let Some(now) = optional(input, "now")? {
        lint = lint.now(UnixTime::from_secs(now));
    }
    for file in member::<Vec<Value>>(input, "files")? {
        let name: String = member(&file, "name")?;
        if file.get("zip").is_some() {
            lint.archive(&name, &bytes(&file, "zip")?);
        } else {
            let export_sig = file.get("export_sig").map(|_| bytes(&file, "export_sig")).transpose()?;
            lint.files(&name, &bytes(&file, "export_bin")?, export_sig.as_deref());
        }
    }
    let mut found: Vec<(String, String, Value)> = Vec::new();
    for LintFinding { finding, file, .. } in lint.finish() {
        let code = finding.code.to_string();
        let severity = finding.severity.to_string();
        let document = json!({ "code": code, "severity": severity, "file": file });
        found.push((code, file, document));
    }
    found.sort_by(|one, other| (&one.0, &one.1).cmp(&(&other.0, &other.1)));
    let found: Vec<Value> = found.into_iter().map(|(.., document)| document).collect();
    Ok(same("findings", &found, &member(expected, "findings")?)?)
}

/// Whether a file is valid by each set of rules, and whether each published reader takes it.
fn readers(group: &Group, input: &Value, expected: &Value) -> Result<(), Problem> {
    let (trusted, package) = (trusted(group)?, package(input)?);
    let (mut verdicts, mut answers) = (BTreeMap::new(), BTreeMap::new());
    for profile in Profile::ALL {
        let report = package.judge(Audit::new(&trusted).profile(*profile));
        verdicts.insert(profile.to_string(), report.verdict.to_string());
        answers.extend(report.reader.map(|reader| (profile.to_string(), reader.to_string())));
    }
    same("verdict", &verdicts, &member(expected, "verdict")?)?;
    Ok(same("reader", &answers, &optional(expected, "reader")?.unwrap_or_default())?)
}

/// For whom an archive with a CMS signature is valid, and what it holds.
fn content_sig(group: &Group, input: &Value, expected: &Value) -> Result<(), Problem> {
    let (trusted, package) = (trusted(group)?, package(input)?);
    let certificate = optional::<String>(input, "certificate_pem")?
        .map(|pem| SignerCertificate::from_pem("certificate", &pem).map_err(refused("certificate")))
        .transpose()?;
    let (mut verdicts, mut kind) = (BTreeMap::new(), None);
    for profile in Profile::ALL {
        let mut audit = Audit::new(&trusted).profile(*profile);
        if let Some(certificate) = &certificate {
            audit = audit.content_sig_certificate(certificate);
        }
        let report = package.judge(audit);
        verdicts.insert(profile.to_string(), report.verdict.to_string());
        kind = report.kind;
    }
    same("kind", &json!(kind), &member::<Value>(expected, "kind")?)?;
    Ok(same("verdict", &verdicts, &member(expected, "verdict")?)?)
}

/// Who takes files that are handed over together, and who made their signatures.
fn together(group: &Group, input: &Value, expected: &Value) -> Result<(), Problem> {
    let keys: Vec<Value> =
        group.data.get("trusted_keys").and_then(Value::as_array).cloned().unwrap_or_default();
    let key = |data: &Value| {
        let pem = member::<String>(data, "pem")?;
        let mut key =
            TrustedKey::from_pem(member::<String>(data, "name")?, &pem).map_err(refused("public_key"))?;
        key.verification_key_id = optional(data, "verification_key_id")?;
        key.verification_key_version = optional(data, "verification_key_version")?;
        Ok(key)
    };
    let trusted: TrustStore = keys.iter().map(key).collect::<Result<_, Problem>>()?;
    let policy: Option<CosigningPolicy> = optional::<String>(input, "require")?
        .map(|sets| sets.parse().map_err(|error: CosigningPolicyError| error.to_string()))
        .transpose()?;
    let (mut set, mut files) = (FileSet::default(), Vec::new());
    for file in member::<Vec<Value>>(input, "files")? {
        let (export_bin, export_sig) = (bytes(&file, "export_bin")?, bytes(&file, "export_sig")?);
        set.insert(&member::<String>(&file, "name")?, &export_bin).map_err(refused("payload"))?;
        files.push(Package::Files(export_bin, export_sig));
    }
    let compared = set.compare();
    let (mut verdicts, mut signers) = (BTreeMap::new(), None);
    for profile in Profile::ALL {
        let mut audit = Audit::new(&trusted).profile(*profile);
        if let Some(policy) = &policy {
            audit = audit.cosigners(policy);
        }
        let mut verdict = compared.judge(*profile).verdict;
        for report in files.iter().map(|file| file.judge(audit)) {
            verdict = verdict.worse(report.verdict);
            signers = signers.or(Some(report.signers));
        }
        verdicts.insert(profile.to_string(), verdict.to_string());
    }
    if let Some(asked) = optional::<Value>(expected, "signers")? {
        same("signers", &json!(signers.unwrap_or_default()), &asked)?;
    }
    Ok(same("verdict", &verdicts, &member(expected, "verdict")?)?)
}

/// What is said about the mistake of a producer.
fn explanation(group: &Group, input: &Value, expected: &Value) -> Result<(), Problem> {
    let (trusted, package) = (trusted(group)?, package(input)?);
    let findings = package.judge(Audit::new(&trusted)).findings;
    let says: Vec<String> = member(expected, "says")?;
    if says.is_empty() && findings.iter().any(|finding| finding.code == Code::SignedInstead) {
        return Err(Problem::Wrong(format!("explained, though nothing explains it: {findings:?}")));
    }
    match says.iter().find(|piece| !findings.iter().any(|finding| finding.message.contains(*piece))) {
        Some(piece) => Err(Problem::Wrong(format!("nothing says {piece:?}: {findings:?}"))),
        None => Ok(()),
    }
}

fn trusted(group: &Group) -> Result<TrustStore, Problem> {
    let pem = group.data.get("public_key_pem").and_then(Value::as_str);
    let pem = pem.ok_or_else(|| "there is no member \"public_key_pem\"".to_owned())?;
    Ok([TrustedKey::from_pem("vectors", pem).map_err(refused("public_key"))?].into_iter().collect())
}

/// An archive, or the two files.
enum Package {
    Archive(Vec<u8>),
    Files(Vec<u8>, Vec<u8>),
}

impl Package {
    fn judge(&self, audit: Audit<'_>) -> Report {
        match self {
            Self::Archive(zip) => audit.archive(zip),
            Self::Files(export_bin, export_sig) => audit.files(export_bin, Some(export_sig)),
        }
    }
}

fn package(input: &Value) -> Result<Package, Problem> {
    Ok(match input.get("zip") {
        Some(_) => Package::Archive(bytes(input, "zip")?),
        None => Package::Files(bytes(input, "export_bin")?, bytes(input, "export_sig")?),
    })
}

fn lint_configuration(input: &Value, expected: &Value) -> Result<(), Problem> {
    let findings = Configuration::lint_content(&bytes(input, "content")?);
    let mut findings = findings.map_err(|error| describe(&error))?;
    findings.sort_by(|one, other| one.code.as_str().cmp(other.code.as_str()));
    let found: Vec<Value> = findings
        .iter()
        .map(|finding| json!({ "code": finding.code, "severity": finding.severity }))
        .collect();
    Ok(same("findings", &found, &member(expected, "findings")?)?)
}

fn public_key(input: &Value, expected: &Value) -> Result<(), Problem> {
    let id = optional::<String>(input, "id")?.unwrap_or_default();
    let key = TrustedKey::from_pem(id, &member::<String>(input, "pem")?).map_err(refused("public_key"))?;
    let der = key.verifying_key.to_public_key_der().map_err(refused("public_key"))?;
    if let Some(given) = optional::<String>(input, "spki_der_base64")? {
        same("spki_der_base64", &base64_of(der.as_bytes()), &given)?;
    }
    if let Some(curve) = optional::<String>(input, "curve")? {
        same("curve", &"P-256", &curve.as_str())?;
    }
    Ok(same("spki_sha256", &hex::encode(Sha256::digest(der.as_bytes())), &member(expected, "spki_sha256")?)?)
}

fn base64_of(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn submission(group: &Group, input: &Value, expected: &Value) -> Result<(), Problem> {
    let given = |name: &str| group.data.get(name).or_else(|| input.get(name));
    let now = given("now").and_then(Value::as_u64).ok_or_else(|| "there is no member \"now\"".to_owned())?;
    let policy = match given("profile").and_then(Value::as_str) {
        None | Some("cwa") => SubmissionPolicy::cwa(),
        Some("framework") => SubmissionPolicy::framework(),
        Some(other) => return Err(Problem::Wrong(format!("no rules are known by the name {other}"))),
    };
    let accepted = Submission::parse(&bytes(input, "payload")?, &policy, UnixTime::from_secs(now))
        .map_err(|error| Problem::Refused { layer: layer(&error), message: error.to_string() })?;
    let keys: Vec<Value> =
        accepted.submission.keys.iter().map(|key| key_of(&ExportKey::from(*key))).collect();
    same("keys", &keys, &member(expected, "keys")?)?;
    same("dropped_future", &accepted.dropped.future, &member(expected, "dropped_future")?)?;
    Ok(same("dropped_too_old", &accepted.dropped.too_old, &member(expected, "dropped_too_old")?)?)
}

/// The layer that refused an upload, as `error` of a test names it.
const fn layer(error: &SubmissionError) -> &'static str {
    match error {
        SubmissionError::NoKeys
        | SubmissionError::TooManyKeys { .. }
        | SubmissionError::NothingRemains { .. } => "keys",
        SubmissionError::Key { .. } => "key",
        SubmissionError::Origin { .. }
        | SubmissionError::VisitedCountry { .. }
        | SubmissionError::UnsupportedCountry { .. } => "countries",
        _ => "payload",
    }
}

/// A key with the members of the figures; absent values have none.
pub(super) fn key_of(key: &ExportKey) -> Value {
    let mut members = Map::new();
    members.insert("key_data".to_owned(), json!(hex::encode(key.key_data)));
    let numbers = [
        (
            "rolling_start_interval_number",
            key.rolling_start_interval_number.map(|start| i64::from(start.get())),
        ),
        ("rolling_period", key.rolling_period.map(|period| i64::from(period.get()))),
        ("transmission_risk_level", key.transmission_risk_level.map(|level| i64::from(level.get()))),
        ("report_type", key.report_type.map(|report_type| i64::from(report_type.number()))),
        ("days_since_onset_of_symptoms", key.days_since_onset_of_symptoms.map(|days| i64::from(days.get()))),
    ];
    members.extend(numbers.into_iter().filter_map(|(name, number)| Some((name.to_owned(), json!(number?)))));
    Value::Object(members)
}

/// What the German server answers to an upload. Cases that are told by their name alone are known by the words in it.
///
/// DEVIATION: where nothing of an upload is left, that server says 200 and stores nothing, and ours 400 and keeps the TAN; compared is
/// what is stored, and the German status is taken to be the answer to that.
fn submission_validation(input: &Value, expected: &Value) -> Outcome {
    let body = match upload(input) {
        Ok(Some(body)) => body,
        Ok(None) => return Outcome::NoRunner,
        Err(message) => return Outcome::Failed(message),
    };
    let parsed = Submission::parse(&body, &SubmissionPolicy::cwa(), NOW);
    let (status, stored, origin) = match &parsed {
        Ok(accepted) => {
            let origin = accepted.submission.origin.map(|origin| origin.to_string());
            (200, accepted.submission.keys.len(), origin)
        }
        Err(SubmissionError::NothingRemains { .. }) => (200, 0, None),
        Err(_) => (400, 0, None),
    };
    let compare = || {
        same("status", &status, &member(expected, "status")?)?;
        if let Some(expected) = optional(expected, "stored")? {
            same("stored", &stored, &expected)?;
        }
        if let Some(expected) = optional::<String>(expected, "origin_defaulted")? {
            same("origin_defaulted", &origin, &Some(expected))?;
        }
        Ok(())
    };
    compare().into()
}

/// 2020-07-22T14:00:00Z, the time of every upload of these figures.
const NOW: UnixTime = UnixTime::from_secs(1_595_426_400);

/// The body that a case of the German server's tests is about; `None` for what is not about bodies.
fn upload(input: &Value) -> Result<Option<Vec<u8>>, String> {
    let name: String = optional(input, "name")?.unwrap_or_default();
    let says = |words: &[&str]| words.iter().any(|word| name.to_lowercase().contains(word));
    let mut upload = Upload { keys: vec![UploadedKey::of_yesterday()], ..Upload::default() };
    let mut told = false;
    if let Some(days) = optional(input, "dsos")? {
        upload.keys = vec![UploadedKey { days: Some(days), level: None, ..UploadedKey::of_yesterday() }];
        told = true;
    }
    if let Some(level) = optional(input, "trl")? {
        upload.keys = vec![UploadedKey { level: Some(level), ..UploadedKey::of_yesterday() }];
        told = true;
    }
    if let Some(origin) = optional(input, "origin")? {
        upload.origin = Some(origin);
        told = true;
    }
    if let Some(visited) = optional(input, "visited")? {
        upload.visited = visited;
        told = true;
    }
    // The rest has only a name. The self-reports of 2022 and the answers of another server are not about a body.
    if says(&["srs", "verification server"]) {
        return Ok(None);
    }
    if !told {
        if says(&["future"]) {
            upload.keys = [-1, -2].map(UploadedKey::days_ago).to_vec();
        } else if says(&["days old"]) {
            upload.keys = [15, 30].map(UploadedKey::days_ago).to_vec();
        } else if says(&["padding"]) {
            upload.padding = SubmissionPolicy::cwa().max_bytes;
        } else if says(&["origin missing", "origin empty"]) {
            upload.origin = None;
        } else {
            return Ok(None);
        }
    }
    Ok(Some(upload.encode()))
}

/// An upload by field numbers, because typed uploads cannot be wrong.
#[derive(Default)]
struct Upload {
    keys: Vec<UploadedKey>,
    padding: usize,
    visited: Vec<String>,
    origin: Option<String>,
}

#[derive(Clone, Copy)]
struct UploadedKey {
    /// Days from the key's start to midnight before [`NOW`].
    days_ago: i64,
    level: Option<i64>,
    days: Option<i64>,
}

impl UploadedKey {
    const fn days_ago(days_ago: i64) -> Self {
        Self { days_ago, level: Some(5), days: None }
    }

    const fn of_yesterday() -> Self {
        Self::days_ago(1)
    }

    fn encode(self, number: u8) -> Vec<u8> {
        let start = i64::from(ENIntervalNumber::at(NOW).floor_day().get()) - 144 * self.days_ago;
        let mut key = Vec::new();
        data(&mut key, 1, &[number; ExportKey::LENGTH]);
        if let Some(level) = self.level {
            varint(&mut key, 2, level);
        }
        varint(&mut key, 3, start);
        varint(&mut key, 4, 144);
        if let Some(days) = self.days {
            // sint32: the sign is the lowest bit.
            varint(&mut key, 6, (days << 1) ^ (days >> 63));
        }
        key
    }
}

impl Upload {
    fn encode(&self) -> Vec<u8> {
        let mut body = Vec::new();
        for (number, key) in (1..).zip(&self.keys) {
            data(&mut body, 1, &key.encode(number));
        }
        if self.padding > 0 {
            data(&mut body, 2, &vec![b'x'; self.padding]);
        }
        for country in &self.visited {
            data(&mut body, 3, country.as_bytes());
        }
        if let Some(origin) = &self.origin {
            data(&mut body, 4, origin.as_bytes());
        }
        body
    }
}

fn varint(message: &mut Vec<u8>, field: u8, value: i64) {
    message.push(field << 3);
    write_varint(message, value.cast_unsigned());
}

fn data(message: &mut Vec<u8>, field: u8, content: &[u8]) {
    message.push(field << 3 | 2);
    write_varint(message, content.len() as u64);
    message.extend_from_slice(content);
}

fn write_varint(message: &mut Vec<u8>, mut value: u64) {
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            message.push(low);
            return;
        }
        message.push(low | 0x80);
    }
}

fn submission_size(input: &Value, expected: &Value) -> Result<(), Problem> {
    use rand::SeedableRng as _;
    let client: String = member(input, "client")?;
    let padding = match client.split_whitespace().next() {
        Some("android") => PerKeyPadding::GERMAN_ANDROID,
        Some("ios") => PerKeyPadding::GERMAN_IOS,
        _ => return Err(Problem::Wrong(format!("no client is known by the name {client}"))),
    };
    let mut rng = rand::rngs::StdRng::seed_from_u64(0);
    let body = match optional::<usize>(input, "keys")? {
        None => Submission::fake_per_key(padding, &mut rng),
        Some(count) => {
            let start = ENIntervalNumber::at(NOW).floor_day();
            let mut key = DiagnosisKey::new([7; 16], start, RollingPeriod::FULL_DAY);
            key.transmission_risk_level = TransmissionRiskLevel::try_from(5).ok();
            key.days_since_onset_of_symptoms = DaysSinceOnsetOfSymptoms::try_from(3986).ok();
            let mut submission = Submission::new(vec![key; count]);
            submission.visited_countries = vec![SubmissionPolicy::cwa().country];
            submission.encode_padded_per_key(padding, &mut rng)
        }
    };
    Ok(same("bytes", &body.len(), &member(expected, "bytes")?)?)
}

fn expiry_policy(input: &Value, expected: &Value) -> Result<(), Problem> {
    // Intervals and hours are counted from a midnight; which one does not matter, so it is the first of all.
    let start = ENIntervalNumber::new(member(input, "rolling_start")?);
    let period: i64 = member(input, "rolling_period")?;
    let period = RollingPeriod::try_from(period).map_err(refused("rolling_period"))?;
    let key = DiagnosisKey::new([0; 16], start, period);
    let submitted_at = Hour::new(member(input, "submission_hour")?).start();
    let hour = PublicationPolicy::default().earliest_hour(key.end(), submitted_at);
    Ok(same("distribution_hour", &hour.get(), &member(expected, "distribution_hour")?)?)
}

fn shifting_policy(input: &Value, expected: &Value) -> Result<(), Problem> {
    use rand::SeedableRng as _;
    let hours: BTreeMap<String, usize> = member(input, "keys_per_hour")?;
    let hours =
        hours.into_iter().map(|(hour, count)| Ok((hour.parse::<u64>().map_err(|e| e.to_string())?, count)));
    let hours: BTreeMap<u64, usize> = hours.collect::<Result<_, String>>()?;
    // The rule knows no longest wait; ours has one, which is set beyond reach here.
    let mut policy = PublicationPolicy::default();
    policy.threshold = member(input, "threshold")?;
    policy.max_shift_hours = u64::MAX;
    // Keys that ended long before the first hour, so that no embargo holds them back.
    let key = DiagnosisKey::new([0; 16], ENIntervalNumber::new(0), RollingPeriod::FULL_DAY);
    let hour_of = |number: u64| Hour::new(number.saturating_add(1_000));
    let mut pending: Vec<PendingKey> = Vec::new();
    let mut published = Map::new();
    for (&number, &count) in &hours {
        let hour = hour_of(number);
        pending.extend(core::iter::repeat_n(
            PendingKey { key, earliest_hour: policy.earliest_hour(key.end(), hour.start()) },
            count,
        ));
        let closed = policy.close_hour(hour, &pending, &mut rand::rngs::StdRng::seed_from_u64(0));
        published.insert(number.to_string(), json!(closed.key_count()));
        let mut index = 0;
        pending.retain(|_| {
            index += 1;
            !closed.publish.contains(&(index - 1))
        });
    }
    Ok(same("expect", &Value::Object(published), &member(expected, "expect")?)?)
}
