//! What a mirror knows of its files: which content each is, and the tag the server gave it.

use std::collections::BTreeMap;
use std::path::Path;

use cwa_export::transfer::EntityTag;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{FileOutcome, RecordedFile};
use crate::failure::{Failure, Kind};
use crate::output::replace_file;

/// The state of a mirror, in a file beside what is mirrored.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    schema: String,
    /// A mirror is one of one server: tags of different servers say nothing about each other.
    server: String,
    files: BTreeMap<String, File>,
    /// Tags of content that is not in place yet.
    #[serde(skip)]
    coming: BTreeMap<String, Option<EntityTag>>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct File {
    sha256: String,
    etag: Option<String>,
}

impl State {
    pub(super) fn empty(server: &str) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            server: server.to_owned(),
            files: BTreeMap::new(),
            coming: BTreeMap::new(),
        }
    }

    /// Reads the state in `directory` of a mirror of `server`; a directory without one is an empty mirror.
    pub(super) fn open(directory: &Path, server: &str) -> Result<Self, Failure> {
        let Some(state) = Self::read(directory)? else { return Ok(Self::empty(server)) };
        if state.server != server {
            let message = format!("{} is a mirror of {}", directory.display(), state.server);
            return Err(Failure::usage("CWA-E0906", message).help("name another directory with --mirror"));
        }
        Ok(state)
    }

    /// Reads the state in `directory`, whatever server it is of; `None` if there is none.
    pub(super) fn read(directory: &Path) -> Result<Option<Self>, Failure> {
        let path = directory.join(FILE_NAME);
        let json = match std::fs::read(&path) {
            Ok(json) => json,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                let message = format!("{} could not be read", path.display());
                return Err(Failure::new(Kind::System, "CWA-E0904", message).caused_by(error));
            }
        };
        let state: Option<Self> = serde_json::from_slice(&json).ok();
        let state = state.filter(|state| state.schema == SCHEMA).ok_or_else(|| {
            Failure::input("CWA-E0905", format!("{} is no state of a mirror", path.display()))
                .help("delete it to have everything fetched anew")
        })?;
        Ok(Some(state))
    }

    /// Every file that was put in place: path, SHA-256, entity tag.
    pub(super) fn into_files(self) -> impl Iterator<Item = RecordedFile> {
        self.files.into_iter().map(|(path, file)| RecordedFile { path, sha256: file.sha256, etag: file.etag })
    }

    pub(super) fn save(&self, directory: &Path) -> Result<(), Failure> {
        std::fs::create_dir_all(directory).map_err(|error| {
            Failure::new(Kind::System, "CWA-E0904", format!("{} cannot be made", directory.display()))
                .caused_by(error)
        })?;
        let json = serde_json::to_vec_pretty(self).map_err(std::io::Error::from)?;
        replace_file(&directory.join(FILE_NAME), &json)
    }

    /// The tag of a file that is on disk as it came; `None` if it is not, or had none.
    pub(super) fn held(&self, directory: Option<&Path>, file_path: &str) -> Option<EntityTag> {
        let etag = self.files.get(file_path)?.etag.as_deref().and_then(EntityTag::parse)?;
        self.holds(directory, file_path).then_some(etag)
    }

    /// Whether a file is on disk as it came.
    pub(super) fn holds(&self, directory: Option<&Path>, file_path: &str) -> bool {
        let content = directory.and_then(|directory| std::fs::read(directory.join(file_path)).ok());
        let file = self.files.get(file_path);
        content.zip(file).is_some_and(|(content, file)| sha256(&content) == file.sha256)
    }

    /// How `content` stands to what is on disk.
    pub(super) fn compare(&self, directory: Option<&Path>, file_path: &str, content: &[u8]) -> FileOutcome {
        match directory.and_then(|directory| std::fs::read(directory.join(file_path)).ok()) {
            None => FileOutcome::New,
            Some(old) if old == content => FileOutcome::Unchanged,
            Some(_) => FileOutcome::Changed,
        }
    }

    /// Remembers the tag of content that came, until it is in place.
    pub(super) fn coming(&mut self, file_path: &str, etag: Option<EntityTag>) {
        self.coming.insert(file_path.to_owned(), etag);
    }

    /// Notes what is in place now. Content that did not come anew keeps its tag.
    pub(super) fn placed(&mut self, file_path: &str, content: &[u8]) {
        if let Some(etag) = self.coming.remove(file_path) {
            let etag = etag.map(|etag| etag.as_str().to_owned());
            self.files.insert(file_path.to_owned(), File { sha256: sha256(content), etag });
        }
    }
}

/// Whether a path is that of the state, where nothing that comes may be put.
pub(super) fn is_own(file_path: &str) -> bool {
    file_path.split('/').next().is_some_and(|first| first.eq_ignore_ascii_case(FILE_NAME))
}

fn sha256(content: &[u8]) -> String {
    hex::encode(Sha256::digest(content))
}

const SCHEMA: &str = "cwa.mirror/1";

const FILE_NAME: &str = ".cwa-mirror.json";
