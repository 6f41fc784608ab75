//! The phone's keys under any history, held against a model that knows intervals instead of keys with a start.
#![allow(missing_docs, reason = "an integration test has no documentation")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

use core::convert::Infallible;
use std::collections::{BTreeMap, BTreeSet};

use cwa_crypto::schedule::{ConsentError, DayKeyError, SameDayPolicy};
use cwa_crypto::{DiagnosisKey, KeySchedule, UnixTime};
use proptest::prelude::*;
use rand_core::{TryCryptoRng, TryRng};

const BEGIN: u64 = 1_595_376_000;
const DAY: u64 = 86_400;
const RETENTION: u64 = 14 * DAY;

/// The number of a key: the first that is made is 0.
type Id = u64;

#[derive(Clone, Copy, Debug)]
enum Action {
    Live,
    Consent,
    Withdraw,
    Release,
    DayKey,
    Restore,
}

/// What came of an action, in terms both sides have.
#[derive(Debug, Eq, PartialEq)]
enum Answer {
    Live(Id),
    HandedOver { keys: BTreeMap<Id, (u64, u64)>, day_key_at: Option<u64> },
    Refused(&'static str),
    Nothing,
}

/// Who owns which interval. A key is nothing but the set of its intervals.
struct Model {
    retire_early: bool,
    made: Id,
    /// Secret keys. That an interval has one owner at most is the map's nature.
    owner: BTreeMap<u64, Id>,
    /// What was handed over, of each key.
    public: BTreeMap<Id, BTreeSet<u64>>,
    consent: Result<u64, &'static str>,
    pending_day: Option<u64>,
}

impl Model {
    const fn new(retire_early: bool) -> Self {
        Self {
            retire_early,
            made: 0,
            owner: BTreeMap::new(),
            public: BTreeMap::new(),
            consent: Err("not given"),
            pending_day: None,
        }
    }

    fn act(&mut self, action: Action, now: u64) -> Answer {
        if matches!(action, Action::Live | Action::Release | Action::DayKey) {
            self.time_passes(now);
        }
        match action {
            Action::Live => Answer::Live(self.live(now)),
            Action::Consent => {
                self.consent = Ok(now);
                Answer::Nothing
            }
            Action::Withdraw => {
                (self.consent, self.pending_day) = (Err("withdrawn"), None);
                Answer::Nothing
            }
            Action::Restore => Answer::Nothing,
            Action::Release => match self.consent {
                Err(reason) => Answer::Refused(reason),
                Ok(given) => self.release(given, now),
            },
            Action::DayKey => match (self.consent, self.pending_day) {
                (Err(reason), _) => Answer::Refused(reason),
                (Ok(_), None) => Answer::Refused("nothing pending"),
                (Ok(_), Some(day)) if now < (day + 1) * DAY => Answer::Refused("still live"),
                (Ok(_), Some(day)) => {
                    let keys = self.hand_over(now, |intervals| intervals.first().unwrap() / 144 == day);
                    if keys.is_empty() {
                        Answer::Refused("forgotten")
                    } else {
                        Answer::HandedOver { keys, day_key_at: None }
                    }
                }
            },
        }
    }

    fn release(&mut self, given: u64, now: u64) -> Answer {
        let live = self.live(now);
        let next_midnight = (now / DAY + 1) * DAY;
        let mut day_key_at = None;
        if self.retire_early {
            self.pending_day = None;
            let has_ended_interval = self.owner.range(..now / 600).any(|(_, id)| *id == live);
            self.owner.retain(|interval, id| *id != live || *interval < now / 600 || !has_ended_interval);
        } else if next_midnight <= given + DAY {
            self.pending_day = Some(now / DAY);
            day_key_at = Some(next_midnight);
        }
        Answer::HandedOver { keys: self.hand_over(now, |_| true), day_key_at }
    }

    fn time_passes(&mut self, now: u64) {
        if self.consent.is_ok_and(|given| now > given + DAY || now + 7200 < given) {
            self.consent = Err("expired");
        }
        let is_kept = |intervals: &BTreeSet<u64>| {
            let (first, last) = (intervals.first().unwrap(), intervals.last().unwrap());
            (last + 1) * 600 + RETENTION > now && first * 600 / DAY <= now / DAY + 1
        };
        let too_old: BTreeMap<_, _> =
            self.secret().into_iter().filter(|(_, intervals)| !is_kept(intervals)).collect();
        if !too_old.is_empty() {
            self.owner.retain(|_, id| !too_old.contains_key(id));
        }
        self.public.retain(|_, intervals| is_kept(intervals));
    }

    fn live(&mut self, now: u64) -> Id {
        let interval = now / 600;
        if let Some(id) = self.owner.get(&interval) {
            return *id;
        }
        let midnight = interval / 144 * 144;
        let today = midnight..midnight + 144;
        let is_fresh_day = self.owner.range(today.clone()).next().is_none()
            && !self.public.values().flatten().any(|taken| today.contains(taken));
        // Towards the past as far as nobody owns an interval; not at all where a key was retired on that day.
        let before = if self.retire_early && !is_fresh_day { interval } else { midnight };
        let start = (before..interval).rev().take_while(|place| !self.owner.contains_key(place)).last();
        for place in start.unwrap_or(interval)..midnight + 144 {
            if self.owner.contains_key(&place) {
                break;
            }
            self.owner.insert(place, self.made);
        }
        self.made += 1;
        self.made - 1
    }

    fn secret(&self) -> BTreeMap<Id, BTreeSet<u64>> {
        let mut keys: BTreeMap<Id, BTreeSet<u64>> = BTreeMap::new();
        for (interval, id) in &self.owner {
            keys.entry(*id).or_default().insert(*interval);
        }
        keys
    }

    fn hand_over(&mut self, now: u64, wanted: impl Fn(&BTreeSet<u64>) -> bool) -> BTreeMap<Id, (u64, u64)> {
        let mut all = self.public.clone();
        all.extend(self.secret());
        let mut keys = BTreeMap::new();
        for (id, intervals) in all {
            let end = (intervals.last().unwrap() + 1) * 600;
            if end <= now && wanted(&intervals) {
                keys.insert(id, (*intervals.first().unwrap(), intervals.len() as u64));
                self.owner.retain(|_, owner| *owner != id);
                self.public.insert(id, intervals);
            }
        }
        keys
    }
}

/// The phone under test, with its answers in the model's terms.
struct Phone {
    schedule: KeySchedule,
    rng: Counter,
}

impl Phone {
    fn new(retire_early: bool) -> Self {
        let policy = if retire_early { SameDayPolicy::RetireEarly } else { SameDayPolicy::AfterMidnight };
        Self { schedule: KeySchedule::new(policy), rng: Counter(0) }
    }

    fn act(&mut self, action: Action, now: u64) -> Answer {
        let now = UnixTime::from_secs(now);
        match action {
            Action::Live => Answer::Live(id(self.schedule.live_key(now, &mut self.rng).key.expose_bytes())),
            Action::Consent => {
                self.schedule.give_consent(now);
                Answer::Nothing
            }
            Action::Withdraw => {
                self.schedule.withdraw_consent();
                Answer::Nothing
            }
            Action::Restore => {
                let mut keys = self.schedule.keys().to_vec();
                // Whoever stores them may lose their order, but not that of keys with one start.
                keys.sort_by_key(|key| core::cmp::Reverse(key.rolling_start_interval_number));
                let (day, consent) = (self.schedule.released_on(), self.schedule.consent());
                self.schedule = KeySchedule::restore(self.schedule.policy(), keys, day, consent);
                Answer::Nothing
            }
            Action::Release => match self.schedule.release(now, &mut self.rng) {
                Ok(release) => Answer::HandedOver {
                    keys: handed_over(&release.keys),
                    day_key_at: release.day_key_at.map(UnixTime::as_secs),
                },
                Err(reason) => Answer::Refused(of_consent(reason)),
            },
            Action::DayKey => match self.schedule.release_day_key(now) {
                Ok(keys) => Answer::HandedOver { keys: handed_over(&keys), day_key_at: None },
                Err(DayKeyError::Consent(reason)) => Answer::Refused(of_consent(reason)),
                Err(DayKeyError::NothingPending) => Answer::Refused("nothing pending"),
                Err(DayKeyError::StillLive { until }) => {
                    assert!(now < until);
                    Answer::Refused("still live")
                }
                Err(DayKeyError::Forgotten { .. }) => Answer::Refused("forgotten"),
                Err(other) => panic!("{other}"),
            },
        }
    }
}

const fn of_consent(reason: ConsentError) -> &'static str {
    match reason {
        ConsentError::NotGiven => "not given",
        ConsentError::Expired { .. } => "expired",
        ConsentError::Withdrawn => "withdrawn",
        _ => "another reason",
    }
}

fn id(key_data: &[u8; 16]) -> Id {
    u64::from_le_bytes(key_data[..8].try_into().unwrap())
}

fn handed_over(keys: &[DiagnosisKey]) -> BTreeMap<Id, (u64, u64)> {
    let keys_by_id: BTreeMap<_, _> = keys
        .iter()
        .map(|key| {
            let start = key.rolling_start_interval_number.get();
            (id(&key.key_data), (start.into(), key.rolling_period.get().into()))
        })
        .collect();
    assert_eq!(keys_by_id.len(), keys.len(), "a key twice");
    assert!(keys.is_sorted_by_key(|key| key.rolling_start_interval_number));
    keys_by_id
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        6 => Just(Action::Live),
        2 => Just(Action::Consent),
        1 => Just(Action::Withdraw),
        3 => Just(Action::Release),
        2 => Just(Action::DayKey),
        1 => Just(Action::Restore),
    ]
}

/// How far the clock goes: within an interval, to a border exactly, hours, days; backwards too.
fn step() -> impl Strategy<Value = Clock> {
    prop_oneof![
        4 => (0..700_i64).prop_map(Clock::Plus),
        4 => (0..100_000_i64).prop_map(Clock::Plus),
        2 => Just(Clock::ToMidnight { days: 1 }),
        2 => (1..17_u64).prop_map(|days| Clock::ToMidnight { days }),
        1 => (0..16 * 86_400_i64).prop_map(Clock::Plus),
        1 => (-10_000..0_i64).prop_map(Clock::Plus),
        1 => (-200_000..0_i64).prop_map(Clock::Plus),
        1 => Just(Clock::Plus(365 * 86_400)),
        1 => Just(Clock::Plus(-365 * 86_400)),
    ]
}

#[derive(Clone, Copy, Debug)]
enum Clock {
    Plus(i64),
    /// The very second of a midnight to come.
    ToMidnight {
        days: u64,
    },
}

impl Clock {
    fn from(self, now: u64) -> u64 {
        match self {
            Self::Plus(seconds) => {
                now.checked_add_signed(seconds).unwrap_or_default().max(BEGIN - 1000 * DAY)
            }
            Self::ToMidnight { days } => (now / DAY + days) * DAY,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_history_goes_as_in_the_model(
        retire_early in any::<bool>(), steps in prop::collection::vec((action(), step()), 1..80),
    ) {
        let (mut model, mut phone) = (Model::new(retire_early), Phone::new(retire_early));
        let mut public: BTreeMap<Id, (u64, u64)> = BTreeMap::new();
        let mut now = BEGIN;
        for (number, (action, clock)) in steps.into_iter().enumerate() {
            now = clock.from(now);
            let answer = phone.act(action, now);
            prop_assert_eq!(&answer, &model.act(action, now), "step {}, {:?} at {}", number, action, now);
            match answer {
                // What others may know is never on air, whatever the clock did in between.
                Answer::Live(id) => prop_assert!(!public.contains_key(&id)),
                Answer::HandedOver { keys, .. } => {
                    for (id, (start, period)) in keys {
                        let end = (start + period) * 600;
                        prop_assert!(end <= now && now < end + RETENTION);
                        let before = public.insert(id, (start, period));
                        prop_assert!(before.is_none_or(|before| before == (start, period)), "a key changed");
                    }
                }
                Answer::Refused(_) | Answer::Nothing => {}
            }
            // Of the keys that are still to be on air no two share an interval.
            let secret = phone.schedule.keys().iter().filter(|key| !key.handed_over);
            let periods: Vec<_> =
                secret.map(|key| (key.rolling_start_interval_number.start(), key.end())).collect();
            prop_assert!(periods.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{:?}", periods);
        }
    }

    /// Given consent and time, and a clock that goes forward, everything that was sent in 14 days can be recognised.
    #[test]
    fn what_was_on_air_is_covered_by_one_key_that_is_handed_over(
        retire_early in any::<bool>(),
        steps in prop::collection::vec((any::<bool>(), 0..20_000_u64), 1..80),
    ) {
        let mut phone = Phone::new(retire_early);
        let mut sent: BTreeSet<(Id, u64)> = BTreeSet::new();
        let mut now = BEGIN;
        for (releases, seconds) in steps {
            now += seconds;
            if let Answer::Live(id) = phone.act(Action::Live, now) {
                sent.insert((id, now / 600));
            }
            if releases && seconds % 5 == 0 {
                phone.act(Action::Consent, now);
                phone.act(Action::Release, now);
                // The interval of a release is cut in two: its first part is the price of retiring at once.
                if retire_early {
                    sent.retain(|(_, interval)| *interval != now / 600);
                }
            }
        }
        now = (now / DAY + 1) * DAY;
        phone.act(Action::Consent, now);
        let Answer::HandedOver { keys, .. } = phone.act(Action::Release, now) else { panic!("refused") };
        for (id, interval) in sent.into_iter().filter(|(_, interval)| (interval / 144 + 1) * DAY + RETENTION > now) {
            let covering = keys.iter().filter(|(_, (start, period))| (*start..start + period).contains(&interval));
            prop_assert_eq!(covering.map(|(id, _)| *id).collect::<Vec<_>>(), [id], "interval {}", interval);
        }
    }
}

/// Makes another key every time, and says which.
struct Counter(u64);

impl TryRng for Counter {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.try_next_u64().map(|number| u32::try_from(number).unwrap())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0 += 1;
        Ok(self.0 - 1)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.iter_mut().zip(self.0.to_le_bytes()).for_each(|(to, from)| *to = from);
        self.0 += 1;
        Ok(())
    }
}

impl TryCryptoRng for Counter {}
