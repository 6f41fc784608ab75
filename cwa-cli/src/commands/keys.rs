//! `cwa keys`: whose signatures are believed, and where their keys come from.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use cwa_export::trust::{Environment, TrustStore, TrustedKey};
use serde::Serialize;

use super::trust;
use crate::args::{Answer, Global};
use crate::failure::Failure;
use crate::output::{self, Output, style};

/// Public keys of export signers: the built-in ones, and stores of your own.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum KeysCommand {
    /// The keys of a trust store, with their names, countries and apps; without one, the built-in keys.
    List(ListArguments),
    /// Everything that is known about one key: its names, where it was found, and the key in PEM.
    Show(ShowArguments),
    /// Put public keys into a trust store of your own, which `--trust-store` takes.
    Import(ImportArguments),
}

/// Arguments of `cwa keys list`.
#[derive(Debug, clap::Args)]
pub(crate) struct ListArguments {
    /// Only keys of this country, two letters.
    #[arg(long, value_name = "CC")]
    country: Option<String>,
    /// Only keys of this environment: production, test, sample, given.
    #[arg(long, value_name = "NAME")]
    environment: Option<Environment>,
    /// A store of your own instead of the built-in one.
    #[arg(long, value_name = "FILE")]
    trust_store: Option<PathBuf>,
}

/// Arguments of `cwa keys show`.
#[derive(Debug, clap::Args)]
pub(crate) struct ShowArguments {
    /// The key's name, as `cwa keys list` has it.
    #[arg(value_name = "ID")]
    id: String,
    /// A store of your own instead of the built-in one.
    #[arg(long, value_name = "FILE")]
    trust_store: Option<PathBuf>,
}

/// Arguments of `cwa keys import`.
#[derive(Debug, clap::Args)]
pub(crate) struct ImportArguments {
    /// Public keys of the curve P-256 in PEM (SubjectPublicKeyInfo), one in each file. Private keys are refused.
    #[arg(value_name = "PEM", required = true)]
    files: Vec<PathBuf>,
    /// The store: made if there is none, else the keys are added to it. Written whole or not at all.
    #[arg(long, value_name = "STORE")]
    output: PathBuf,
    /// Name of the key in the store, for a single file; otherwise the file's name without what follows the dot.
    #[arg(long, value_name = "NAME")]
    id: Option<String>,
    /// The country, two letters.
    #[arg(long, value_name = "CC")]
    country: Option<String>,
    /// App bundle or package that uses the key; may be given several times.
    #[arg(long = "package", value_name = "PACKAGE")]
    packages: Vec<String>,
    /// `verification_key_id` of its signatures, by custom the mobile country code.
    #[arg(long, value_name = "ID")]
    key_id: Option<String>,
    /// `verification_key_version` of its signatures.
    #[arg(long, value_name = "VERSION")]
    key_version: Option<String>,
    /// What the keys are used for: production, test (files verify with a warning), sample, given.
    #[arg(long, value_name = "NAME", default_value = "given")]
    environment: Environment,
    /// Where the keys were found; may be given several times.
    #[arg(long = "source", value_name = "TEXT")]
    sources: Vec<String>,
}

impl KeysCommand {
    pub(crate) fn run(&self, global: &Global, output: &mut Output) -> Result<Answer, Failure> {
        match self {
            Self::List(arguments) => list(arguments, output),
            Self::Show(arguments) => show(arguments, output),
            Self::Import(arguments) => import(arguments, global, output),
        }
    }
}

/// The answer of `cwa keys list`.
#[derive(Serialize)]
struct Listed {
    /// The month in which the built-in keys were last looked for; null for a store of the caller's.
    version: Option<&'static str>,
    keys: Vec<Key>,
}

/// The answer of `cwa keys import`.
#[derive(Serialize)]
struct Imported {
    store: String,
    imported: Vec<Key>,
    key_count: usize,
}

/// One key.
#[derive(Serialize)]
struct Key {
    id: String,
    country: Option<String>,
    packages: Vec<String>,
    verification_key_id: Option<String>,
    verification_key_version: Option<String>,
    environment: Environment,
    collected: Option<String>,
    spki_sha256: String,
    pem: String,
    sources: Vec<String>,
    notes: Vec<String>,
}

impl Key {
    fn of(key: &TrustedKey) -> Result<Self, Failure> {
        let inexpressible = |error| {
            Failure::input("CWA-E0010", format!("{} cannot be written down", key.id)).caused_by(error)
        };
        Ok(Self {
            id: key.id.clone(),
            country: key.country.clone(),
            packages: key.packages.clone(),
            verification_key_id: key.verification_key_id.clone(),
            verification_key_version: key.verification_key_version.clone(),
            environment: key.environment,
            collected: key.collected.clone(),
            spki_sha256: hex::encode(key.spki_sha256().map_err(inexpressible)?),
            pem: key.to_pem().map_err(inexpressible)?,
            sources: key.sources.clone(),
            notes: key.notes.clone(),
        })
    }

    /// Id and version of the key, as backends write them: `262-v1`.
    fn names(&self) -> String {
        match (&self.verification_key_id, &self.verification_key_version) {
            (None, None) => "-".to_owned(),
            (id, version) => {
                let text = |name: &Option<String>| name.clone().unwrap_or_else(|| "?".to_owned());
                format!("{}-{}", text(id), text(version))
            }
        }
    }
}

fn list(arguments: &ListArguments, output: &mut Output) -> Result<Answer, Failure> {
    let store = store(arguments.trust_store.as_deref())?;
    let is_asked_for = |key: &&TrustedKey| {
        let of_country = arguments.country.as_deref().is_none_or(|asked| {
            key.country.as_deref().is_some_and(|country| country.eq_ignore_ascii_case(asked))
        });
        of_country && arguments.environment.is_none_or(|asked| key.environment == asked)
    };
    let keys = store.keys().filter(is_asked_for).map(Key::of).collect::<Result<Vec<_>, _>>()?;
    let version = arguments.trust_store.is_none().then(TrustStore::built_in_version);
    let document = Listed { version, keys };
    output.answer("cwa.keys.list/1", &document, |text| write_list(text, &document))?;
    Ok(Answer::Yes)
}

fn write_list(text: &mut dyn Write, listed: &Listed) -> io::Result<()> {
    let width = |of: fn(&Key) -> usize| listed.keys.iter().map(of).max().unwrap_or_default();
    let (id, names) = (width(|key| key.id.len()), width(|key| key.names().len()));
    for key in &listed.keys {
        let country = key.country.as_deref().unwrap_or("-");
        let (environment, packages) = (key.environment.to_string(), key.packages.join(" "));
        let line = format!(
            "{}{:id$}{:#}  {country:2}  {environment:10}  {:names$}  {packages}",
            style::STRONG,
            key.id,
            style::STRONG,
            key.names(),
        );
        writeln!(text, "{}", line.trim_end())?;
    }
    let since = listed.version.map_or_else(String::new, |version| format!(", last looked for in {version}"));
    writeln!(text, "{}{since}", count(listed.keys.len()))
}

/// A number of keys in words.
fn count(keys: usize) -> String {
    match keys {
        0 => "no key".to_owned(),
        1 => "1 key".to_owned(),
        more => format!("{more} keys"),
    }
}

fn show(arguments: &ShowArguments, output: &mut Output) -> Result<Answer, Failure> {
    let store = store(arguments.trust_store.as_deref())?;
    let key = store.key(&arguments.id).ok_or_else(|| {
        let names: Vec<&str> = store.keys().map(|key| key.id.as_str()).collect();
        Failure::usage("CWA-E0014", format!("no key has the name {:?}", arguments.id))
            .help(format!("there are {}", names.join(", ")))
    })?;
    let key = Key::of(key)?;
    output.answer("cwa.keys.show/1", &key, |text| write_key(text, &key))?;
    Ok(Answer::Yes)
}

fn write_key(text: &mut dyn Write, key: &Key) -> io::Result<()> {
    writeln!(text, "{}{}{:#}", style::STRONG, key.id, style::STRONG)?;
    let absent = || "-".to_owned();
    let mut line = |name: &str, value: &str| writeln!(text, "  {name:12} {value}");
    line("country", &key.country.clone().unwrap_or_else(absent))?;
    line("environment", &key.environment.to_string())?;
    line("key id", &key.verification_key_id.clone().unwrap_or_else(absent))?;
    line("key version", &key.verification_key_version.clone().unwrap_or_else(absent))?;
    for package in &key.packages {
        line("package", package)?;
    }
    line("SHA-256", &key.spki_sha256)?;
    line("collected", &key.collected.clone().unwrap_or_else(absent))?;
    for source in &key.sources {
        line("source", source)?;
    }
    for note in &key.notes {
        line("note", note)?;
    }
    write!(text, "{}", key.pem)
}

fn import(arguments: &ImportArguments, global: &Global, output: &mut Output) -> Result<Answer, Failure> {
    if arguments.id.is_some() && arguments.files.len() > 1 {
        return Err(Failure::usage("CWA-E0015", "one name was given for several keys")
            .help("leave out --id: the keys take the names of their files"));
    }
    let mut store =
        if arguments.output.exists() { trust::store_from(&arguments.output)? } else { TrustStore::empty() };
    // The day, in UTC.
    let collected = output::rfc3339(global.now().as_secs()).chars().take(10).collect::<String>();
    let mut imported = Vec::new();
    for file in &arguments.files {
        let mut key = trust::public_key(file)?;
        key.id = arguments
            .id
            .clone()
            .unwrap_or_else(|| file.file_stem().unwrap_or(file.as_os_str()).to_string_lossy().into_owned());
        if store.key(&key.id).is_some() {
            let message =
                format!("{} already holds a key of the name {:?}", arguments.output.display(), key.id);
            return Err(Failure::usage("CWA-E0015", message).help("give the new one another with --id"));
        }
        key.country.clone_from(&arguments.country);
        key.packages.clone_from(&arguments.packages);
        key.verification_key_id.clone_from(&arguments.key_id);
        key.verification_key_version.clone_from(&arguments.key_version);
        key.environment = arguments.environment;
        key.collected = Some(collected.clone());
        key.sources.clone_from(&arguments.sources);
        imported.push(Key::of(&key)?);
        store.insert(key);
    }
    let json = store.to_json().map_err(|error| trust::no_store(&arguments.output).caused_by(error))?;
    output::replace_file(&arguments.output, json.as_bytes())?;
    let document =
        Imported { store: arguments.output.display().to_string(), imported, key_count: store.keys().count() };
    output.answer("cwa.keys.import/1", &document, |text| {
        for key in &document.imported {
            writeln!(text, "{}  {}", key.id, key.spki_sha256)?;
        }
        writeln!(text, "{}: {}", document.store, count(document.key_count))
    })?;
    Ok(Answer::Yes)
}

/// The store of this file, or every built-in key.
fn store(file: Option<&Path>) -> Result<TrustStore, Failure> {
    file.map_or_else(|| Ok(TrustStore::built_in_with_samples()), trust::store_from)
}
