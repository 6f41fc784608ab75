//! Why a sighting counts or does not, step by step.

use cwa_crypto::matching::{
    Attenuations, DayLookup, DropReason, Dropped, Match, MetadataVersions, Replay, Rule, Rules, Tolerance,
    TransmitPowers,
};
use cwa_crypto::{DiagnosisKey, ENIntervalNumber, UnixTime};

use super::when;

/// Why a sighting counts, step by step.
pub(super) fn of_match(found: &Match, rules: Rules) -> Vec<String> {
    let seen_at = found.sighting.seen_at;
    let tolerance = rules.tolerance();
    let mut steps = vec![of_key(&found.key), derived(found.interval)];
    steps.push(in_time(tolerance, tolerance.distance(found.interval, seen_at)));
    if rules.day_lookup() == DayLookup::NeighbouringDays {
        steps.push(
            "seen on the day the key starts on, or a day beside it; others are not looked up".to_owned(),
        );
    }
    if let Some(seconds) = rules.max_sighting_age_seconds() {
        steps.push(match rules.now() {
            Some(now) => format!("{} s old; {seconds} s count", now.seconds_since(seen_at)),
            None => format!("its age is not looked at: {} needs --now", Rule::SightingAge),
        });
    }
    match rules.replay() {
        Replay::AfterFirstInWindow { seconds } => {
            steps.push(format!("at most {seconds} s after its identifier's first sighting within that time"));
        }
        Replay::AfterFirstThatCounts { seconds } => {
            steps.push(format!("at most {seconds} s after its identifier's first sighting that counts"));
        }
        _ => {}
    }
    steps.extend(of_frame(found, rules));
    steps
}

fn of_frame(found: &Match, rules: Rules) -> Vec<String> {
    let bytes = hex::encode(found.metadata_bytes);
    let [version, power, _, _] = found.metadata_bytes;
    let (version, received) = (format!("{}.{}", version >> 6, version >> 4 & 0b11), found.sighting.rssi_dbm);
    let Some(attenuation) = found.attenuation else {
        let why = match (found.metadata, rules.metadata_versions()) {
            (_, MetadataVersions::SignedByte) => {
                format!("version {version} counts as older than 1.0, and an average device is not known here")
            }
            (Err(error), _) => error.to_string(),
            _ => format!("metadata of version {version} are not supported"),
        };
        return vec![format!("no attenuation from metadata {bytes}: {why}")];
    };
    let sent = power.cast_signed();
    let mut steps = Vec::new();
    if let TransmitPowers::Between { min_dbm, max_dbm } = rules.transmit_powers() {
        steps.push(format!("a transmit power of {sent} dBm is believed; {min_dbm} to {max_dbm} dBm are"));
    }
    let difference = i16::from(sent) - i16::from(received);
    let clamped = match rules.attenuations() {
        Attenuations::AtLeastZero if difference < 0 => format!(", for {difference} dB"),
        _ => String::new(),
    };
    steps.push(format!(
        "sent with {sent} dBm, received with {received} dBm: attenuation {attenuation} dB{clamped}"
    ));
    if let Some(confidence) = found.calibration_confidence {
        let confidence = confidence.number();
        steps
            .push(format!("metadata {bytes} of version {version}: calibration confidence {confidence} of 3"));
    }
    steps
}

/// Why a sighting does not count, step by step.
pub(super) fn of_drop(dropped: &Dropped) -> Vec<String> {
    let mut steps = vec![of_key(&dropped.key), derived(dropped.interval)];
    steps.push(of_reason(dropped));
    steps
}

fn of_reason(dropped: &Dropped) -> String {
    let seen_at = dropped.sighting.seen_at;
    match dropped.reason {
        DropReason::OutsideTimeWindow { distance, tolerance } => format!(
            "{}: a clock was wrong, or the frame was replayed{}",
            in_time(tolerance, distance),
            if tolerance.is_wrapped_at(dropped.interval) { "; or 32 bits wrapped" } else { "" }
        ),
        DropReason::DayNotLookedUp { starts_on, seen_on } => format!(
            "seen on {}, and the key starts on {}: only that day and those beside it are looked up",
            date(seen_on.start()),
            date(starts_on.start())
        ),
        DropReason::SightingTooOld { age_seconds, at_most_seconds } => {
            format!("{age_seconds} s old, and {at_most_seconds} s count")
        }
        DropReason::Replayed { first_seen_at, at_most_seconds } => format!(
            "seen {} s after its first sighting at {}, and {at_most_seconds} s are tolerated: the frame was replayed",
            seen_at.seconds_since(first_seen_at),
            when(first_seen_at)
        ),
        DropReason::TransmitPowerOutOfBounds { got_dbm, min_dbm, max_dbm } => {
            format!("a transmit power of {got_dbm} dBm is not believed; {min_dbm} to {max_dbm} dBm are")
        }
        DropReason::ZeroAttenuation { transmit_power_dbm } => format!(
            "sent with {transmit_power_dbm} dBm, received with {} dBm: an attenuation of 0 dB is dropped",
            dropped.sighting.rssi_dbm
        ),
        DropReason::OutsideRollingPeriod { offset, rolling_period } => format!(
            "its interval is number {} of the key's, which has {}",
            u16::from(offset) + 1,
            rolling_period.get()
        ),
        DropReason::Revoked => "the key was revoked".to_owned(),
        DropReason::Recursive => "the key is of report type recursive, which is not matched".to_owned(),
        DropReason::CopyIgnored => "another copy of the key holds, and this one is ignored".to_owned(),
        DropReason::Replaced => "a revised key took this one's place, and is of another time".to_owned(),
        DropReason::RevisionIgnored => "the key is a revised one, which is not matched by itself".to_owned(),
        other => other.to_string(),
    }
}

fn in_time(tolerance: Tolerance, distance: u64) -> String {
    match tolerance {
        Tolerance::Seconds(bound) => format!("seen {distance} s from it; {bound} are tolerated"),
        Tolerance::Intervals(bound) | Tolerance::WrappingIntervals(bound) => {
            format!("seen {distance} intervals from it; {bound} are tolerated")
        }
        other => format!("seen {distance} from it; {other}"),
    }
}

fn of_key(key: &DiagnosisKey) -> String {
    let (start, period) = (key.rolling_start_interval_number, key.rolling_period.get());
    format!(
        "the key is valid for {period} intervals from {start} on, {} to {}",
        when(start.start()),
        when(key.end())
    )
}

fn derived(interval: ENIntervalNumber) -> String {
    format!("the identifier is that of interval {interval}, which begins at {}", when(interval.start()))
}

/// The day of a moment, for people.
fn date(time: UnixTime) -> String {
    let text = when(time);
    text.split('T').next().unwrap_or_default().to_owned()
}
