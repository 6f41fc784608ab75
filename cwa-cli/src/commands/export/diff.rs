//! `cwa export diff`: which keys appeared, vanished, changed.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use cwa_crypto::UnixTime;
use cwa_export::UnverifiedExport;
use cwa_export::content::ExportContent;
use cwa_export::diff::{ChangedKey, DiffKey, ExportDiff};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::PackageArguments;
use super::keys::{KeyDocument, SignatureInfoDocument};
use crate::args::Answer;
use crate::failure::Failure;
use crate::output::{Output, style};

/// Arguments of `cwa export diff`.
#[derive(Debug, clap::Args)]
pub(crate) struct DiffArguments {
    /// The earlier package, verified or not: a ZIP archive, or a bare export.bin; - is standard input.
    #[arg(value_name = "A")]
    before: PathBuf,
    /// The later package.
    #[arg(value_name = "B")]
    after: PathBuf,
}

/// The answer of `cwa export diff`.
#[derive(Serialize)]
struct Difference {
    added: Vec<KeyOfKind>,
    removed: Vec<KeyOfKind>,
    changed: Vec<Changed>,
    /// What else the exports say otherwise; what one does not say is `null`.
    head: Vec<ChangedMember>,
}

#[derive(Serialize)]
struct KeyOfKind {
    #[serde(flatten)]
    key: KeyDocument,
    revised: bool,
}

#[derive(Serialize)]
struct Changed {
    key_data: String,
    revised: bool,
    members: Vec<ChangedMember>,
}

#[derive(Serialize)]
struct ChangedMember {
    member: String,
    before: Value,
    after: Value,
}

pub(super) fn diff(arguments: &DiffArguments, output: &mut Output) -> Result<Answer, Failure> {
    let (before, after) = (read(&arguments.before)?, read(&arguments.after)?);
    let (before, after) = (parse(&arguments.before, &before)?, parse(&arguments.after, &after)?);
    let keys = ExportDiff::between(&before, &after);
    let head = changed_head(&before, &after);
    let answer = if keys.is_empty() && head.is_empty() { Answer::Yes } else { Answer::No };
    let difference = Difference {
        added: keys.added.iter().map(Into::into).collect(),
        removed: keys.removed.iter().map(Into::into).collect(),
        changed: keys.changed.iter().map(Into::into).collect(),
        head,
    };
    output.answer("cwa.export.diff/1", &difference, |text| write_difference(text, &difference))?;
    Ok(answer)
}

fn read(path: &Path) -> Result<(Vec<u8>, Vec<u8>), Failure> {
    let package = PackageArguments { file: path.to_owned(), signature: None };
    let name = package.name();
    package.read()?.open(&name)
}

fn parse<'a>(
    path: &Path,
    (content, signatures): &'a (Vec<u8>, Vec<u8>),
) -> Result<ExportContent<'a>, Failure> {
    let export = UnverifiedExport::parse(content, signatures).map_err(|error| {
        Failure::input("CWA-E0202", format!("{} cannot be read as an export", path.display()))
            .caused_by(error)
            .help("`cwa export inspect` says what it is")
    })?;
    Ok(export.danger_accept_unverified())
}

/// Everything but the keys, by its names in `cwa export inspect`.
fn head(content: &ExportContent<'_>) -> Map<String, Value> {
    let infos: Vec<SignatureInfoDocument> = content.signature_infos().iter().map(Into::into).collect();
    let head = json!({
        "start_timestamp": content.start_timestamp().map(UnixTime::as_secs),
        "end_timestamp": content.end_timestamp().map(UnixTime::as_secs),
        "region": content.region(),
        "batch_num": content.batch_num(),
        "batch_size": content.batch_size(),
        "signature_infos": infos,
    });
    match head {
        Value::Object(head) => head,
        _ => Map::new(),
    }
}

fn changed_head(before: &ExportContent<'_>, after: &ExportContent<'_>) -> Vec<ChangedMember> {
    let mut after = head(after);
    head(before)
        .into_iter()
        .filter_map(|(member, before)| {
            let after = after.remove(&member).unwrap_or_default();
            (before != after).then_some(ChangedMember { member, before, after })
        })
        .collect()
}

impl From<&DiffKey<'_>> for KeyOfKind {
    fn from(key: &DiffKey<'_>) -> Self {
        Self { key: key.key.into(), revised: key.revised }
    }
}

impl From<&ChangedKey<'_>> for Changed {
    fn from(key: &ChangedKey<'_>) -> Self {
        let member = |(name, before, after): (&str, Option<i32>, Option<i32>)| ChangedMember {
            member: name.to_owned(),
            before: before.into(),
            after: after.into(),
        };
        Self {
            key_data: hex::encode(key.before.key_data.unwrap_or_default()),
            revised: key.revised,
            members: key.members().map(member).collect(),
        }
    }
}

fn write_difference(text: &mut dyn Write, difference: &Difference) -> io::Result<()> {
    let Difference { added, removed, changed, head } = difference;
    let (good, bad, warning) = (style::GOOD, style::BAD, style::WARNING);
    let members = |text: &mut dyn Write, members: &[ChangedMember]| {
        members.iter().try_for_each(|ChangedMember { member, before, after }| {
            writeln!(text, "    {member}: {before} -> {after}")
        })
    };
    writeln!(text, "{} keys added, {} removed, {} changed", added.len(), removed.len(), changed.len())?;
    if !head.is_empty() {
        writeln!(text, "  {warning}~{warning:#} head")?;
        members(text, head)?;
    }
    for key in removed {
        writeln!(text, "  {bad}-{bad:#} {}", serde_json::to_string(key)?)?;
    }
    for key in added {
        writeln!(text, "  {good}+{good:#} {}", serde_json::to_string(key)?)?;
    }
    for key in changed {
        let revised = if key.revised { " (revised)" } else { "" };
        writeln!(text, "  {warning}~{warning:#} {}{revised}", key.key_data)?;
        members(text, &key.members)?;
    }
    Ok(())
}
