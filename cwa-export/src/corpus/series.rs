//! Packages in the order of time: each in its place, no gaps, one signing key after the other, nothing kept too long.

use std::collections::{BTreeMap, BTreeSet};

use cwa_crypto::{Day, UnixTime};

use super::file::{Package, Place};
use super::keys::CompleteDays;
use super::{Corpus, Sink, counted};
use crate::batch::{Hour, PublicationPolicy};
use crate::country::Country;
use crate::finding::Code;
use crate::index::{DistributionPath, parse_days, parse_hours};

pub(super) fn check(corpus: &Corpus, sink: &mut Sink) {
    for package in corpus.present() {
        place(package, sink);
    }
    day_gaps(corpus, sink);
    hour_gaps(corpus, sink);
    window_gaps(corpus, sink);
    signing_keys(corpus, sink);
}

/// Whether a package says the same of itself as its path.
fn place(package: &Package, sink: &mut Sink) {
    let Some((start, end)) = package.place.period().filter(|_| package.has_keys_read) else { return };
    if (package.start, package.end) != (Some(start), Some(end)) {
        let seconds = |time: Option<UnixTime>| time.map_or("-".to_owned(), |time| time.as_secs().to_string());
        let message = format!(
            "it says that it is of {} to {}; its place is {} to {}",
            seconds(package.start),
            seconds(package.end),
            start.as_secs(),
            end.as_secs()
        );
        sink.file(&package.path, Code::PlaceMismatch, message);
    }
    let (Place::Day(country, _) | Place::Hour(country, _)) = package.place else { return };
    // The region is free text; only where it is the code of a country can it be that of another one.
    let region = package.region.as_deref().and_then(|region| region.parse::<Country>().ok());
    if let Some(region) = region.filter(|region| *region != country) {
        let message = format!("it says that it is of {region}; its place is one of {country}");
        sink.file(&package.path, Code::PlaceMismatch, message);
    }
}

/// The days of which it is known which hours there are: all 24 are there, or the index of the hours was made while all
/// of them were still served and what it lists is there.
pub(super) fn complete_days(corpus: &Corpus, now: UnixTime) -> CompleteDays {
    let served = PublicationPolicy::default().hourly_package_days.saturating_mul(Day::SECONDS);
    let hours = hours(corpus);
    let mut days: CompleteDays = hours.keys().copied().collect();
    // A day all of whose hours are empty has an index, too.
    days.extend(corpus.present().filter_map(|package| match package.place {
        Place::Day(country, day) => Some((country, day)),
        _ => None,
    }));
    days.retain(|(country, day)| {
        let of_day = hours.get(&(*country, *day));
        let is_read = |hour: &Hour| {
            let path = DistributionPath::HourPackage { country: *country, hour: *hour };
            corpus.package_at(&path.file_path()).is_some_and(|package| package.has_keys_read)
        };
        if of_day.is_some_and(|hours| hours.len() == 24) {
            return of_day.into_iter().flatten().all(is_read);
        }
        let index = corpus.index_at(DistributionPath::Hours { country: *country, day: *day });
        let listed = index.and_then(|json| parse_hours(*day, json).ok());
        day.start() >= now.minus(served) && listed.is_some_and(|listed| listed.iter().all(is_read))
    });
    days
}

fn hours(corpus: &Corpus) -> BTreeMap<(Country, Day), BTreeSet<Hour>> {
    let mut hours: BTreeMap<(Country, Day), BTreeSet<Hour>> = BTreeMap::new();
    for package in corpus.present() {
        if let Place::Hour(country, hour) = package.place {
            hours.entry((country, hour.day())).or_default().insert(hour);
        }
    }
    hours
}

fn day_gaps(corpus: &Corpus, sink: &mut Sink) {
    let mut days: BTreeMap<Country, BTreeSet<Day>> = BTreeMap::new();
    for package in corpus.present() {
        if let Place::Day(country, day) = package.place {
            days.entry(country).or_default().insert(day);
        }
    }
    for (country, days) in days {
        let path = DistributionPath::Dates { country };
        let listed = corpus.index_at(path).and_then(|json| parse_days(json).ok());
        for (before, after) in days.iter().zip(days.iter().skip(1)) {
            let missing = after.get().saturating_sub(before.get()).saturating_sub(1);
            if missing > 0 {
                let message = format!(
                    "between {before} and {after} there is no package of {}",
                    counted(usize::try_from(missing).unwrap_or(usize::MAX), "day")
                );
                gap(&path.file_path(), listed.is_some(), message, sink);
            }
        }
    }
}

fn hour_gaps(corpus: &Corpus, sink: &mut Sink) {
    for ((country, day), hours) in hours(corpus) {
        let path = DistributionPath::Hours { country, day };
        let listed = corpus.index_at(path).and_then(|json| parse_hours(day, json).ok());
        let (Some(first), Some(last)) = (hours.first(), hours.last()) else { continue };
        let missing: Vec<_> = (first.get()..last.get())
            .map(Hour::new)
            .filter(|hour| !hours.contains(hour))
            .map(|hour| hour.of_day().to_string())
            .collect();
        if !missing.is_empty() {
            let message = format!("there is no package of hour {}", missing.join(", "));
            gap(&path.file_path(), listed.is_some(), message, sink);
        }
    }
}

/// Where an index says what there is, it does not list what has no keys; a name without a file is told elsewhere.
fn gap(path: &str, is_explained: bool, message: String, sink: &mut Sink) {
    if is_explained {
        sink.note(path, Code::Gap, format!("{message}, and none is listed"));
    } else {
        sink.file(path, Code::Gap, message);
    }
}

/// Time between the windows of packages that have no place, region by region.
fn window_gaps(corpus: &Corpus, sink: &mut Sink) {
    let loose = corpus.present().filter(|package| package.place == Place::Loose);
    let mut windows: Vec<_> = loose
        .filter_map(|package| Some((&package.region, package.start?, package.end?, &package.path)))
        .collect();
    windows.sort_unstable();
    let mut covered: Option<(&Option<String>, UnixTime)> = None;
    for (region, start, end, path) in windows {
        match covered {
            Some((of, until)) if of == region => {
                if start > until {
                    let message = format!(
                        "no package covers {} to {}, before this one",
                        until.as_secs(),
                        start.as_secs()
                    );
                    sink.note(path, Code::Gap, message);
                }
                covered = Some((region, until.max(end)));
            }
            _ => covered = Some((region, end)),
        }
    }
}

/// One key that follows another is a rotation; keys that take turns are two publishers, or files of two trees.
fn signing_keys(corpus: &Corpus, sink: &mut Sink) {
    let mut signed: Vec<_> = corpus
        .present()
        .filter_map(|package| Some((package.period()?, &package.path, package.signed_by.as_deref()?)))
        .collect();
    signed.sort_unstable();
    let names: BTreeSet<&str> = signed.iter().map(|(_, _, name)| *name).collect();
    let changes =
        signed.windows(2).filter(|pair| matches!(pair, [(_, _, one), (_, _, other)] if one != other));
    let changes = changes.count();
    if names.len() > 1 {
        let names: Vec<_> = names.into_iter().collect();
        let message = format!("packages are signed by {}, with {changes} changes", names.join(" and by "));
        if changes < names.len() {
            sink.note("", Code::SigningKeysMixed, message);
        } else {
            sink.whole(Code::SigningKeysMixed, message);
        }
    }
}

/// Keys that should have been deleted by now.
pub(super) fn check_retention(corpus: &Corpus, present: UnixTime, sink: &mut Sink) {
    let policy = PublicationPolicy::default();
    let oldest = present.day().minus(policy.retention_days);
    for package in corpus.present() {
        // What is served no longer cannot be made anew.
        let is_served = match package.place {
            Place::Day(_, day) => day >= oldest,
            Place::Hour(_, hour) => hour.day() >= oldest,
            Place::Loose => false,
        };
        let old = package.groups.iter().filter(|(said, _)| !policy.retains(said.end(), present));
        let keys: usize = old.map(|(_, count)| usize::try_from(*count).unwrap_or(usize::MAX)).sum();
        if is_served && keys > 0 {
            let message = format!(
                "{} ended more than {} days before {}, and can still be fetched",
                counted(keys, "key"),
                policy.retention_days,
                present.as_secs()
            );
            sink.file(&package.path, Code::KeptTooLong, message);
        }
    }
}
