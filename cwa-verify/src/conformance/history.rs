use super::results::result;
use super::retention::purge;
use super::*;
use crate::hash::RetryWindow;
use crate::memory::MemoryStore;
use crate::tan::TanNumber;
use crate::test_result::TestResult;

/// Twenty random histories of three hundred transitions over few tests, tokens and payloads, so that they collide: each
/// answer is the same as that of [`MemoryStore`].
pub async fn every_history_gives_the_same_answers_as_in_memory<H: Harness>(harness: &H) {
    for seed in 1..=20 {
        let (tested, reference) = (harness.empty_store().await, MemoryStore::new());
        let mut history = History { state: seed, now: NOW };
        for step in 0..300 {
            let transition = history.next();
            let now = history.now;
            let (got, expected) =
                (answer(&tested, &transition, now).await, answer(&reference, &transition, now).await);
            assert_eq!(got, expected, "seed {seed}, step {step}, at {}: {transition:?}", now.as_secs());
        }
    }
}

#[derive(Debug)]
enum Transition {
    Register(Box<NewSession>),
    Session(u32),
    IssueTeleTan(u32, Option<TeleTanType>),
    IssueTan(u32),
    Reserve { session: u32, tan: u32, payload: u32 },
    Confirm { session: u32, tan: u32, payload: u32 },
    Release { session: u32, tan: u32, payload: u32 },
    Consume { session: u32, tan: u32 },
    Record(u32, u64),
    ResultsOf(u32, u32),
    Purge,
}

/// The answer as text: without the store's own error, which must not occur.
async fn answer<S: Store>(store: &S, transition: &Transition, now: UnixTime) -> String {
    let named = |session: u32, number: u32| {
        let tan = key().tan_series(&token(session)).tan(TanNumber::new(number));
        (key().tan(&tan), tan)
    };
    let lease_end = now.plus(LEASE);
    let answer = match transition {
        Transition::Register(new) => format!("{:?}", store.register((**new).clone(), now).await),
        Transition::Session(number) => {
            let session = store.session(token_hash(*number), now).await.unwrap();
            format!("{session:?}")
        }
        Transition::IssueTeleTan(number, kind) => {
            let new = NewTeleTan { hash: tele_tan(*number), kind: *kind, valid_until: now.plus(HOUR) };
            let limit = IssueLimit { count: 2, window_seconds: HOUR };
            format!("{:?}", store.issue_tele_tan(new, limit, now).await)
        }
        Transition::IssueTan(number) => format!("{:?}", store.issue_tan(new_tan(*number, now), now).await),
        Transition::Reserve { session, tan, payload } => {
            let (hash, tan) = named(*session, *tan);
            format!("{:?}", store.reserve(hash, reservation(&tan, *payload), lease_end, now).await)
        }
        Transition::Confirm { session, tan, payload } => {
            format!("{:?}", store.confirm(reservation(&named(*session, *tan).1, *payload), now).await)
        }
        Transition::Release { session, tan, payload } => {
            format!(
                "{:?}",
                store.release(reservation(&named(*session, *tan).1, *payload), now).await.unwrap()
            )
        }
        Transition::Consume { session, tan } => {
            format!("{:?}", store.consume(named(*session, *tan).0, now).await)
        }
        Transition::Record(number, code) => {
            let new = result(*number, TestResult::try_from(*code).unwrap());
            format!("{:?}", store.record_results(vec![new], now.minus(21 * DAY), now).await.unwrap())
        }
        Transition::ResultsOf(a, b) => {
            format!("{:?}", store.results_of(vec![test_id(*a), test_id(*b)], now).await.unwrap())
        }
        Transition::Purge => format!("{:?}", purge(store, now).await),
    };
    assert!(!answer.contains("Store("), "the store failed: {answer}");
    answer
}

struct History {
    state: u64,
    now: UnixTime,
}

impl History {
    fn next(&mut self) -> Transition {
        self.advance();
        let (session, tan, payload) = (self.below(4), self.below(4), self.below(2));
        match self.below(22) {
            0 | 1 => {
                let retry = RetryWindow {
                    request: request(&payload.to_be_bytes()),
                    until: self.now.plus(10 * MINUTE),
                };
                let claim = match self.below(4) {
                    0 => Claim::TeleTan(tele_tan(self.below(4))),
                    1 => Claim::Test { guid: test_id(10 + tan), date_of_birth: None, sealed: sealed() },
                    _ => Claim::Test {
                        guid: test_id(tan),
                        date_of_birth: Some(test_id(10 + self.below(4))),
                        sealed: sealed(),
                    },
                };
                Transition::Register(Box::new(NewSession {
                    claim,
                    retry: (self.below(2) == 0).then_some(retry),
                    expires_at: self.now.plus(21 * DAY),
                    ..super::session(session)
                }))
            }
            2 => Transition::Session(session),
            3 => {
                let kinds = [None, Some(TeleTanType::Test), Some(TeleTanType::Event)];
                Transition::IssueTeleTan(tan, kinds[self.below(3) as usize])
            }
            4..=7 => Transition::IssueTan(session),
            8..=11 => Transition::Reserve { session, tan, payload },
            12 | 13 => Transition::Confirm { session, tan, payload },
            14 => Transition::Release { session, tan, payload },
            15 | 16 => Transition::Consume { session, tan },
            17 | 18 => Transition::Record(session, self.below(10).into()),
            19 | 20 => Transition::ResultsOf(session, tan),
            _ => Transition::Purge,
        }
    }

    /// Mostly seconds, so that leases overlap; at times days, so that everything ends.
    fn advance(&mut self) {
        let seconds = match self.below(40) {
            0..=19 => 0,
            20..=34 => self.below(40).into(),
            35..=37 => u64::from(self.below(90)) * MINUTE,
            38 => DAY,
            _ => 15 * DAY,
        };
        self.now = self.now.plus(seconds);
    }

    /// SplitMix64: a history must be the same on every machine, and needs no randomness worth the name.
    fn below(&mut self, bound: u32) -> u32 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u32::try_from((z ^ (z >> 31)) % u64::from(bound)).unwrap()
    }
}
