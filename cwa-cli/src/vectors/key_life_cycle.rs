//! Histories of a phone's keys: what is live, what is handed over, and what is refused.

use cwa_crypto::schedule::{ConsentError, DayKeyError, SameDayPolicy};
use cwa_crypto::{DiagnosisKey, KeySchedule, UnixTime};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::{Map, Value, json};

use super::{Problem, member, same};

pub(super) fn run(input: &Value, expected: &Value) -> Result<(), Problem> {
    let policy = match member::<String>(input, "policy")?.as_str() {
        "after_midnight" => SameDayPolicy::AfterMidnight,
        "retire_early" => SameDayPolicy::RetireEarly,
        other => return Err(Problem::Wrong(format!("there is no policy \"{other}\""))),
    };
    let events: Vec<Value> = member(input, "events")?;
    let expected: Vec<Value> = member(expected, "answers")?;
    same("number of answers", &events.len(), &expected.len())?;
    let mut phone =
        Phone { schedule: KeySchedule::new(policy), rng: StdRng::seed_from_u64(0), mentioned: Vec::new() };
    for (number, (event, expected)) in events.iter().zip(&expected).enumerate() {
        let now = UnixTime::from_secs(member(event, "at")?);
        let what: String = member(event, "do")?;
        let answer = phone.answer(&what, now)?;
        same(&format!("event {number}, {what}"), &answer, expected)?;
    }
    Ok(())
}

struct Phone {
    schedule: KeySchedule,
    rng: StdRng,
    /// Keys are numbered in the order in which answers mention them: how many an implementation makes in advance is its
    /// own affair.
    mentioned: Vec<[u8; 16]>,
}

impl Phone {
    fn answer(&mut self, what: &str, now: UnixTime) -> Result<Value, Problem> {
        Ok(match what {
            "live" => {
                let key = self.schedule.live_key(now, &mut self.rng);
                let (start, period) = (key.rolling_start_interval_number, key.rolling_period);
                self.told(&DiagnosisKey::new(*key.key.expose_bytes(), start, period)).into()
            }
            "consent" => {
                self.schedule.give_consent(now);
                json!({ "expires_at": self.schedule.consent().expires_at().map(UnixTime::as_secs) })
            }
            "withdraw" => {
                self.schedule.withdraw_consent();
                json!({})
            }
            "restart" => {
                let phone = &self.schedule;
                let keys = phone.keys().to_vec();
                self.schedule =
                    KeySchedule::restore(phone.policy(), keys, phone.released_on(), phone.consent());
                json!({})
            }
            "release" => match self.schedule.release(now, &mut self.rng) {
                Ok(release) => {
                    let keys = self.handed_over(&release.keys);
                    json!({ "keys": keys, "day_key_at": release.day_key_at.map(UnixTime::as_secs) })
                }
                Err(reason) => json!({ "refused": of_consent(reason)? }),
            },
            "release_day_key" => match self.schedule.release_day_key(now) {
                Ok(keys) => json!({ "keys": self.handed_over(&keys) }),
                Err(DayKeyError::Consent(reason)) => json!({ "refused": of_consent(reason)? }),
                Err(DayKeyError::NothingPending) => json!({ "refused": "nothing_pending" }),
                Err(DayKeyError::StillLive { until }) => {
                    json!({ "refused": "still_live", "until": until.as_secs() })
                }
                Err(DayKeyError::Forgotten { .. }) => json!({ "refused": "forgotten" }),
                Err(other) => return Err(Problem::Wrong(other.to_string())),
            },
            other => return Err(Problem::Wrong(format!("there is no event \"{other}\""))),
        })
    }

    fn handed_over(&mut self, keys: &[DiagnosisKey]) -> Vec<Value> {
        keys.iter()
            .map(|key| {
                let mut told = self.told(key);
                told.insert("embargo_end".to_owned(), json!(key.embargo_end().as_secs()));
                told.into()
            })
            .collect()
    }

    fn told(&mut self, key: &DiagnosisKey) -> Map<String, Value> {
        let known = self.mentioned.iter().position(|mentioned| *mentioned == key.key_data);
        let number = known.unwrap_or(self.mentioned.len());
        if known.is_none() {
            self.mentioned.push(key.key_data);
        }
        let members = [
            ("key", json!(number)),
            ("rolling_start_interval_number", json!(key.rolling_start_interval_number.get())),
            ("rolling_period", json!(key.rolling_period.get())),
        ];
        members.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
    }
}

fn of_consent(reason: ConsentError) -> Result<&'static str, Problem> {
    match reason {
        ConsentError::NotGiven => Ok("consent_not_given"),
        ConsentError::Expired { .. } => Ok("consent_expired"),
        ConsentError::Withdrawn => Ok("consent_withdrawn"),
        other => Err(Problem::Wrong(other.to_string())),
    }
}
