//! The rules for several files together.

use std::collections::{BTreeMap, BTreeSet};

use cwa_crypto::{ReportType, UnixTime};

use super::{KeyPlace, Sink};
use crate::content::ExportContent;
use crate::finding::Code;
use crate::key::RawKey;

/// What is kept of a file.
#[derive(Clone, Debug)]
pub(super) struct FileFacts {
    name: String,
    start: Option<UnixTime>,
    end: Option<UnixTime>,
    region: Option<String>,
    batch_num: Option<i32>,
    batch_size: Option<i32>,
}

impl FileFacts {
    pub(super) fn of(name: &str, content: &ExportContent<'_>) -> Self {
        Self {
            name: name.to_owned(),
            start: content.start_timestamp(),
            end: content.end_timestamp(),
            region: content.region().map(str::to_owned),
            batch_num: content.batch_num(),
            batch_size: content.batch_size(),
        }
    }

    /// Begin and end, if the file has both and they are in order.
    fn window(&self) -> Option<(UnixTime, UnixTime)> {
        Some((self.start?, self.end?)).filter(|(start, end)| start < end)
    }

    /// Whether one window lies within the other, as an hour within its day.
    fn nests_with(&self, other: &Self) -> bool {
        match (self.window(), other.window()) {
            (Some(one), Some(other)) => {
                (one.0 <= other.0 && other.1 <= one.1) || (other.0 <= one.0 && one.1 <= other.1)
            }
            _ => false,
        }
    }

    /// What Android knows a file by.
    fn identity(&self) -> (Option<UnixTime>, Option<UnixTime>, Option<&str>, Option<i32>) {
        (self.start, self.end, self.region.as_deref(), self.batch_num)
    }
}

/// What is kept of a key: where it stands, and what is said of it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct SeenKey {
    pub(super) key_data: u128,
    file: u32,
    pub(super) revised: bool,
    number: u32,
    start: i32,
    period: i32,
    report_type: Option<i8>,
}

impl SeenKey {
    /// `None` for key data that is not 16 bytes.
    pub(super) fn of(key: &RawKey<'_>, file: u32, (revised, number): (bool, usize)) -> Option<Self> {
        Some(Self {
            key_data: key.number()?,
            file,
            revised,
            number: u32::try_from(number).unwrap_or(u32::MAX),
            start: key.rolling_start_interval_number.unwrap_or(0),
            period: key.rolling_period.unwrap_or(144),
            report_type: key.report_type.and_then(|number| i8::try_from(number).ok()),
        })
    }

    pub(super) fn place(&self) -> KeyPlace {
        KeyPlace {
            number: usize::try_from(self.number).unwrap_or(usize::MAX),
            revised: self.revised,
            key_data: Some(format!("{:032x}", self.key_data)),
        }
    }

    /// When the key is on air and why it was reported: what a copy must not say otherwise.
    const fn statement(&self) -> (i32, i32, Option<i8>) {
        (self.start, self.period, self.report_type)
    }
}

/// Tells what is wrong with the files taken together.
pub(super) fn compare(files: &[FileFacts], keys: &mut [SeenKey], sink: &mut Sink) {
    same_windows(files, sink);
    batches(files, sink);
    windows(files, sink);
    if files.len() > 1 {
        keys.sort_unstable();
        for copies in keys.chunk_by(|one, other| one.key_data == other.key_data) {
            if copies.len() > 1 {
                same_key(files, copies, sink);
            }
        }
    }
}

fn same_windows(files: &[FileFacts], sink: &mut Sink) {
    let mut first: BTreeMap<_, &FileFacts> = BTreeMap::new();
    for file in files.iter().filter(|file| file.start.is_some() && file.end.is_some()) {
        if let Some(first) = first.get(&file.identity()) {
            sink.other(&file.name, Code::SameWindow, || {
                let (start, end) = (seconds(file.start), seconds(file.end));
                format!("{} has the same window, {start} to {end}, region and batch number", first.name)
            });
        } else {
            first.insert(file.identity(), file);
        }
    }
}

fn batches(files: &[FileFacts], sink: &mut Sink) {
    const MOST_TOLD: usize = 5;
    let mut batches: BTreeMap<_, (&FileFacts, BTreeSet<i32>)> = BTreeMap::new();
    for file in files {
        if let (Some(num), Some(size @ 2..)) = (file.batch_num, file.batch_size) {
            let identity = (file.start, file.end, file.region.as_deref(), size);
            batches.entry(identity).or_insert_with(|| (file, BTreeSet::new())).1.insert(num);
        }
    }
    for ((.., size), (file, numbers)) in batches {
        let present = numbers.range(1..=size).count();
        let whole = usize::try_from(size).unwrap_or(usize::MAX);
        if present < whole {
            sink.other(&file.name, Code::BatchIncomplete, || {
                let missing = (1..=size).filter(|number| !numbers.contains(number)).take(MOST_TOLD);
                let missing: Vec<_> = missing.map(|number| number.to_string()).collect();
                let more = if whole.saturating_sub(present) > MOST_TOLD { " and more" } else { "" };
                format!("of {size} files of the batch, number {}{more} are not here", missing.join(", "))
            });
        }
    }
}

/// Gaps and overlaps, region by region.
fn windows(files: &[FileFacts], sink: &mut Sink) {
    let mut sorted: Vec<(Option<&str>, UnixTime, UnixTime, &FileFacts)> = files
        .iter()
        .filter_map(|file| file.window().map(|(start, end)| (file.region.as_deref(), start, end, file)))
        .collect();
    // Of windows that begin together the longest first: it contains the others.
    sorted.sort_by(|one, other| (one.0, one.1, other.2).cmp(&(other.0, other.1, one.2)));
    for region in sorted.chunk_by(|one, other| one.0 == other.0) {
        let mut files = region.iter();
        let Some((.., mut latest_end, mut latest)) = files.next().copied() else { continue };
        for (_, start, end, file) in files.copied() {
            if start > latest_end {
                sink.other(&file.name, Code::WindowGap, || {
                    format!("no file covers {} to {}", latest_end.as_secs(), start.as_secs())
                });
            } else if start < latest_end && end > latest_end {
                sink.other(&file.name, Code::WindowsOverlap, || {
                    let (start, end) = (start.as_secs(), latest_end.as_secs());
                    format!("{} covers {start} to {end} too", latest.name)
                });
            }
            if end > latest_end {
                (latest_end, latest) = (end, file);
            }
        }
    }
}

/// What the files say of one key; `copies` has all of them, by file and kind.
fn same_key(files: &[FileFacts], copies: &[SeenKey], sink: &mut Sink) {
    let file = |copy: &SeenKey| usize::try_from(copy.file).ok().and_then(|index| files.get(index));
    // In the order of publication: by the ends of windows, where there are any.
    let mut copies: Vec<(&SeenKey, &FileFacts)> =
        copies.iter().filter_map(|copy| Some((copy, file(copy)?))).collect();
    copies.sort_by_key(|(copy, file)| (file.end, file.start, copy.file));

    let mut first_new: Option<(&SeenKey, &FileFacts)> = None;
    let mut known: Option<(&SeenKey, &FileFacts)> = None;
    let has_new = copies.iter().any(|(copy, _)| !copy.revised);
    for (copy, file) in copies {
        let hex = copy.key_data;
        if !copy.revised {
            if let Some((first, earlier)) = first_new
                && first.file != copy.file
            {
                if first.statement() != copy.statement() {
                    sink.key_of(&file.name, Code::Contradiction, copy, || {
                        format!("key {hex:032x} has another start, period or report type in {}", earlier.name)
                    });
                } else if !earlier.nests_with(file) {
                    sink.key_of(&file.name, Code::Republished, copy, || {
                        format!("key {hex:032x} was new in {} already", earlier.name)
                    });
                }
            }
            first_new = first_new.or(Some((copy, file)));
        } else if first_new.is_none() && has_new && known.is_none() {
            sink.key_of(&file.name, Code::RevisedBeforePublished, copy, || {
                format!("key {hex:032x} is revised before it is new")
            });
        } else if let Some((before, earlier)) = known
            && before.file != copy.file
            && !transition(before.report_type, copy.report_type)
        {
            sink.key_of(&file.name, Code::RevisionTransition, copy, || {
                let (from, to) = (name(before.report_type), name(copy.report_type));
                format!("key {hex:032x} goes from {from} in {} to {to}", earlier.name)
            });
        }
        known = Some((copy, file));
    }
}

/// Whether a revision may say this after that; whatever is not said may become anything.
fn transition(from: Option<i8>, to: Option<i8>) -> bool {
    let of = |number: Option<i8>| number.and_then(|number| ReportType::try_from(i64::from(number)).ok());
    match (of(from), of(to)) {
        (None | Some(ReportType::Unknown), _) | (_, None) => true,
        (Some(from), Some(to)) if from == to => true,
        (Some(ReportType::ConfirmedClinicalDiagnosis), Some(to)) => {
            matches!(to, ReportType::ConfirmedTest | ReportType::Revoked)
        }
        // Figure family `google.report_type_transition`: a self report becomes a diagnosis.
        (Some(ReportType::SelfReport), Some(to)) => matches!(
            to,
            ReportType::ConfirmedClinicalDiagnosis | ReportType::ConfirmedTest | ReportType::Revoked
        ),
        _ => false,
    }
}

fn name(report_type: Option<i8>) -> String {
    let known = report_type.and_then(|number| ReportType::try_from(i64::from(number)).ok());
    known.map_or_else(|| "no report type".to_owned(), |known| format!("{known:?}"))
}

fn seconds(time: Option<UnixTime>) -> u64 {
    time.map_or(0, UnixTime::as_secs)
}
