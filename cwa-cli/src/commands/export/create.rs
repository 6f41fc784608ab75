//! `cwa export create`: signed packages, or unsigned ones to be signed elsewhere; the same input gives the same bytes.

use core::num::NonZeroUsize;
use core::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use clap::builder::TypedValueParser;
use cwa_crypto::UnixTime;
use cwa_export::finding::Code;
use cwa_export::padding::PaddingPolicy;
use cwa_export::split::{SplitError, SplitLimits};
use cwa_export::{Export, ExportKey, SoftwareSigner};
use serde::{Deserialize, Serialize};

use super::keys::KeyDocument;
use super::signers::SignerArguments;
use super::written::{self, Written};
use crate::args::{Answer, Global};
use crate::failure::Failure;
use crate::input;
use crate::output::Output;

/// Arguments of `cwa export create`.
#[derive(Debug, clap::Args)]
pub(crate) struct CreateArguments {
    /// The keys as JSON: what `cwa export inspect --keys --json` or `cwa tek generate --json` printed, or its list of keys.
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,
    #[command(flatten)]
    signers: SignerArguments,
    /// Region of the keys; without it, the document's, if it has one.
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// Begin of the window in which the keys were published; without it, the document's.
    #[arg(long, value_name = "TIME", value_parser = input::time)]
    start: Option<UnixTime>,
    /// End of that window; without it, the document's.
    #[arg(long, value_name = "TIME", value_parser = input::time)]
    end: Option<UnixTime>,
    /// The archive to write, - for standard output; where several are needed, NAME-00001.zip, NAME-00002.zip and so on.
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// Sign nothing: write, instead of NAME.zip, export.bin as NAME.bin, the digest to sign as NAME.digest, and who has to
    /// sign it as NAME.json. `cwa export sign --attach` makes the archive.
    #[arg(long)]
    unsigned: bool,
    /// In which order the keys stand; without it sorted, but as given for a package that `cwa export inspect` printed, so
    /// that it is made anew byte for byte.
    #[arg(long, value_name = "ORDER", help_heading = "Contents")]
    order: Option<Order>,
    /// Give every key random siblings that say the same, so that there are N of each.
    #[arg(long, value_name = "N", value_parser = number(1..=1_000), conflicts_with = "pad_minimum", help_heading = "Contents")]
    pad_multiplier: Option<u64>,
    /// Add random keys, which say what the real ones say in turn, until there are N; to no keys none are added.
    #[arg(long, value_name = "N", value_parser = number(1..=10_000_000), help_heading = "Contents")]
    pad_minimum: Option<u64>,
    /// Draw the number of keys between that minimum and N more.
    #[arg(long, value_name = "N", value_parser = number(0..=10_000_000), requires = "pad_minimum", help_heading = "Contents")]
    pad_range: Option<u64>,
    /// Most keys of an archive; Apple says 750000. Each further archive ends a second later, so that no phone takes one
    /// for another.
    #[arg(long, value_name = "N", value_parser = number(1..=u64::MAX), help_heading = "Contents")]
    max_keys: Option<u64>,
    /// Longest archive, in bytes; Apple says 16 MB.
    #[arg(long, value_name = "BYTES", value_parser = number(1..=u64::MAX), help_heading = "Contents")]
    max_bytes: Option<u64>,
}

/// In which order the keys of a package stand.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
enum Order {
    /// In the order of their bytes, which tells nothing and is always the same.
    Sorted,
    /// In an order that is drawn.
    Shuffled,
    /// As they are given; if that is how they arrived, it tells whose belong together.
    Given,
}

/// What is read of a document with keys; what else it holds is passed over.
#[derive(Deserialize)]
struct KeysDocument {
    schema: Option<String>,
    #[serde(default)]
    keys: Vec<KeyDocument>,
    #[serde(default)]
    revised_keys: Vec<KeyDocument>,
    region: Option<String>,
    start_timestamp: Option<u64>,
    end_timestamp: Option<u64>,
}

/// The answer of `cwa export create`.
#[derive(Serialize)]
struct Created {
    /// Of the one file, if it is one.
    #[serde(flatten)]
    only: Option<Written>,
    key_count: usize,
    revised_key_count: usize,
    /// How many of the keys are random.
    padding_count: usize,
    files: Vec<CreatedFile>,
}

#[derive(Serialize)]
struct CreatedFile {
    #[serde(flatten)]
    written: Written,
    end_timestamp: Option<u64>,
    key_count: usize,
    revised_key_count: usize,
}

pub(super) fn create(
    arguments: &CreateArguments,
    global: &Global,
    output: &mut Output,
) -> Result<Answer, Failure> {
    let infos = arguments.signers.infos()?;
    let signers = if arguments.unsigned { Vec::new() } else { arguments.signers.read(&infos)? };
    let document = read_keys(&arguments.keys)?;
    let mut export = export(arguments, &document)?;
    let mut rng = global.rng();
    let mut padding = arguments.padding().padding(&export.keys, &mut rng);
    let padding_count = padding.len();
    export.keys.append(&mut padding);
    match arguments.order(&document)? {
        Order::Sorted => export.sort(),
        Order::Shuffled => export.shuffle(&mut rng),
        Order::Given if export.keys.is_sorted() && export.revised_keys.is_sorted() => {}
        Order::Given => {
            note(global, "the keys stand in the order given, which can tell whose belong together")
        }
    }
    let (key_count, revised_key_count) = (export.keys.len(), export.revised_keys.len());
    let parts = export.split(&arguments.limits(), &infos).map_err(|error| {
        let help = match error {
            SplitError::NoEnd { .. } => "give --end",
            _ => "give a larger --max-keys or --max-bytes",
        };
        Failure::usage("CWA-E0316", "the keys do not fit into such archives").help(help).caused_by(error)
    })?;
    refuse_duplicates(&parts)?;
    if arguments.output == Path::new("-") {
        let [part] = parts.as_slice() else {
            return Err(Failure::usage("CWA-E0317", "standard output can take one archive only")
                .help("name a file with --output"));
        };
        return to_standard_output(part, &signers, output);
    }
    let files = if arguments.unsigned {
        written::unsigned(&parts, &infos, &arguments.output)?
    } else {
        written::archives(&parts, &signers, &arguments.output)?
    };
    let file = |(part, written): (&Export, &Written)| CreatedFile {
        written: written.clone(),
        end_timestamp: part.end_timestamp.map(UnixTime::as_secs),
        key_count: part.keys.len(),
        revised_key_count: part.revised_keys.len(),
    };
    let created = Created {
        only: if let [file] = files.as_slice() { Some(file.clone()) } else { None },
        key_count,
        revised_key_count,
        padding_count,
        files: parts.iter().zip(&files).map(file).collect(),
    };
    note_limits(&created, global);
    output.answer("cwa.export.create/1", &created, |text| {
        for file in &created.files {
            let keys = file.key_count + file.revised_key_count;
            writeln!(text, "{}: {keys} keys, {} bytes", file.written.path, file.written.size)?;
            let what = if arguments.unsigned { "sign this" } else { "sha256" };
            writeln!(text, "{what} {}", file.written.sha256)?;
        }
        Ok(())
    })?;
    Ok(Answer::Yes)
}

impl CreateArguments {
    fn limits(&self) -> SplitLimits {
        let number = |number: Option<u64>| {
            number.map_or(usize::MAX, |number| usize::try_from(number).unwrap_or(usize::MAX))
        };
        SplitLimits { max_keys: number(self.max_keys), max_archive_bytes: number(self.max_bytes) }
    }

    fn padding(&self) -> PaddingPolicy {
        let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        match (self.pad_multiplier, self.pad_minimum) {
            (Some(each), _) => {
                NonZeroUsize::new(number(each)).map_or(PaddingPolicy::None, PaddingPolicy::Multiplier)
            }
            (_, Some(keys)) => {
                PaddingPolicy::Minimum { keys: number(keys), range: number(self.pad_range.unwrap_or(0)) }
            }
            _ => PaddingPolicy::None,
        }
    }

    fn order(&self, document: &KeysDocument) -> Result<Order, Failure> {
        let is_padded = self.padding() != PaddingPolicy::None;
        match self.order {
            Some(Order::Given) if is_padded => Err(Failure::usage(
                "CWA-E0319",
                "random keys behind the real ones are told from them by their place",
            )
            .help("leave out --order given")),
            Some(order) => Ok(order),
            None if !is_padded && document.schema.as_deref() == Some("cwa.export.inspect/1") => {
                Ok(Order::Given)
            }
            None => Ok(Order::Sorted),
        }
    }
}

fn to_standard_output(
    part: &Export,
    signers: &[SoftwareSigner],
    output: &mut Output,
) -> Result<Answer, Failure> {
    if signers.is_empty() {
        return Err(Failure::usage("CWA-E0317", "standard output can take one archive only")
            .help("--unsigned writes several files; name them with --output"));
    }
    written::to_standard_output(&written::archive(part, signers)?.1, output)?;
    Ok(Answer::Yes)
}

/// A key that stands in two archives; within one, the check of what was made finds it.
fn refuse_duplicates(parts: &[Export]) -> Result<(), Failure> {
    if parts.len() < 2 {
        return Ok(());
    }
    let keys = |part: &Export| {
        part.keys.iter().chain(&part.revised_keys).map(|key| key.key_data).collect::<Vec<_>>()
    };
    let mut keys: Vec<_> = parts.iter().flat_map(keys).collect();
    keys.sort_unstable();
    match keys.windows(2).find(|pair| pair.first() == pair.last()).and_then(<[_]>::first) {
        Some(key) => {
            let message =
                format!("such packages would be refused: key {} occurs more than once", hex::encode(key));
            Err(Failure::input(Code::DuplicateKey.as_str(), message).help("nothing was written"))
        }
        None => Ok(()),
    }
}

/// Says what iPhones will not take.
fn note_limits(created: &Created, global: &Global) {
    let apple = SplitLimits::APPLE;
    let beyond = |file: &CreatedFile| {
        file.key_count + file.revised_key_count > apple.max_keys
            || file.written.size > apple.max_archive_bytes
    };
    if created.files.iter().any(beyond) {
        note(
            global,
            "Apple asks for at most 750,000 keys and 16 MB in an archive; --max-keys and --max-bytes make several",
        );
    }
}

fn note(global: &Global, text: &str) {
    if !global.quiet {
        let _ = std::io::Write::write_all(&mut anstream::stderr(), format!("note: {text}\n").as_bytes());
    }
}

fn read_keys(path: &Path) -> Result<KeysDocument, Failure> {
    let text = input::read_text(path)?;
    let keys = |keys| KeysDocument {
        schema: None,
        keys,
        revised_keys: Vec::new(),
        region: None,
        start_timestamp: None,
        end_timestamp: None,
    };
    // A list, or a document that has one. Read as what it begins like, so that the error is about that.
    let read = if text.trim_start().starts_with('[') {
        serde_json::from_str(&text).map(keys)
    } else {
        serde_json::from_str(&text)
    };
    read.map_err(|error| {
        Failure::input("CWA-E0311", format!("{} is no JSON document with keys", path.display()))
            .help("expected is what `cwa export inspect --keys --json FILE` prints, or its list of keys")
            .caused_by(error)
    })
}

fn export(arguments: &CreateArguments, document: &KeysDocument) -> Result<Export, Failure> {
    let keys = |kind: &str, keys: &[KeyDocument]| {
        let read = keys.iter().enumerate().map(|(index, key)| {
            ExportKey::try_from(key).map_err(|error| {
                let message = format!("{kind} {} of {} cannot be used", index + 1, arguments.keys.display());
                Failure::input("CWA-E1301", message).caused_by(error)
            })
        });
        read.collect::<Result<Vec<_>, _>>()
    };
    let missing = |flag: &str| {
        Failure::usage("CWA-E0312", format!("{flag} is missing"))
            .help(format!("give {flag}, or a document of `cwa export inspect` that has it"))
    };
    let start = arguments
        .start
        .or_else(|| document.start_timestamp.map(UnixTime::from_secs))
        .ok_or_else(|| missing("--start"))?;
    let end = arguments
        .end
        .or_else(|| document.end_timestamp.map(UnixTime::from_secs))
        .ok_or_else(|| missing("--end"))?;
    let mut export = Export::new(start, end, String::new(), Vec::new());
    export.region = arguments.region.clone().or_else(|| document.region.clone());
    export.keys = keys("key", &document.keys)?;
    export.revised_keys = keys("revised key", &document.revised_keys)?;
    Ok(export)
}

/// A number of a flag, within bounds.
fn number(range: RangeInclusive<u64>) -> impl TypedValueParser<Value = u64> {
    clap::value_parser!(u64).range(range)
}
