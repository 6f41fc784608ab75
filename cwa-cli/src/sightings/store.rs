//! What was received as an index that was made before: mapped, not read.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use cwa_crypto::matching::{ReceivedIdentifiers, STORE_MAGIC, StoreError};

use crate::failure::Failure;

/// The bytes of a store: in memory, or a file that is mapped.
#[derive(Debug)]
pub(crate) enum StoreBytes {
    Memory(Vec<u8>),
    Mapped(memmap2::Mmap),
}

impl AsRef<[u8]> for StoreBytes {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Memory(bytes) => bytes,
            Self::Mapped(map) => map,
        }
    }
}

/// The store in the file at `path`; `None` if it is another file, or standard input.
pub(super) fn open(path: &Path) -> Result<Option<ReceivedIdentifiers<StoreBytes>>, Failure> {
    // Whatever else than a file there is, such as a pipe, must not be opened twice: what is in it comes once.
    let is_regular = path != Path::new("-") && path.metadata().is_ok_and(|metadata| metadata.is_file());
    if !is_regular {
        return Ok(None);
    }
    // What cannot be opened is told by whoever reads it.
    let Ok(mut file) = File::open(path) else { return Ok(None) };
    let mut magic = [0; STORE_MAGIC.len()];
    if file.read_exact(&mut magic).is_err() || magic != STORE_MAGIC {
        return Ok(None);
    }
    let map = map(&file).map_err(|error| {
        Failure::input("CWA-E0001", format!("{} could not be read", path.display())).caused_by(error)
    })?;
    checked(StoreBytes::Mapped(map), path).map(Some)
}

/// The store in `bytes`, which are those of a whole file.
pub(super) fn checked(bytes: StoreBytes, path: &Path) -> Result<ReceivedIdentifiers<StoreBytes>, Failure> {
    let parse = || {
        let received = ReceivedIdentifiers::parse(bytes)?;
        received.check()?;
        Ok(received)
    };
    parse().map_err(|error: StoreError| {
        Failure::input("CWA-E0204", format!("{} cannot be used as an index of sightings", path.display()))
            .caused_by(error)
            .help("`cwa sightings index` makes it anew from the sightings")
    })
}

/// Maps a file for reading: the one `unsafe` of this crate.
#[expect(unsafe_code, reason = "the compiler cannot know what else happens to a file; the proof is below")]
fn map(file: &File) -> std::io::Result<memmap2::Mmap> {
    // SAFETY: a mapped file must not be changed while it is mapped. This program changes none that exists: it writes a
    // new one beside it and renames that (`output::replace_file`), which leaves what is mapped as it is. Another program
    // that writes into the file, which is the user's own and private, breaks the condition. Then bytes change that are
    // only ever read as numbers and compared, each checked where it is used: wrong answers are the worst, or the end of
    // the process (SIGBUS) if the file is cut short.
    unsafe { memmap2::MmapOptions::new().map_copy_read_only(file) }
}

#[cfg(all(test, unix))]
mod tests {
    use core::time::Duration;

    #[test]
    fn a_named_pipe_is_left_to_whoever_reads_it() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let (told, answer) = std::sync::mpsc::channel();
        // Opening a pipe waits for somebody to write into it, and nobody does.
        std::thread::spawn(move || told.send(super::open(&pipe).is_ok_and(|store| store.is_none())));
        assert_eq!(answer.recv_timeout(Duration::from_secs(10)), Ok(true));
    }
}
