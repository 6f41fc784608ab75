//! What a command prints on standard output: text for people, or one JSON document.

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use crate::args::Global;
use crate::failure::{Failure, Kind};

/// Standard output of one command. Diagnostics, progress and logs go to standard error instead.
#[derive(Debug)]
pub(crate) struct Output {
    json: bool,
    text: io::BufWriter<anstream::AutoStream<io::Stdout>>,
}

impl Output {
    pub(crate) fn new(global: &Global) -> Self {
        Self { json: global.json, text: io::BufWriter::new(anstream::stdout()) }
    }

    /// Prints `document` as JSON with its schema as the first member, or lets `text` print for people.
    ///
    /// `schema` is `cwa.<noun>.<verb>/1`. `document` must serialise as an object.
    pub(crate) fn answer<T: Serialize>(
        &mut self,
        schema: &'static str,
        document: &T,
        text: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Failure> {
        if self.json {
            let document = WithSchema { schema, document };
            serde_json::to_writer_pretty(&mut self.text, &document).map_err(io::Error::from)?;
            self.text.write_all(b"\n")?;
        } else {
            text(&mut self.text)?;
        }
        Ok(())
    }

    /// Whether the command prints JSON; then nothing else may go to standard output.
    pub(crate) const fn is_json(&self) -> bool {
        self.json
    }

    /// Text that comes before the answer, as work goes on; nothing with `--json`.
    pub(crate) fn progress(
        &mut self,
        text: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Failure> {
        if !self.json {
            text(&mut self.text)?;
            self.text.flush()?;
        }
        Ok(())
    }

    /// Bytes as they are: a script, an archive. Not by the way of text, from which styles are taken out.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.text.flush()?;
        let mut stdout = io::stdout().lock();
        Ok(stdout.write_all(bytes).and_then(|()| stdout.flush())?)
    }

    /// Writes out what is still buffered.
    pub(crate) fn finish(&mut self) -> Result<(), Failure> {
        Ok(self.text.flush()?)
    }
}

/// Puts `bytes` in place of the file at `path`, whole or not at all: what was there stays until the new one is on disk.
pub(crate) fn replace_file(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    replace_files(&[(path, bytes)])
}

/// The same for several files, all or none: each is on disk beside its place before the first is put there. If one of
/// them then cannot be, those that took the place of nothing are removed again.
pub(crate) fn replace_files<P: AsRef<Path>, B: AsRef<[u8]>>(files: &[(P, B)]) -> Result<(), Failure> {
    let mut staged: Vec<Staged<'_>> = Vec::with_capacity(files.len());
    for (path, bytes) in files {
        staged.push(Staged::new(path.as_ref()));
        if let Some(file) = staged.last() {
            file.write(bytes.as_ref())?;
        }
    }
    for index in 0..staged.len() {
        let Some(file) = staged.get_mut(index) else { continue };
        if let Err(failure) = file.put() {
            staged.iter().take(index).for_each(Staged::take_back);
            return Err(failure);
        }
    }
    Ok(())
}

/// A file on its way; what is left of it beside its place is removed in the end.
struct Staged<'a> {
    place: &'a Path,
    temporary: std::path::PathBuf,
    replaced_nothing: bool,
}

impl<'a> Staged<'a> {
    fn new(place: &'a Path) -> Self {
        let directory =
            place.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut name = std::ffi::OsString::from(".");
        name.push(place.file_name().unwrap_or_default());
        name.push(format!(".{}.tmp", std::process::id()));
        Self { place, temporary: directory.join(name), replaced_nothing: false }
    }

    fn write(&self, bytes: &[u8]) -> Result<(), Failure> {
        std::fs::File::create(&self.temporary)
            .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
            .map_err(|error| self.unwritable(error))
    }

    fn put(&mut self) -> Result<(), Failure> {
        self.replaced_nothing = !self.place.exists();
        std::fs::rename(&self.temporary, self.place).map_err(|error| self.unwritable(error))
    }

    fn take_back(&self) {
        if self.replaced_nothing {
            let _ = std::fs::remove_file(self.place);
        }
    }

    fn unwritable(&self, error: io::Error) -> Failure {
        Failure::new(Kind::System, "CWA-E0006", format!("{} could not be written", self.place.display()))
            .caused_by(error)
    }
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.temporary);
    }
}

/// A document whose first member names its schema.
#[derive(Serialize)]
struct WithSchema<'a, T: Serialize> {
    schema: &'static str,
    #[serde(flatten)]
    document: &'a T,
}

/// A moment for people; intervals end in the year 83,000, long after calendars of four digits.
pub(crate) fn rfc3339(seconds: u64) -> String {
    let timestamp =
        i64::try_from(seconds).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    timestamp.map_or_else(|| format!("second {seconds}"), |timestamp| timestamp.to_string())
}

/// A number of things: `1 error`, `2 errors`.
pub(crate) fn count(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// Styles for text; empty strings where colour is off, because the stream strips them.
pub(crate) mod style {
    use anstyle::{AnsiColor, Style};

    /// Titles and what matters most.
    pub(crate) const STRONG: Style = Style::new().bold();
    /// What stands beside it.
    pub(crate) const FAINT: Style = Style::new().dimmed();
    /// Yes.
    pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
    /// With care.
    pub(crate) const WARNING: Style = AnsiColor::Yellow.on_default();
    /// No.
    pub(crate) const BAD: Style = AnsiColor::Red.on_default();
}
