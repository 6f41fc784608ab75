use proptest::prelude::*;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::*;

const START: Day = Day::new(18_465);
const DAYS: u64 = 40;

/// A distribution of 40 days: which hours hold keys, and what it serves when.
#[derive(Clone, Debug)]
struct Distribution {
    hours: BTreeSet<Hour>,
}

impl Distribution {
    fn days(&self, now: UnixTime) -> BTreeSet<Day> {
        let days = self.hours.iter().map(|hour| hour.day());
        days.filter(|day| *day < now.day() && *day >= now.day().minus(14)).collect()
    }

    fn hours(&self, day: Day, now: UnixTime) -> Option<BTreeSet<Hour>> {
        let served = day >= now.day().minus(2) && day <= now.day();
        served.then(|| {
            self.hours.iter().copied().filter(|hour| hour.day() == day && hour.end() <= now).collect()
        })
    }
}

/// What one phone did.
#[derive(Debug, Default)]
struct History {
    fetched: Vec<Package>,
    handed_over: Vec<(UnixTime, Vec<Package>)>,
    /// When a run got everything there was.
    complete: Vec<UnixTime>,
}

impl History {
    /// One run at the true time `now`; `fails` says of each request whether it does.
    fn run(
        &mut self,
        planner: &mut TransferPlanner,
        distribution: &Distribution,
        now: UnixTime,
        device: UnixTime,
        rng: &mut StdRng,
        mut fails: impl FnMut(&mut StdRng) -> bool,
    ) -> UnixTime {
        let days = distribution.days(now);
        let asked = planner.hour_indexes(&days, device);
        let hours = asked.into_iter().filter_map(|day| Some((day, distribution.hours(day, now)?)));
        let plan = planner.plan(&Listing { hours: hours.collect(), days }, device);
        let mut outcome = Outcome::Complete;
        for request in plan.requests {
            if fails(rng) {
                outcome = Outcome::Failed;
                break;
            }
            self.fetched.push(request.package);
            planner.fetched(request.package, EntityTag::parse("a")).unwrap();
        }
        if outcome == Outcome::Complete && plan.deferred == 0 {
            self.complete.push(now);
        }
        let finished = planner.finish(outcome, device, rng);
        assert!(finished.next_run > device, "the next run is later");
        if !finished.hand_over.is_empty() {
            self.handed_over.push((now, finished.hand_over));
        }
        finished.next_run
    }

    fn covers(&self, hour: Hour) -> usize {
        let covering = |package: &&Package| match package {
            Package::Day(day) => *day == hour.day(),
            Package::Hour(other) => *other == hour,
        };
        self.fetched.iter().filter(covering).count()
    }
}

fn distribution() -> impl Strategy<Value = Distribution> {
    (prop::collection::vec(any::<bool>(), 40 * 24), 1..12_usize).prop_map(|(bits, every)| Distribution {
        hours: (0_u64..)
            .zip(bits)
            .filter(|(n, bit)| *bit && usize::try_from(*n).unwrap() % every == 0)
            .map(|(n, _)| Hour::new(START.get() * 24 + n))
            .collect(),
    })
}

fn policy() -> impl Strategy<Value = TransferPolicy> {
    prop_oneof![
        Just(TransferPolicy::default()),
        Just(TransferPolicy::ios_13_5()),
        Just(TransferPolicy { calls_per_day: Some(20), ..TransferPolicy::default() }),
        Just(TransferPolicy { calls_per_day: None, ..TransferPolicy::default() }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// The phone is off for up to 12 days together, and requests fail.
    #[test]
    fn every_key_comes_once_and_the_frameworks_bounds_hold_whatever_gaps_and_failures(
        distribution in distribution(),
        policy in policy(),
        gaps in prop_oneof![
            prop::collection::vec((0..DAYS * 24, 1..12 * 24_u64), 0..2),
            prop::collection::vec((0..DAYS * 24, 1..6 * 24_u64), 2),
        ],
        failure_percent in prop_oneof![Just(0_u64), Just(10), Just(30)],
        seed in any::<u64>(),
    ) {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut planner = TransferPlanner::new(policy.clone());
        let mut history = History::default();
        let end = START.start().plus(DAYS * Day::SECONDS);
        let mut now = planner.first_run(START.start(), &mut rng);
        while now < end {
            prop_assert!(planner.is_due(now));
            // Off: what was due happens when the phone is switched on.
            for (begin, length) in &gaps {
                let begin = START.start().plus(begin * 3600);
                let over = begin.plus(length * 3600);
                if (begin..over).contains(&now) {
                    now = over;
                }
            }
            if now >= end {
                break;
            }
            now = history.run(&mut planner, &distribution, now, now, &mut rng, |rng| {
                below(100, rng) < failure_percent
            });
        }

        let once: BTreeSet<Package> = history.fetched.iter().copied().collect();
        prop_assert_eq!(once.len(), history.fetched.len(), "a package was fetched twice");
        let handed_over: Vec<Package> = history.handed_over.iter().flat_map(|(_, files)| files.clone()).collect();
        prop_assert_eq!(handed_over.iter().collect::<BTreeSet<_>>().len(), handed_over.len());
        for &(at, _) in &history.handed_over {
            let within_a_day = history.handed_over.iter()
                .filter(|(other, _)| *other <= at && other.plus(Day::SECONDS) > at);
            let (calls, files) =
                within_a_day.fold((0, 0), |(calls, files), (_, packages)| (calls + 1, files + packages.len()));
            prop_assert!(policy.calls_per_day.is_none_or(|most| calls <= most), "{calls} calls");
            prop_assert!(
                policy.files_per_day.is_none_or(|most| files <= usize::try_from(most).unwrap()),
                "{files} files"
            );
        }

        // What a phone that is on gets: all that was published before its last complete run.
        let Some(last) = history.complete.last() else { return Ok(()) };
        let on_time = |hour: &&Hour| match policy.files_per_day {
            None => hour.end() <= *last,
            Some(_) => hour.day() < last.day(),
        };
        for hour in distribution.hours.iter().filter(on_time) {
            let times = history.covers(*hour);
            prop_assert!(times >= 1, "hour {hour} was missed");
            // An hour and its day were both fetched only if nobody could complete the day by hours.
            let over = hour.day().next().start();
            let by_hours = over.plus(SETTLED_SECONDS)..over.plus(2 * Day::SECONDS);
            prop_assert!(
                times == 1 || !history.complete.iter().any(|run| by_hours.contains(run)),
                "hour {hour} came {times} times"
            );
        }
    }

    #[test]
    fn a_clock_that_jumps_costs_no_key_and_fetches_no_package_twice(
        distribution in distribution(),
        jumps in prop::collection::vec(
            (0..30 * 24_u64, 1..5 * 24_u64, prop_oneof![
                Just(400 * 86_400_i64), Just(-400 * 86_400), Just(86_400), Just(-86_400), -20_000..20_000_i64
            ]),
            0..3,
        ),
        seed in any::<u64>(),
    ) {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut planner = TransferPlanner::new(TransferPolicy::default());
        let mut history = History::default();
        for half_hour in 0..DAYS * 48 {
            let now = START.start().plus(half_hour * 1800);
            let jump = jumps.iter().find(|(begin, length, _)| (*begin..begin + length).contains(&(half_hour / 2)));
            let device = now.as_secs().saturating_add_signed(jump.map_or(0, |(_, _, by)| *by));
            let device = UnixTime::from_secs(device);
            if planner.is_due(device) {
                history.run(&mut planner, &distribution, now, device, &mut rng, |_| false);
            }
        }
        let once: BTreeSet<Package> = history.fetched.iter().copied().collect();
        prop_assert_eq!(once.len(), history.fetched.len(), "a package was fetched twice");
        let settled = START.start().plus((DAYS - 2) * Day::SECONDS);
        for hour in distribution.hours.iter().filter(|hour| hour.end() < settled) {
            prop_assert!(history.covers(*hour) >= 1, "hour {hour} was missed");
        }
    }
}

fn hour(day: Day, of_day: u8) -> Hour {
    Hour::of(day, of_day).unwrap()
}

fn packages(plan: &Plan) -> Vec<Package> {
    plan.requests.iter().map(|request| request.package).collect()
}

fn listing(days: &[Day], hours: &[Hour]) -> Listing {
    let mut by_day: BTreeMap<Day, BTreeSet<Hour>> = BTreeMap::new();
    for hour in hours {
        by_day.entry(hour.day()).or_default().insert(*hour);
    }
    Listing { days: days.iter().copied().collect(), hours: by_day }
}

#[test]
fn after_two_weeks_off_the_days_come_first_and_then_the_hours_of_today() {
    let today = START;
    let days: Vec<Day> = (1..=14).rev().map(|ago| today.minus(ago)).collect();
    let now = today.start().plus(9 * 3600);
    let mut planner = TransferPlanner::new(TransferPolicy::default());
    let asked = planner.hour_indexes(&days.iter().copied().collect(), now);
    assert_eq!(asked, [today], "the days before are covered");
    let plan = planner.plan(&listing(&days, &[hour(today, 3), hour(today, 7)]), now);
    let mut expected: Vec<Package> = days.into_iter().map(Package::Day).collect();
    expected.extend([Package::Hour(hour(today, 3)), Package::Hour(hour(today, 7))]);
    assert_eq!(packages(&plan), expected);
}

#[test]
fn a_day_held_in_part_is_completed_by_hours_while_there_are_any() {
    let (day, now) = (START, START.next().start().plus(2 * 3600));
    let both = [hour(day, 3), hour(day, 23)];
    let mut planner = TransferPlanner::new(TransferPolicy::default());
    planner.hold(Package::Hour(both[0]), None);
    assert!(planner.hour_indexes(&[day].into(), now).contains(&day));
    assert_eq!(packages(&planner.clone().plan(&listing(&[day], &both), now)), [Package::Hour(both[1])]);
    assert_eq!(packages(&planner.clone().plan(&listing(&[day], &[]), now)), [Package::Day(day)]);

    planner.plan(&listing(&[day], &both), now);
    planner.fetched(Package::Hour(both[1]), None).unwrap();
    planner.finish(Outcome::Complete, now, &mut StdRng::seed_from_u64(1));
    let later = now.plus(5 * Day::SECONDS);
    assert_eq!(packages(&planner.plan(&listing(&[day], &[]), later)), [], "the day is complete");
}

#[test]
fn a_revoked_package_is_dropped_and_fetched_again_once_it_has_other_content() {
    let package = Package::Day(START.minus(1));
    let (bad, good) = (EntityTag::parse("\"bad\"").unwrap(), EntityTag::parse("\"good\"").unwrap());
    let mut policy = TransferPolicy::default();
    let mut planner = TransferPlanner::new(policy.clone());
    planner.hold(package, Some(bad.clone()));
    let days = listing(&[package.day()], &[]);
    let now = START.start().plus(3600);
    assert_eq!(planner.plan(&days, now), Plan::default());

    policy.revoked.push(RevokedPackage { package, etag: EntityTag::parse("bad").unwrap() });
    planner.set_policy(policy);
    let plan = planner.plan(&days, now);
    assert_eq!(plan.dropped, [package]);
    assert_eq!(plan.requests, [Request { package, if_none_match: Some(bad.clone()) }]);
    assert_eq!(planner.fetched(package, Some(bad)), Err(FetchedError::Revoked));
    assert_eq!(planner.fetched(package, Some(good)), Ok(()));
    assert_eq!(planner.plan(&days, now), Plan::default());
}

#[test]
fn revocations_are_those_of_the_configuration_for_this_country() {
    use crate::configuration::v1::{RevokedDayPackage, RevokedHourPackage};
    let of_day = |region: &str, date: &str| RevokedDayPackage {
        region: region.into(),
        date: date.into(),
        etag: "\"x\"".into(),
    };
    let of_hour =
        |hour| RevokedHourPackage { region: "DE".into(), date: "2020-07-22".into(), hour, etag: "x".into() };
    let parameters = KeyDownloadParameters {
        revoked_day_packages: vec![
            of_day("DE", "2020-07-22"),
            of_day("FR", "2020-07-22"),
            of_day("DE", "22.7."),
        ],
        revoked_hour_packages: vec![of_hour(4), of_hour(24), of_hour(-1)],
        ..KeyDownloadParameters::default()
    };
    let day = Day::from_calendar(2020, 7, 22).unwrap();
    let etag = EntityTag::parse("x").unwrap();
    let revoked: Vec<_> = RevokedPackage::of(&parameters, Country::GERMANY).collect();
    assert_eq!(
        revoked,
        [Package::Day(day), Package::Hour(hour(day, 4))]
            .map(|package| RevokedPackage { package, etag: etag.clone() })
    );
}

#[test]
fn retries_grow_at_random_within_bounds_and_start_again_after_success() {
    let now = START.start();
    let (mut least, mut most) = ([u64::MAX; 12], [0; 12]);
    for seed in 0..200 {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut planner = TransferPlanner::new(TransferPolicy::default());
        for (least, most) in least.iter_mut().zip(&mut most) {
            let delay = planner.finish(Outcome::Failed, now, &mut rng).next_run.seconds_since(now);
            (*least, *most) = ((*least).min(delay), (*most).max(delay));
        }
        planner.finish(Outcome::Complete, now, &mut rng);
        let delay = planner.finish(Outcome::Failed, now, &mut rng).next_run.seconds_since(now);
        assert!((1..=60).contains(&delay));
    }
    for (failures, (least, most)) in (0..).zip(least.into_iter().zip(most)) {
        let bound = (60_u64 << failures).min(3600);
        assert!(
            least < bound / 8 + 2 && most > bound * 3 / 4 && most <= bound,
            "{failures}: {least} to {most}"
        );
    }
}

#[test]
fn runs_are_spread_evenly_over_the_interval() {
    let now = START.start().plus(1234);
    let mut quarters = [0_u32; 4];
    let mut rng = StdRng::seed_from_u64(1);
    for _ in 0..4000 {
        let mut planner = TransferPlanner::new(TransferPolicy::mirror());
        let at = planner.first_run(now, &mut rng).seconds_since(START.start());
        assert!((3600..7200).contains(&at));
        quarters[usize::try_from((at - 3600) / 900).unwrap()] += 1;
    }
    assert!(quarters.iter().all(|count| (900..1100).contains(count)), "{quarters:?}");
}

#[test]
fn a_mirror_asks_about_everything_again_and_names_what_it_has() {
    let day = START.minus(1);
    let etag = EntityTag::parse("\"a\"");
    let mut planner = TransferPlanner::new(TransferPolicy::mirror());
    planner.hold(Package::Day(day), etag.clone());
    let plan = planner.plan(&listing(&[day], &[hour(day, 3)]), START.start());
    assert_eq!(
        plan.requests,
        [
            Request { package: Package::Day(day), if_none_match: etag },
            Request { package: Package::Hour(hour(day, 3)), if_none_match: None },
        ]
    );
}

#[test]
fn tags_are_compared_by_what_they_name_and_nothing_else_is_a_tag() {
    let tag = |text| EntityTag::parse(text).unwrap();
    assert!(tag("W/\"a\"").matches(&tag("a")));
    assert!(!tag("\"a\"").matches(&tag("\"b\"")));
    for text in ["", "\"\"", "a b", "\"a\"b\"", "a\n", "ä", "a".repeat(257).as_str()] {
        assert_eq!(EntityTag::parse(text), None, "{text:?}");
    }
}

#[test]
fn a_phone_whose_clock_is_far_ahead_forgets_nothing_while_nothing_is_listed() {
    let package = Package::Hour(hour(START, 0));
    let mut planner = TransferPlanner::new(TransferPolicy::default());
    planner.hold(package, None);
    planner.plan(&Listing::default(), START.start().plus(400 * Day::SECONDS));
    assert_eq!(planner.plan(&listing(&[], &[hour(START, 0)]), START.start()), Plan::default());
}
