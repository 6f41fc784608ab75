//! Names and files: what an index lists has to be there, and what is there should be listed.

use std::collections::{BTreeMap, BTreeSet};

use cwa_crypto::{Day, UnixTime};

use super::file::{Content, Package, Place};
use super::{Corpus, KeptContent, Sink, counted};
use crate::batch::{Hour, PublicationPolicy};
use crate::country::Country;
use crate::finding::Code;
use crate::index::{DistributionPath, parse_countries, parse_days, parse_hours};
use crate::layout::{FileIndex, RelativePath};

pub(super) fn check(corpus: &Corpus, now: UnixTime, sink: &mut Sink) {
    tree(corpus, now, sink);
    file_indexes(corpus, sink);
}

/// The countries, days and hours of which there are packages.
fn countries(corpus: &Corpus) -> BTreeMap<Country, BTreeSet<Day>> {
    let mut countries: BTreeMap<Country, BTreeSet<Day>> = BTreeMap::new();
    for package in corpus.present() {
        match package.place {
            Place::Day(country, _) => {
                countries.entry(country).or_default();
            }
            Place::Hour(country, hour) => {
                countries.entry(country).or_default().insert(hour.day());
            }
            Place::Loose => {}
        }
    }
    countries
}

fn tree(corpus: &Corpus, now: UnixTime, sink: &mut Sink) {
    let present = countries(corpus);
    let path = DistributionPath::Countries;
    let listed = read(corpus, path, sink, parse_countries);
    for country in listed.iter().flatten() {
        let dates = DistributionPath::Dates { country: *country };
        if corpus.index_at(dates).is_none() {
            sink.file(&path.file_path(), Code::ListedButMissing, format!("{dates} is not there"));
        }
    }
    if listed.is_none() && !present.is_empty() && corpus.index_at(path).is_none() {
        sink.file(&path.file_path(), Code::IndexMissing, "there is no index of countries");
    }
    // An index of hours of which no hour is left is an index of a country all the same.
    let listed: BTreeSet<Country> = listed.into_iter().flatten().chain(present.keys().copied()).collect();
    for country in listed {
        let dates = DistributionPath::Dates { country };
        let days = read(corpus, dates, sink, parse_days);
        let packages = days.iter().flatten().map(|day| DistributionPath::DayPackage { country, day: *day });
        listed_packages(corpus, dates, packages, sink);
        if days.is_none() && present.contains_key(&country) && corpus.index_at(dates).is_none() {
            sink.file(
                &dates.file_path(),
                Code::IndexMissing,
                format!("there is no index of the days of {country}"),
            );
        }
        let mut hours_of: BTreeMap<Day, Option<Vec<Hour>>> = BTreeMap::new();
        let with_hours = present.get(&country).into_iter().flatten().copied();
        for day in with_hours.chain(indexed_days(corpus, country)) {
            if hours_of.contains_key(&day) {
                continue;
            }
            let path = DistributionPath::Hours { country, day };
            let hours = read(corpus, path, sink, |json| parse_hours(day, json));
            let packages =
                hours.iter().flatten().map(|hour| DistributionPath::HourPackage { country, hour: *hour });
            listed_packages(corpus, path, packages, sink);
            if corpus.index_at(path).is_none() {
                let message = format!("there is no index of the hours of {day}");
                sink.file(&path.file_path(), Code::IndexMissing, message);
            }
            hours_of.insert(day, hours);
        }
        for package in corpus.present() {
            let (is_listed, in_time) = match package.place {
                Place::Day(of, day) if of == country => {
                    let oldest = now.day().minus(PublicationPolicy::default().retention_days);
                    (days.as_ref().map(|days| days.contains(&day)), day >= oldest)
                }
                Place::Hour(of, hour) if of == country => {
                    let served = PublicationPolicy::default().hourly_package_days;
                    let oldest = Hour::at(now.minus(served.saturating_mul(Day::SECONDS)));
                    let hours = hours_of.get(&hour.day()).and_then(Option::as_ref);
                    (hours.map(|hours| hours.contains(&hour)), hour >= oldest)
                }
                _ => continue,
            };
            if is_listed == Some(false) {
                not_listed(package, in_time, sink);
            }
        }
    }
}

/// The days of which there are indexes of hours.
fn indexed_days(corpus: &Corpus, country: Country) -> impl Iterator<Item = Day> {
    corpus.files.keys().filter_map(move |path| {
        match path.strip_suffix("/index")?.parse::<DistributionPath>().ok()? {
            DistributionPath::Hours { country: of, day } if of == country => Some(day),
            _ => None,
        }
    })
}

/// An index that is there, read; a finding if it cannot be.
fn read<T, E: core::fmt::Display>(
    corpus: &Corpus,
    path: DistributionPath,
    sink: &mut Sink,
    parse: impl FnOnce(&[u8]) -> Result<T, E>,
) -> Option<T> {
    match parse(corpus.index_at(path)?) {
        Ok(index) => Some(index),
        Err(error) => {
            sink.file(&path.file_path(), Code::IndexUnreadable, error.to_string());
            None
        }
    }
}

fn listed_packages(
    corpus: &Corpus,
    index: DistributionPath,
    packages: impl Iterator<Item = DistributionPath>,
    sink: &mut Sink,
) {
    for path in packages {
        match corpus.package_at(&path.file_path()) {
            None => {
                sink.file(&index.file_path(), Code::ListedButMissing, format!("{path} is not there"));
            }
            Some(package) if is_empty(package) => {
                sink.file(&index.file_path(), Code::ListedEmpty, format!("{path} has no keys"));
            }
            Some(_) => {}
        }
    }
}

fn is_empty(package: &Package) -> bool {
    package.has_keys_read && package.key_count == 0 && package.revised_key_count == 0
}

/// A package without keys need not be listed, and one that is served no longer cannot be. Of one that is not valid it is
/// not known whether it has any.
fn not_listed(package: &Package, in_time: bool, sink: &mut Sink) {
    if is_empty(package) || !package.has_keys_read {
        return;
    }
    let message = format!("no index names the package with its {}", counted(package.key_count, "key"));
    if in_time {
        sink.file(&package.path, Code::NotListed, message);
    } else {
        sink.note(&package.path, Code::NotListed, message);
    }
}

/// The `index.txt` of Google's server: one for all, or one for each region.
fn file_indexes(corpus: &Corpus, sink: &mut Sink) {
    let mut listed: BTreeSet<String> = BTreeSet::new();
    let mut is_indexed = false;
    for (path, file) in &corpus.files {
        let KeptContent::Other(Content::Index(bytes)) = &file.content else { continue };
        if path.rsplit('/').next() != Some("index.txt") {
            continue;
        }
        match FileIndex::parse(bytes, "") {
            Ok(index) => {
                is_indexed = true;
                for name in index.files().iter().map(RelativePath::as_str) {
                    if !corpus.files.contains_key(name) {
                        sink.file(path, Code::ListedButMissing, format!("{name} is not there"));
                    }
                    listed.insert(name.to_owned());
                }
            }
            Err(error) => {
                let mut message = error.to_string();
                if let Some(cause) = core::error::Error::source(&error) {
                    message = format!("{message}: {cause}");
                }
                sink.file(path, Code::IndexUnreadable, message);
            }
        }
    }
    if is_indexed {
        for package in corpus.present().filter(|package| package.place == Place::Loose) {
            if !listed.contains(&package.path) {
                not_listed(package, true, sink);
            }
        }
    }
}
