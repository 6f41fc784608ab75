//! What holds for all inputs.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test")]

use core::cmp::Ordering;

use cwa_crypto::{Attenuation, ENIntervalNumber, TransmissionRiskLevel, UnixTime};
use cwa_risk::cwa::{
    CombinedInput, CombinedParameters, Platform, RangeMinutes, RiskScoreClass, RiskScoreClasses,
    combined_risk_score,
};
use cwa_risk::exact::{Exact, NonNegative, Rounding};
use cwa_risk::v1::{
    AttenuationThresholds, EncounterRules, ExposureValues, MinimumRiskScore, Parameters, RiskLevelValue,
    Scan, Sighting, exposures, scans, total_risk_score,
};
use proptest::prelude::*;

const PLATFORMS: [Platform; 3] = [Platform::Exact, Platform::Android, Platform::Ios];

fn any_exact() -> impl Strategy<Value = Exact> {
    (any::<i64>(), any::<i64>()).prop_filter_map("the denominator is not 0", |(n, d)| Exact::ratio(n, d))
}

fn small_exact() -> impl Strategy<Value = Exact> {
    (-10_000_i64..=10_000, 1_i64..=1000).prop_map(|(n, d)| Exact::ratio(n, d).unwrap())
}

/// Frames of one key within a day, several of them often in one scan.
fn sightings() -> impl Strategy<Value = Vec<Sighting>> {
    let sighting = (0_u64..86_400, 0_u8..=120).prop_map(|(second, db)| {
        let seen_at = UnixTime::from_secs(1_595_376_000 + second);
        Sighting { seen_at, attenuation: Attenuation::from_db(db), interval: ENIntervalNumber::at(seen_at) }
    });
    let burst = (sighting, prop::collection::vec((0_u64..60, 0_u8..=120), 0..6)).prop_map(|(first, more)| {
        let more = more.into_iter().map(move |(after, db)| Sighting {
            seen_at: first.seen_at.plus(after),
            attenuation: Attenuation::from_db(db),
            ..first
        });
        core::iter::once(first).chain(more).collect::<Vec<_>>()
    });
    prop::collection::vec(burst, 0..20).prop_map(|bursts| bursts.concat())
}

fn thresholds() -> impl Strategy<Value = AttenuationThresholds> {
    (0_u8..=120, 0_u8..=120).prop_map(|(a, b)| {
        AttenuationThresholds::new(Attenuation::from_db(a.min(b)), Attenuation::from_db(a.max(b))).unwrap()
    })
}

/// A row whose values do not fall as the range means more risk.
fn rising_row() -> impl Strategy<Value = [RiskLevelValue; 8]> {
    prop::array::uniform8(0_i64..=8).prop_map(|mut values| {
        values.sort_unstable();
        RiskLevelValue::row(values).unwrap()
    })
}

fn rising_parameters() -> impl Strategy<Value = Parameters> {
    (prop::array::uniform4(rising_row()), 1_i64..=4096).prop_map(|([a, b, c, d], minimum)| {
        Parameters::new(a, b, c, d, MinimumRiskScore::try_from(minimum).unwrap())
    })
}

fn values() -> impl Strategy<Value = ExposureValues> {
    (any::<u8>(), 0_u64..4000, 0_u64..20, 1_i64..=8).prop_map(
        |(db, duration_seconds, days_since_exposure, level)| ExposureValues {
            attenuation: Attenuation::from_db(db),
            duration_seconds,
            days_since_exposure,
            transmission_risk_level: TransmissionRiskLevel::try_from(level).unwrap(),
        },
    )
}

/// A number of at most three decimals from 0 to `limit`.
fn decimal(limit: u32) -> impl Strategy<Value = NonNegative> {
    (0..=limit * 1000).prop_map(|n| NonNegative::try_from(Exact::ratio(i64::from(n), 1000).unwrap()).unwrap())
}

fn combined_parameters() -> impl Strategy<Value = CombinedParameters> {
    (prop::array::uniform3(decimal(1)), 1_u32..=1000, decimal(1)).prop_map(|(weights, divisor, offset)| {
        let mut parameters = CombinedParameters::new(weights, divisor);
        parameters.offset = offset;
        parameters
    })
}

proptest! {
    #[test]
    fn a_number_survives_the_way_through_its_text(number in any_exact()) {
        prop_assert_eq!(number.to_string().parse(), Ok(number));
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "[-+0-9.eE/ ]{0,60}|.{0,20}") {
        let _ = text.parse::<Exact>();
    }

    #[test]
    fn a_decimal_of_15_digits_survives_a_float_parser(digits in 0_i64..1_000_000_000_000_000, places in 0_u32..15) {
        let exact = Exact::ratio(digits, 10_i64.pow(places)).unwrap();
        let float: f64 = exact.to_string().parse().unwrap();
        prop_assert_eq!(Exact::from_shortest_decimal(float), Ok(exact));
        prop_assert_eq!(exact.approximate().to_bits(), float.to_bits());
    }

    #[test]
    fn numbers_form_an_ordered_field(a in small_exact(), b in small_exact(), c in small_exact()) {
        let add = |a: Exact, b| a.checked_add(b).unwrap();
        let mul = |a: Exact, b| a.checked_mul(b).unwrap();
        prop_assert_eq!(add(a, b), add(b, a));
        prop_assert_eq!(add(add(a, b), c), add(a, add(b, c)));
        prop_assert_eq!(mul(mul(a, b), c), mul(a, mul(b, c)));
        prop_assert_eq!(mul(a, add(b, c)), add(mul(a, b), mul(a, c)));
        prop_assert_eq!(a.checked_sub(b).and_then(|d| d.checked_add(b)), Ok(a));
        if b != Exact::ZERO {
            prop_assert_eq!(a.checked_div(b).and_then(|q| q.checked_mul(b)), Ok(a));
        }
        prop_assert_eq!(a.cmp(&b), a.checked_sub(b).unwrap().cmp(&Exact::ZERO));
    }

    #[test]
    fn comparison_agrees_with_cross_multiplication(a in any_exact(), b in any_exact()) {
        let crosswise = (a.numerator() * b.denominator()).cmp(&(b.numerator() * a.denominator()));
        prop_assert_eq!(a.cmp(&b), crosswise);
        prop_assert_eq!(a == b, crosswise == Ordering::Equal);
    }

    #[test]
    fn rounding_moves_by_at_most_half_a_unit(number in small_exact(), places in 0_u32..4) {
        for rounding in [Rounding::HalfEven, Rounding::HalfAwayFromZero, Rounding::HalfUp] {
            let rounded = number.round(places, rounding).unwrap();
            let off = rounded.checked_sub(number).unwrap();
            let half = Exact::ratio(1, 2 * 10_i64.pow(places)).unwrap();
            prop_assert!(off <= half && off >= Exact::ZERO.checked_sub(half).unwrap(), "{number} {rounding:?}");
            prop_assert!(rounded.decimal_places().unwrap() <= places);
            prop_assert_eq!(rounded.round(places, rounding), Ok(rounded));
        }
    }

    #[test]
    fn exposures_do_not_depend_on_the_order_of_sightings(
        (ordered, shuffled) in sightings().prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
        thresholds in thresholds(),
    ) {
        let rules = EncounterRules::default();
        prop_assert_eq!(exposures(&ordered, thresholds, rules), exposures(&shuffled, thresholds, rules));
    }

    #[test]
    fn exposures_are_disjoint_and_account_for_all_time(all in sightings(), thresholds in thresholds()) {
        let rules = EncounterRules::default();
        let exposures = exposures(&all, thresholds, rules);
        prop_assert_eq!(exposures.is_empty(), all.is_empty());
        for pair in exposures.windows(2) {
            prop_assert!(pair[1].first().seconds_since(pair[0].last()) > rules.maximum_gap_seconds);
        }
        let db = || all.iter().map(|sighting| sighting.attenuation);
        for exposure in &exposures {
            let span = exposure.last().seconds_since(exposure.first());
            let [low, mid, high] = <[u64; 3]>::from(exposure.attenuation_durations());
            prop_assert_eq!(low + mid + high, span + rules.scan_interval_seconds);
            prop_assert_eq!(exposure.duration_seconds() % 300, 0);
            prop_assert!(exposure.duration_seconds().abs_diff(span + 300) <= 150);
            prop_assert!(db().min() <= Some(exposure.attenuation()) && Some(exposure.attenuation()) <= db().max());
        }
    }

    #[test]
    fn every_scan_is_a_frame_and_every_frame_has_a_scan_that_is_no_weaker(all in sightings()) {
        let rules = EncounterRules::default();
        let scans = scans(&all, rules);
        for scan in &scans {
            prop_assert!(all.iter().any(|frame| (frame.seen_at, frame.attenuation) == (scan.at, scan.attenuation)));
        }
        for frame in &all {
            let is_of = |scan: &Scan| {
                scan.at.as_secs().abs_diff(frame.seen_at.as_secs()) <= rules.scan_length_seconds
                    && scan.attenuation <= frame.attenuation
            };
            prop_assert!(scans.iter().any(is_of));
        }
    }

    #[test]
    fn a_total_risk_score_never_falls_as_the_risk_rises(
        values in values(),
        parameters in rising_parameters(),
        closer in 0_u8..20,
        longer in 0_u64..900,
        later in 0_u64..5,
        higher in 0_i64..8,
    ) {
        let level = (i64::from(values.transmission_risk_level) + higher).min(8);
        let riskier = ExposureValues {
            attenuation: Attenuation::from_db(values.attenuation.db().saturating_sub(closer)),
            duration_seconds: values.duration_seconds + longer,
            days_since_exposure: values.days_since_exposure.saturating_sub(later),
            transmission_risk_level: TransmissionRiskLevel::try_from(level).unwrap(),
        };
        let (before, after) = (total_risk_score(&values, &parameters), total_risk_score(&riskier, &parameters));
        prop_assert!(before.score() <= after.score());
        prop_assert!(after.score() <= 4096);
        prop_assert!(after.score() == 0 || after.score() >= parameters.minimum_risk_score.get());
    }

    #[test]
    fn a_combined_score_never_falls_as_time_or_risk_rise(
        parameters in combined_parameters(),
        seconds in prop::array::uniform3(0_u32..200_000),
        longer in prop::array::uniform3(0_u32..2000),
        maximum_risk_score in 0_u32..=4096,
        riskier in 0_u32..500,
    ) {
        let input = |seconds: [u32; 3], maximum_risk_score| CombinedInput {
            maximum_risk_score,
            minutes: RangeMinutes::from_seconds(seconds.map(NonNegative::from)).unwrap(),
        };
        let less = input(seconds, maximum_risk_score);
        let [low, mid, high] = seconds;
        let more = input([low + longer[0], mid + longer[1], high + longer[2]], maximum_risk_score + riskier);
        for platform in PLATFORMS {
            let score = |input| combined_risk_score(input, &parameters, platform).unwrap().score().get();
            prop_assert!(score(&less) <= score(&more), "{platform:?}");
        }
    }

    #[test]
    fn the_platforms_differ_by_their_rounding_only_where_nothing_is_cut_or_capped(
        parameters in combined_parameters(),
        whole_minutes in prop::array::uniform3(0_u32..=30),
        maximum_risk_score in 0_u32..=4096,
    ) {
        let input = CombinedInput { maximum_risk_score, minutes: RangeMinutes::from(whole_minutes) };
        let [exact, android, ios] =
            PLATFORMS.map(|platform| combined_risk_score(&input, &parameters, platform).unwrap().score().get());
        prop_assert_eq!(exact.round(2, Rounding::HalfEven), Ok(android));
        prop_assert_eq!(exact.round(2, Rounding::HalfAwayFromZero), Ok(ios));
    }

    #[test]
    fn every_score_is_in_a_class_or_in_a_gap(
        ranges in prop::collection::vec((0_u16..200, 0_u16..100), 1..6),
        score in decimal(400),
    ) {
        let class = |(n, (min, length)): (usize, &(u16, u16))| {
            RiskScoreClass::new(n.to_string(), *min, min + length).unwrap()
        };
        let classes = RiskScoreClasses::new(ranges.iter().enumerate().map(class).collect()).unwrap();
        let in_gap = classes.gaps().iter().any(|gap| gap.from <= score && score < gap.to);
        let found = classes.classify(score, Platform::Exact).unwrap();
        prop_assert_eq!(found.class().is_none(), in_gap);
        prop_assert!(found.class().is_none_or(|class| class.min() <= score));
    }
}
