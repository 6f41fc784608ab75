//! The signed manifest against the tree it speaks of.

use cwa_crypto::UnixTime;

use super::file::{Content, Place};
use super::{Corpus, KeptContent, Sink, counted};
use crate::batch::{Hour, PublicationPolicy};
use crate::finding::Code;
use crate::index::{DistributionPath, Manifest};

/// Checks the manifest, if there is one that a trusted key signed, and gives it.
pub(super) fn check(corpus: &Corpus, sink: &mut Sink) -> Option<Manifest> {
    let path = DistributionPath::Manifest.file_path();
    let is_tree = corpus.present().any(|package| package.place != Place::Loose);
    let manifest = match corpus.files.get(&path).map(|file| &file.content) {
        Some(KeptContent::Other(Content::Manifest(Ok(manifest)))) => manifest,
        Some(KeptContent::Other(Content::Manifest(Err(refusal)))) => {
            sink.push(&path, refusal.clone());
            return None;
        }
        _ if is_tree => {
            let message = "no manifest ties the files together: an old or mixed tree cannot be told";
            sink.file(&path, Code::ManifestAbsent, message);
            return None;
        }
        _ => return None,
    };
    let generated_at = manifest.generated_at();
    listed(corpus, manifest, &path, sink);
    omitted(corpus, manifest, &path, sink);
    older(corpus, generated_at, &path, sink);
    if let Some(now) = corpus.now
        && let Err(error) = manifest.check_age(MAX_AGE_SECONDS, now)
    {
        sink.file(&path, Code::ManifestStale, error.to_string());
    }
    Some(manifest.clone())
}

/// Two hours: a publisher makes one every hour.
const MAX_AGE_SECONDS: u64 = 2 * Hour::SECONDS;

fn listed(corpus: &Corpus, manifest: &Manifest, manifest_path: &str, sink: &mut Sink) {
    for (name, entry) in manifest.entries() {
        let path = format!("{name}/index");
        let Some(file) = corpus.files.get(&path) else {
            let place = name.parse::<DistributionPath>();
            let is_package = matches!(
                place,
                Ok(DistributionPath::DayPackage { .. } | DistributionPath::HourPackage { .. })
            );
            // No index names a package without keys, so that a mirror has not asked for it.
            if !(is_package && entry.key_count == 0) {
                let message = format!("{name} is not there");
                sink.file(manifest_path, Code::ManifestListsMissing, message);
            }
            continue;
        };
        let sha256 = hex::encode(file.sha256);
        if entry.sha256 != sha256 {
            let message = format!("its SHA-256 is {sha256}; the manifest has {}", entry.sha256);
            sink.file(&path, Code::ManifestMismatch, message);
        } else if let Some(package) = corpus.package_at(&path)
            && package.has_keys_read
            && u64::try_from(package.key_count) != Ok(entry.key_count)
        {
            let message =
                format!("it has {}; the manifest has {}", counted(package.key_count, "key"), entry.key_count);
            sink.file(&path, Code::ManifestMismatch, message);
        }
    }
}

/// Files that were served when the manifest was made, and that it does not list. A mirror keeps what is served no
/// longer.
fn omitted(corpus: &Corpus, manifest: &Manifest, manifest_path: &str, sink: &mut Sink) {
    let (policy, now) = (PublicationPolicy::default(), manifest.generated_at());
    let next = Hour::at(now);
    for path in corpus.files.keys() {
        let Some(Ok(place)) = path.strip_suffix("/index").map(str::parse::<DistributionPath>) else {
            continue;
        };
        let was_served = match place {
            DistributionPath::DayPackage { day, .. } => {
                policy.served_days(next, now).any(|served| served == day)
            }
            DistributionPath::HourPackage { hour, .. } => {
                policy.served_hours(next, now).any(|served| served == hour)
            }
            DistributionPath::Hours { day, .. } => {
                policy.served_hours(next, now).any(|served| served.day() == day)
            }
            DistributionPath::Manifest => false,
            _ => true,
        };
        if was_served && manifest.get(place).is_none() {
            sink.file(path, Code::ManifestOmits, format!("{manifest_path} does not list the file"));
        }
    }
}

/// An old manifest beside newer packages, or older than that of an earlier copy.
fn older(corpus: &Corpus, generated_at: UnixTime, path: &str, sink: &mut Sink) {
    let in_tree = corpus.present().filter(|package| package.place != Place::Loose);
    let newest = in_tree.filter_map(|package| Some((package.period()?.1, &package.path))).max();
    if let Some((end, package)) = newest
        && end > generated_at
    {
        let message =
            format!("it was made at {}, before {package} ended at {}", generated_at.as_secs(), end.as_secs());
        sink.file(path, Code::ManifestOutdated, message);
    }
    if let Some(KeptContent::Other(Content::Manifest(Ok(earlier)))) =
        corpus.earlier.get(path).map(|file| &file.content)
        && generated_at < earlier.generated_at()
    {
        let message = format!(
            "it was made at {}, before that of the earlier copy at {}",
            generated_at.as_secs(),
            earlier.generated_at().as_secs()
        );
        sink.file(path, Code::ManifestOutdated, message);
    }
}
