//! The rules for each key.

use cwa_crypto::{Day, ReportType, UnixTime};

use super::{SeenKey, Sink};
use crate::batch::PublicationPolicy;
use crate::content::ExportContent;
use crate::finding::Code;
use crate::key::RawKey;

/// Looks at every key and puts those of 16 bytes into `seen`.
pub(super) fn look_at(
    content: &ExportContent<'_>,
    file: u32,
    now: Option<UnixTime>,
    sink: &mut Sink,
    seen: &mut Vec<SeenKey>,
) {
    let published = content.end_timestamp();
    let ages = Ages {
        reference: now.or(published),
        published,
        embargo: PublicationPolicy::default().embargo_seconds,
    };
    let mut facts = Facts::default();
    let news = content.raw_keys().zip(1..).map(|(key, number)| (key, (false, number)));
    let revised = content.raw_revised_keys().zip(1..).map(|(key, number)| (key, (true, number)));
    for (key, place) in news.chain(revised) {
        numbers(&key, place, sink);
        report_type(&key, place, sink);
        ages.look_at(&key, place, sink);
        facts.count(&key);
        seen.extend(SeenKey::of(&key, file, place));
    }
    facts.tell(sink);
}

/// A key twice among its kind, or both new and revised.
pub(super) fn duplicates(content: &ExportContent<'_>, keys: &mut [SeenKey], sink: &mut Sink) {
    if content.keys_ascend() {
        return;
    }
    keys.sort_unstable();
    for pair in keys.windows(2) {
        let [one, other] = pair else { continue };
        if one.key_data == other.key_data {
            let name = sink.name.clone();
            if one.revised == other.revised {
                let message = || format!("key {:032x} occurs more than once", other.key_data);
                sink.key_of(&name, Code::DuplicateKey, other, message);
            } else {
                let message = || format!("key {:032x} is new and revised in this file", other.key_data);
                sink.key_of(&name, Code::RevisedBesideNew, other, message);
            }
        }
    }
}

/// The numbers of a key against their ranges.
fn numbers(key: &RawKey<'_>, place: (bool, usize), sink: &mut Sink) {
    match key.key_data {
        Some(data) if data.len() == 16 => {}
        Some(data) => {
            sink.key(Code::KeyDataLength, key, place, || {
                format!("key data has {} bytes, not 16", data.len())
            });
        }
        None => sink.key(Code::KeyDataLength, key, place, || "there is no key data".to_owned()),
    }
    match key.rolling_period {
        Some(0) => sink.key(Code::PeriodZero, key, place, || "the rolling period is 0".to_owned()),
        Some(period @ (..0 | 145..)) => {
            sink.key(Code::PeriodTooLong, key, place, || {
                format!("the rolling period is {period}, not 1 to 144")
            });
        }
        _ => {}
    }
    match key.rolling_start_interval_number.unwrap_or(0) {
        start @ ..0 => {
            sink.key(Code::StartNegative, key, place, || format!("the start interval is {start}"));
        }
        0 => sink.key(Code::StartZero, key, place, || "the start interval is 0 or absent".to_owned()),
        start => {
            if start % 144 != 0 {
                sink.key(Code::StartNotAtMidnight, key, place, || {
                    format!("the start interval {start} is no multiple of 144")
                });
            }
            if start.checked_add(key.rolling_period.unwrap_or(144)).is_none() {
                sink.key(Code::EndOverflow, key, place, || {
                    format!("the key starts at interval {start} and ends beyond {}", i32::MAX)
                });
            }
        }
    }
    if let Some(level @ (..0 | 9..)) = key.transmission_risk_level {
        sink.key(Code::RiskLevelOutOfRange, key, place, || {
            format!("the transmission risk level is {level}, not 0 to 8")
        });
    }
    match key.days_since_onset_of_symptoms {
        None | Some(-14..=14) => {}
        Some(days @ -15..=4000) => sink.key(Code::DaysSinceOnsetEncoded, key, place, || {
            format!("days since onset are {days}, beyond -14 to 14")
        }),
        Some(days) => sink.key(Code::DaysSinceOnsetOutOfRange, key, place, || {
            format!("days since onset are {days}, beyond -15 to 4000")
        }),
    }
    if let Some(variant @ (..0 | 5..)) = key.variant_of_concern {
        sink.key(Code::VariantOutOfRange, key, place, || {
            format!("the variant of concern is {variant}, not 0 to 4")
        });
    }
}

fn report_type(key: &RawKey<'_>, place: (bool, usize), sink: &mut Sink) {
    const CONFIRMED: i32 = ReportType::ConfirmedTest.number() as i32;
    const REVOKED: i32 = ReportType::Revoked.number() as i32;
    match key.report_type {
        Some(number @ (..0 | 6..)) => {
            sink.key(Code::ReportTypeOutOfRange, key, place, || {
                format!("the report type is {number}, not 0 to 5")
            });
        }
        Some(0) => sink.key(Code::ReportTypeUnknown, key, place, || "the report type is UNKNOWN".to_owned()),
        Some(REVOKED) if !place.0 => {
            sink.key(Code::RevokedAmongNew, key, place, || "the report type is REVOKED".to_owned());
        }
        Some(number) if place.0 && number != CONFIRMED && number != REVOKED => {
            sink.key(Code::RevisedReportType, key, place, || format!("the report type is {number}"));
        }
        _ => {}
    }
}

/// When keys were published, and against which time their age is judged.
struct Ages {
    reference: Option<UnixTime>,
    published: Option<UnixTime>,
    embargo: u64,
}

impl Ages {
    fn look_at(&self, key: &RawKey<'_>, place: (bool, usize), sink: &mut Sink) {
        /// One day more than the 14 that keys are kept, because a key may have begun on the day before.
        const MAX_DAYS: u64 = 15;
        // A key without a start is told as such, not as one of 1970.
        let Some(start @ 1..) = key.rolling_start_interval_number else { return };
        let period = key.rolling_period.unwrap_or(144).max(0);
        let at =
            |interval: i32| UnixTime::from_secs(u64::try_from(interval).unwrap_or(0).saturating_mul(600));
        let (start, end) = (at(start), at(start.saturating_add(period)));
        if let Some(now) = self.reference {
            if start > now {
                sink.key(Code::KeyFromFuture, key, place, || {
                    format!("it starts at {}, after {}", start.as_secs(), now.as_secs())
                });
            }
            if end < now.minus(MAX_DAYS * Day::SECONDS) {
                sink.key(Code::KeyTooOld, key, place, || {
                    format!(
                        "it ended at {}, more than {MAX_DAYS} days before {}",
                        end.as_secs(),
                        now.as_secs()
                    )
                });
            }
        }
        if let Some(published) = self.published
            && start <= published
            && end.plus(self.embargo) > published
        {
            sink.key(Code::KeyUnderEmbargo, key, place, || {
                format!("it ends at {}, and was published by {}", end.as_secs(), published.as_secs())
            });
        }
    }
}

/// What many keys leave out: told once, with a count.
#[derive(Default)]
struct Facts {
    keys: usize,
    without_period: usize,
    without_level: usize,
    without_report_type: usize,
}

impl Facts {
    fn count(&mut self, key: &RawKey<'_>) {
        let one = |count: &mut usize, is: bool| *count = count.saturating_add(usize::from(is));
        one(&mut self.keys, true);
        one(&mut self.without_period, key.rolling_period.is_none());
        one(&mut self.without_level, matches!(key.transmission_risk_level, None | Some(0)));
        one(&mut self.without_report_type, key.report_type.is_none());
    }

    fn tell(&self, sink: &mut Sink) {
        for (code, count, what) in [
            (Code::PeriodAbsent, self.without_period, "rolling period"),
            (Code::RiskLevelMissing, self.without_level, "transmission risk level"),
            (Code::ReportTypeAbsent, self.without_report_type, "report type"),
        ] {
            if count > 0 {
                sink.file(code, format!("{count} of {} keys have no {what}", self.keys));
            }
        }
    }
}
