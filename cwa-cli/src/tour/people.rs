//! The story's people, and what each of them can do.

use std::collections::BTreeMap;

use cwa_crypto::{Day, DiagnosisKey, ENIntervalNumber, RollingPeriod, TransmitPower, UnixTime};
use cwa_export::index::DistributionPath;
use cwa_verify::message::{RegistrationKey, TestResultAnswer};
use cwa_verify::playbook::{Action, Outcome, RequestBody};
use cwa_verify::qr::PcrTestCode;
use cwa_verify::{Guid, RegistrationToken, Tan, TeleTan, TestResult};
use rand::Rng as _;

use super::download::Trust;
use super::phone::Phone;
use super::story::{Mishap, ensure};
use super::world::World;

/// The story's people and what they hold on to, from one step to the next.
pub(super) struct Walk {
    pub(super) world: World,
    pub(super) day: Day,
    pub(super) anna: Phone,
    pub(super) ben: Phone,
    pub(super) carla: Phone,
    pub(super) dora: Phone,
    pub(super) emil: Phone,
    pub(super) gina: Phone,
    /// When a key was first in a package that anybody could fetch.
    pub(super) first_published: BTreeMap<[u8; 16], UnixTime>,
    /// Keys that were on air on the day of the upload.
    pub(super) day_keys: Vec<DiagnosisKey>,
    /// Dummy actions of the phone that has nothing to report, by the time of each.
    pub(super) dummies: Vec<UnixTime>,
    pub(super) old_manifest: Vec<u8>,
}

impl Walk {
    pub(super) fn new(mut world: World, day: Day) -> Self {
        let begin = world.now();
        let mut phone = |name, number| Phone::new(name, number, TRANSMIT_POWER, begin, world.fork_rng());
        let (anna, ben, carla) = (phone("Anna", 1), phone("Ben", 2), phone("Carla", 3));
        let (dora, emil, gina) = (phone("Dora", 4), phone("Emil", 5), phone("Gina", 6));
        Self {
            world,
            day,
            anna,
            ben,
            carla,
            dora,
            emil,
            gina,
            first_published: BTreeMap::new(),
            day_keys: Vec::new(),
            dummies: Vec::new(),
            old_manifest: Vec::new(),
        }
    }

    /// Lets time pass: closes every hour on the way, looks at what was published, and lets Gina's phone do its part.
    pub(super) async fn pass_until(&mut self, time: UnixTime) -> Result<(), Mishap> {
        let trust = Trust::pinned(&self.world.pinned_key)?;
        let mut hour_end = self.world.now().floor_hour().plus(3600);
        while hour_end <= time {
            for publication in self.world.close_hour(hour_end).await? {
                let path: DistributionPath = publication.path.parse()?;
                let is_package = matches!(
                    path,
                    DistributionPath::DayPackage { .. } | DistributionPath::HourPackage { .. }
                );
                if is_package && publication.key_count > 0 {
                    for key in trust.keys(&self.world.fetch(path).await?)? {
                        self.first_published.entry(key.key_data).or_insert(hour_end);
                    }
                }
            }
            for phone in [&mut self.anna, &mut self.ben, &mut self.carla, &mut self.dora, &mut self.emil] {
                phone.radio.schedule.live_key(hour_end, &mut phone.rng);
            }
            while self.gina.background.tick(hour_end, &mut self.gina.rng).is_some() {
                self.gina.act(Action::Dummy, self.world.external, None).await?;
                self.dummies.push(hour_end);
            }
            hour_end = hour_end.plus(3600);
        }
        self.world.clock.set(time)?;
        Ok(())
    }

    pub(super) fn phone(&mut self, who: Who) -> &mut Phone {
        match who {
            Who::Anna => &mut self.anna,
            Who::Ben => &mut self.ben,
            Who::Carla => &mut self.carla,
            Who::Dora => &mut self.dora,
            Who::Emil => &mut self.emil,
        }
    }

    /// The QR code of a new test, as the phone's camera reads it.
    pub(super) fn scan_test_code(&mut self, who: Who) -> Result<Guid, Mishap> {
        let mut bytes = [0; 19];
        self.world.rng.fill_bytes(&mut bytes);
        let hex = hex::encode(bytes);
        let part = |from, to| hex.get(from..to).unwrap_or_default();
        // Six digits of the laboratory's stack of codes, then the digits of a UUID.
        let parts = [part(0, 6), part(6, 14), part(14, 18), part(18, 22), part(22, 26), part(26, 38)];
        let url = format!("{}{}", PcrTestCode::PREFIX, parts.join("-").to_uppercase());
        let guid = PcrTestCode::parse(&url)?.guid().clone();
        self.phone(who).keeps_guid(&guid);
        Ok(guid)
    }

    pub(super) async fn register_test(&mut self, who: Who, guid: &Guid) -> Result<Outcome, Mishap> {
        let key = RegistrationKey::Test { guid: guid.hash(), date_of_birth: None };
        succeeded(self.register(who, &key).await?)
    }

    pub(super) async fn register_tele_tan(&mut self, who: Who, tele_tan: &str) -> Result<Outcome, Mishap> {
        let outcome = succeeded(self.try_register_tele_tan(who, tele_tan).await?)?;
        ensure!(result_of(&outcome)? == TestResult::Positive, "a teleTAN is for a positive test");
        Ok(outcome)
    }

    pub(super) async fn try_register_tele_tan(
        &mut self,
        who: Who,
        tele_tan: &str,
    ) -> Result<Outcome, Mishap> {
        self.register(who, &RegistrationKey::TeleTan(TeleTan::parse(tele_tan)?)).await
    }

    async fn register(&mut self, who: Who, key: &RegistrationKey) -> Result<Outcome, Mishap> {
        let external = self.world.external;
        let phone = self.phone(who);
        let body = RequestBody::registration(key, &mut phone.rng);
        phone.act(Action::Register(body), external, None).await
    }

    pub(super) async fn poll(&mut self, who: Who) -> Result<Outcome, Mishap> {
        let external = self.world.external;
        let phone = self.phone(who);
        let token = token_of(phone)?;
        succeeded(phone.act(Action::Poll(token), external, None).await?)
    }

    pub(super) async fn second_upload(&mut self, who: Who) -> Result<(), Mishap> {
        let (external, now) = (self.world.external, self.world.now());
        let phone = self.phone(who);
        let payload = phone.release_day_key(now)?;
        ensure!(payload.key_count == 1, "{} keys of the day, not one", payload.key_count);
        let token = token_of(phone)?;
        let outcome = phone.act(Action::Submit(token), external, Some(&payload)).await?;
        accepted(&outcome)?;
        Ok(())
    }

    /// A key that was never on air.
    pub(super) fn random_key(&mut self) -> DiagnosisKey {
        let mut key_data = [0; 16];
        self.world.rng.fill_bytes(&mut key_data);
        let start = ENIntervalNumber::at(self.day.minus(1).start());
        DiagnosisKey::new(key_data, start, RollingPeriod::FULL_DAY)
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Who {
    Anna,
    Ben,
    Carla,
    Dora,
    Emil,
}

/// Of all phones: a typical one.
const TRANSMIT_POWER: TransmitPower = match TransmitPower::from_dbm(-12) {
    Ok(power) => power,
    Err(_) => panic!("-12 dBm is a transmit power"),
};

pub(super) fn at(day: Day, hour: u64, minute: u64) -> UnixTime {
    day.start().plus(hour * 3600 + minute * 60)
}

/// The key that is on air, as it will be published.
pub(super) fn live_key(phone: &mut Phone, now: UnixTime) -> DiagnosisKey {
    let live = phone.radio.schedule.live_key(now, &mut phone.rng);
    DiagnosisKey::new(*live.key.expose_bytes(), live.rolling_start_interval_number, live.rolling_period)
}

pub(super) fn token_of(phone: &Phone) -> Result<RegistrationToken, Mishap> {
    phone
        .registration_token
        .clone()
        .ok_or_else(|| Mishap(format!("{} has no registration token", phone.name)))
}

fn succeeded(outcome: Outcome) -> Result<Outcome, Mishap> {
    match outcome.failure {
        None => Ok(outcome),
        Some(failure) => Err(Mishap(failure.to_string())),
    }
}

pub(super) fn result_of(outcome: &Outcome) -> Result<TestResult, Mishap> {
    let answer: Option<&TestResultAnswer> = outcome.test_result.as_ref();
    answer.map(|answer| answer.result).ok_or_else(|| Mishap("no test result came back".to_owned()))
}

/// The TAN of a submission that was accepted.
pub(super) fn accepted(outcome: &Outcome) -> Result<Tan, Mishap> {
    if let Some(failure) = &outcome.failure {
        return Err(Mishap(failure.to_string()));
    }
    ensure!(
        outcome.submission_status == Some(200),
        "the submission was answered {:?}",
        outcome.submission_status
    );
    outcome.tan.clone().ok_or_else(|| Mishap("there was no TAN".to_owned()))
}
