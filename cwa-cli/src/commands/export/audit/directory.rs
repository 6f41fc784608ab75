//! The files below a directory, examined on all cores.

use core::num::NonZero;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use cwa_export::corpus::{CorpusAudit, ExaminedFile, FileBytes};

use crate::failure::Failure;
use crate::input;

/// A file, or the two files of a package that is kept as such.
struct Unit {
    /// Relative to the root, with `/`.
    name: String,
    path: PathBuf,
    signatures: Option<PathBuf>,
}

/// Examines every file below `root` and hands each to `take`, in no order; gives their number.
///
/// Names that begin with a full stop are left out, as what a mirror or a server keeps for itself. Links to directories
/// are not followed, so that no loop is.
pub(super) fn examine(
    root: &Path,
    audit: &CorpusAudit<'_>,
    mut take: impl FnMut(ExaminedFile),
) -> Result<usize, Failure> {
    let units = units(root)?;
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get).min(units.len().max(1));
    // What was examined waits for nobody but a slow `take`: few files are in memory at a time.
    let (sender, receiver) = mpsc::sync_channel(2 * threads);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let (sender, units, next) = (sender.clone(), &units, &next);
            scope.spawn(move || {
                while let Some(unit) = units.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if sender.send(unit.examine(audit)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        // A file that cannot be read ends the audit: the receiver goes, and the threads with it.
        let receiver = receiver;
        receiver.iter().try_for_each(|file| file.map(&mut take))
    })?;
    Ok(units.len())
}

impl Unit {
    fn examine(&self, audit: &CorpusAudit<'_>) -> Result<ExaminedFile, Failure> {
        let bytes = input::read(&self.path)?;
        let Some(signatures) = &self.signatures else {
            return Ok(audit.examine(&self.name, FileBytes::Whole(&bytes)));
        };
        let export_sig = input::read(signatures)?;
        let pair = FileBytes::Pair { export_bin: &bytes, export_sig: &export_sig };
        Ok(audit.examine(&self.name, pair))
    }
}

/// Every file, in the order of names.
fn units(root: &Path) -> Result<Vec<Unit>, Failure> {
    let mut units = Vec::new();
    let mut directories = vec![(root.to_owned(), String::new())];
    while let Some((directory, prefix)) = directories.pop() {
        let unreadable = |error| {
            Failure::input("CWA-E0330", format!("{} could not be read", directory.display())).caused_by(error)
        };
        for entry in std::fs::read_dir(&directory).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with('.') {
                continue;
            }
            let (path, name) = (entry.path(), format!("{prefix}{name}"));
            if entry.file_type().map_err(unreadable)?.is_dir() {
                directories.push((path, format!("{name}/")));
            } else if path.is_file() {
                units.push(Unit { name, path, signatures: None });
            }
        }
    }
    units.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(join_pairs(units))
}

/// Takes `name.sig` beside `name.bin` for the signatures of it.
fn join_pairs(units: Vec<Unit>) -> Vec<Unit> {
    let mut joined: Vec<Unit> = Vec::with_capacity(units.len());
    for unit in units {
        // Sorted by name, nothing stands between the two but what begins like them.
        let stem = unit.name.strip_suffix(".sig");
        let content = stem.and_then(|stem| {
            let bin = format!("{stem}.bin");
            joined.iter_mut().rev().take(MOST_BETWEEN).find(|content| content.name == bin)
        });
        match content {
            Some(content) => content.signatures = Some(unit.path),
            None => joined.push(unit),
        }
    }
    joined
}

/// Files that are looked at for the other half of a pair.
const MOST_BETWEEN: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_files_of_a_package_are_one_and_hidden_files_are_none() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["b/export.bin", "b/export.sig", "b/.state", ".git/x", "a.sig", "c.bin"] {
            let path = directory.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, name).unwrap();
        }
        let units = units(directory.path()).unwrap();
        let named: Vec<_> =
            units.iter().map(|unit| (unit.name.as_str(), unit.signatures.is_some())).collect();
        assert_eq!(named, [("a.sig", false), ("b/export.bin", true), ("c.bin", false)]);
    }
}
