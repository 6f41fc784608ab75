//! What is wrong with a configuration: the collector of findings, and the rules for parts that both versions have.

use core::cmp::Ordering;
use core::fmt;
use std::collections::{BTreeMap, BTreeSet};

use super::v1::{AppFeature, ExposureDetectionParameters, KeyDownloadParameters, thousandths};
use crate::finding::{Code, Finding};

/// Findings in the order in which they are told; of one code no more than 20, and then a count.
#[derive(Debug, Default)]
pub(super) struct Findings {
    told: Vec<Finding>,
    counts: BTreeMap<Code, usize>,
}

impl Findings {
    const MAX: usize = 20;

    pub(super) fn tell(&mut self, code: Code, message: impl FnOnce() -> String) {
        let count = self.counts.entry(code).or_default();
        *count = count.saturating_add(1);
        if *count <= Self::MAX {
            self.told.push(Finding::new(code, message()));
        }
    }

    pub(super) fn finish(mut self) -> Vec<Finding> {
        for (code, count) in self.counts {
            if let Some(more @ 1..) = count.checked_sub(Self::MAX) {
                let about = code.explanation().title;
                self.told.push(Finding::new(code, format!("and {more} more: {about}")));
            }
        }
        self.told
    }

    /// A whole number and its bounds.
    pub(super) fn number(&mut self, place: &Place, code: Code, value: i32, min: i32, max: i32) {
        if !(min..=max).contains(&value) {
            self.tell(code, || format!("{place} must be {min} to {max}, not {value}"));
        }
    }

    /// A number that must not be negative.
    pub(super) fn count(&mut self, place: &Place, value: i32) {
        if value < 0 {
            self.tell(Code::NumberOutOfRange, || format!("{place} must not be negative; it is {value}"));
        }
    }

    /// A number with a fraction and its bounds; whether it can be reckoned with.
    pub(super) fn fraction(&mut self, place: &Place, code: Code, value: f64, min: f64, max: f64) -> bool {
        if !self.finite(place, value) {
            return false;
        }
        let fits = value >= min && value <= max;
        if !fits {
            self.tell(code, || match max {
                f64::MAX => format!("{place} must be {min} or more, not {value}"),
                _ => format!("{place} must be {min} to {max}, not {value}"),
            });
        }
        fits
    }

    /// The same with no more than three decimals.
    pub(super) fn weight(&mut self, place: &Place, code: Code, value: f64, min: f64, max: f64) {
        if self.fraction(place, code, value, min, max) && thousandths(value).is_none() {
            self.tell(Code::TooManyDecimals, || format!("{place} is {value}; three decimals are allowed"));
        }
    }

    /// Neither infinite nor no number at all.
    pub(super) fn finite(&mut self, place: &Place, value: f64) -> bool {
        if !value.is_finite() {
            self.tell(Code::NotANumber, || {
                format!("{place} is no number that can be reckoned with: {value}")
            });
        }
        value.is_finite()
    }

    pub(super) fn features(&mut self, place: &Place, features: &[AppFeature]) {
        for (feature, index) in features.iter().zip(0..) {
            if feature.label.trim().is_empty() {
                let place = place.entry(index);
                self.tell(Code::NameMissing, || format!("{place} has no label"));
            }
        }
        self.once(place, features.iter().map(|feature| &feature.label));
    }

    pub(super) fn countries(&mut self, place: &Place, countries: &[String]) {
        for country in countries {
            if !is_region(country) {
                self.tell(Code::CountryInvalid, || format!("{place}: {country:?} is no country code"));
            }
        }
        self.once(place, countries);
    }

    pub(super) fn downloads(&mut self, place: &Place, downloads: &KeyDownloadParameters) {
        self.count(&place.member("download-timeout-in-seconds"), downloads.download_timeout_in_seconds);
        self.count(&place.member("overall-timeout-in-seconds"), downloads.overall_timeout_in_seconds);
        let days = downloads.revoked_day_packages.iter();
        let days = days.map(|package| ("day", &package.region, &package.date, 0, &package.etag));
        let hours = downloads.revoked_hour_packages.iter();
        let hours =
            hours.map(|package| ("hour", &package.region, &package.date, package.hour, &package.etag));
        for (kind, region, date, hour, etag) in days.chain(hours) {
            let what = if !is_region(region) {
                format!("region {region:?}")
            } else if date.parse::<cwa_crypto::Day>().is_err() {
                format!("date {date:?}")
            } else if !(0..=23).contains(&hour) {
                format!("hour {hour}")
            } else if etag.is_empty() {
                "an empty etag".to_owned()
            } else {
                continue;
            };
            self.tell(Code::RevokedPackageInvalid, || {
                format!("{place}: a revoked {kind} package has {what}")
            });
        }
        for etag in &downloads.revoked_trace_warning_packages {
            if etag.is_empty() {
                self.tell(Code::RevokedPackageInvalid, || {
                    format!("{place}: a revoked package of check-in warnings has an empty etag")
                });
            }
        }
    }

    pub(super) fn detections(&mut self, place: &Place, detections: &ExposureDetectionParameters) {
        /// How often a day the framework takes keys.
        const MOST: i32 = 6;
        let most = detections.max_exposure_detections_per_interval;
        let place_of_most = place.member("max-exposure-detections-per-interval");
        self.number(&place_of_most, Code::NumberOutOfRange, most, 0, MOST);
        if most == 0 {
            self.tell(Code::DetectionOff, || format!("{place_of_most} is 0"));
        }
        self.count(&place.member("overall-timeout-in-seconds"), detections.overall_timeout_in_seconds);
    }

    /// Every name but its first occurrence is one too many.
    pub(super) fn once<T: Ord + fmt::Debug>(&mut self, place: &Place, names: impl IntoIterator<Item = T>) {
        let mut seen = BTreeSet::new();
        for name in names {
            if seen.contains(&name) {
                self.tell(Code::EntryTwice, || format!("{place}: {name:?} stands there twice"));
            } else {
                seen.insert(name);
            }
        }
    }
}

/// Where a parameter stands, by the names of the German server's files: `attenuation-duration.weights.low`.
#[derive(Clone, Debug, Default)]
pub(super) struct Place(String);

impl Place {
    /// The configuration itself.
    pub(super) const fn root() -> Self {
        Self(String::new())
    }

    pub(super) fn member(&self, name: &str) -> Self {
        Self(if self.0.is_empty() { name.to_owned() } else { format!("{}.{name}", self.0) })
    }

    /// An entry of a list by its number, from 0, or of a map by its key.
    pub(super) fn entry(&self, key: impl fmt::Display) -> Self {
        Self(format!("{}[{key}]", self.0))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Two capitals, or `EUR`, the name of all countries together.
fn is_region(text: &str) -> bool {
    text == "EUR" || text.len() == 2 && text.bytes().all(|c| c.is_ascii_uppercase())
}

/// The first pair of neighbours of which the second is less, by its place.
pub(super) fn first_fall<T: PartialOrd + Copy>(values: &[T]) -> Option<usize> {
    values.windows(2).position(|pair| match pair {
        [one, other] => other.partial_cmp(one) == Some(Ordering::Less),
        _ => false,
    })
}

/// Numbers with fractions as `serde_json` has them: it writes what is none as `null`, and here reads it so again.
pub(super) mod number {
    use std::collections::BTreeMap;

    use serde::{Deserialize as _, Deserializer};

    pub(in crate::configuration) fn one<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
    }

    pub(in crate::configuration) fn list<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<f64>, D::Error> {
        let numbers = Vec::<Option<f64>>::deserialize(deserializer)?;
        Ok(numbers.into_iter().map(|number| number.unwrap_or(f64::NAN)).collect())
    }

    pub(in crate::configuration) fn map<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<i32, f64>, D::Error> {
        let numbers = BTreeMap::<i32, Option<f64>>::deserialize(deserializer)?;
        Ok(numbers.into_iter().map(|(key, number)| (key, number.unwrap_or(f64::NAN))).collect())
    }
}
