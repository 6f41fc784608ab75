//! The published files, on disk: what a web server or a content delivery network serves as it is.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use cwa_export::index::DistributionPath;

/// The directory that holds a distribution. Every path is a file `index` in a directory of its name, as in the German
/// distribution, because `…/date` is both a file and the directory of the days.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    root: PathBuf,
}

impl Tree {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// The file of a path. A parsed path has neither `..` nor a separator in any of its parts.
    pub(super) fn file(&self, path: DistributionPath) -> PathBuf {
        self.root.join(path.file_path())
    }

    /// Reads a file; `None` if there is none.
    pub(super) fn read(&self, path: DistributionPath) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.file(path)) {
            Ok(content) => Ok(Some(content)),
            Err(error) if is_absence(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) fn contains(&self, path: DistributionPath) -> bool {
        self.file(path).is_file()
    }

    /// Writes a file so that readers see the old one or the new one and nothing between, even after a power failure.
    ///
    /// A file that says the same already is left alone. Gives whether it was written.
    pub(super) fn write(&self, path: DistributionPath, content: &[u8]) -> io::Result<bool> {
        if self.read(path)?.as_deref() == Some(content) {
            return Ok(false);
        }
        let file = self.file(path);
        let directory = file.parent().unwrap_or(&self.root);
        fs::create_dir_all(directory)?;
        let temporary = directory.join(TEMPORARY);
        let mut handle = fs::File::create(&temporary)?;
        handle.write_all(content)?;
        handle.sync_all()?;
        drop(handle);
        fs::rename(&temporary, &file)?;
        sync_directory(directory)?;
        Ok(true)
    }

    /// Removes a file and the directories that are empty without it.
    pub(super) fn remove(&self, path: DistributionPath) -> io::Result<()> {
        let file = self.file(path);
        match fs::remove_file(&file) {
            Err(error) if !is_absence(&error) => return Err(error),
            _ => {}
        }
        // Directories that hold something else refuse to go, which is right.
        let inside = file.ancestors().skip(1).take_while(|directory| *directory != self.root);
        for directory in inside {
            if fs::remove_dir(directory).is_err() {
                break;
            }
        }
        Ok(())
    }
}

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Makes a rename durable, where directories can be synchronised.
fn sync_directory(directory: &Path) -> io::Result<()> {
    if cfg!(unix) { fs::File::open(directory)?.sync_all() } else { Ok(()) }
}

/// One publisher writes at a time, so one name is enough; what a crash leaves behind is overwritten by the next run.
const TEMPORARY: &str = ".index.tmp";

#[cfg(test)]
mod tests {
    use cwa_crypto::Day;
    use cwa_export::Country;

    use super::*;

    #[test]
    fn what_says_the_same_is_not_written_again_and_empty_directories_go() {
        let directory = tempfile::tempdir().unwrap();
        let tree = Tree::new(directory.path().join("www"));
        let country = Country::GERMANY;
        let (dates, day) = (
            DistributionPath::Dates { country },
            DistributionPath::DayPackage { country, day: Day::from_calendar(2020, 7, 22).unwrap() },
        );
        assert_eq!(tree.read(day).unwrap(), None);
        assert!(tree.write(day, b"one").unwrap());
        assert!(!tree.write(day, b"one").unwrap());
        assert!(tree.write(day, b"two").unwrap());
        assert!(tree.write(dates, b"[]").unwrap());
        assert_eq!(tree.read(day).unwrap().as_deref(), Some(&b"two"[..]));
        tree.remove(day).unwrap();
        tree.remove(day).unwrap();
        assert!(!tree.contains(day));
        assert!(tree.contains(dates));
        assert!(!tree.file(day).parent().unwrap().exists());
        tree.remove(dates).unwrap();
        assert_eq!(fs::read_dir(&tree.root).unwrap().count(), 0);
    }
}
