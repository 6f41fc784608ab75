//! The story, chapter by chapter and step by step.

use cwa_crypto::schedule::ClockSkewEffect;
use cwa_crypto::{Day, UnixTime};
use cwa_export::batch::Hour;
use cwa_export::index::DistributionPath;
use cwa_risk::transmission::SymptomStatus;
use cwa_verify::fake::Intent;
use cwa_verify::message::RegistrationKey;
use cwa_verify::playbook::{Action, Failure as ActionFailure, RequestBody};
use cwa_verify::{Tan, TeleTan, TestResult};

use super::cut::CuttingRelay;
use super::download::{self, Download, Trust};
use super::officer::Officer;
use super::people::{Walk, Who, accepted, at, live_key, result_of, token_of};
use super::phone::Payload;
use super::radio::Encounter;
use super::search;
use super::story::{self, Mishap, Story, TourEnd, ensure};
use super::world::{CONFIGURATION, COUNTRY, OFFICER, THRESHOLD};
use crate::clock::system_time;

impl Walk {
    pub(super) async fn walk(&mut self, story: &mut Story<'_>) -> Result<(), TourEnd> {
        story.chapter("Two days before the test")?;
        self.two_days_before(story).await?;
        story.chapter("The day of the test: a positive result by QR code")?;
        let upload = self.positive_by_code(story).await?;
        self.tan_is_worth_one_upload(story, &upload).await?;
        story.chapter("The same day: positive without a QR code, and a phone that lost its token")?;
        self.positive_by_telephone(story).await?;
        story.chapter("The night after: the day's keys follow")?;
        self.day_keys_follow(story).await?;
        story.chapter("Two days later: the others")?;
        let newest_manifest = self.others_are_warned(story).await?;
        self.forgeries_are_refused(story, newest_manifest).await?;
        story.chapter("What the server knows")?;
        self.nothing_is_left_behind(story).await
    }

    async fn two_days_before(&mut self, story: &mut Story<'_>) -> Result<(), TourEnd> {
        story
            .step("a server starts, with SQLite and files, on four loopback sockets", async {
                let [external, internal] = [self.world.external, self.world.server.internal_addr()];
                let [portal, admin] = [self.world.server.portal_addr(), self.world.server.admin_addr()];
                let detail = format!(
                    "phones {external}, laboratory and servers {internal}, portal {portal}, operators {admin}\n\
                     publication threshold: {THRESHOLD} keys (the German server's is 140)"
                );
                Ok(((), detail))
            })
            .await?;
        story
            .step("every phone has made a new key at midnight UTC, for two weeks", async {
                let mut keys = 0;
                let phones = [&mut self.anna, &mut self.ben, &mut self.carla, &mut self.dora, &mut self.emil];
                for phone in phones {
                    for days_before in (2..=13).rev() {
                        let noon = at(self.day.minus(days_before), 12, 0);
                        phone.radio.schedule.live_key(noon, &mut phone.rng);
                    }
                    keys = phone.radio.schedule.keys().len();
                }
                Ok(((), format!("five phones hold {keys} keys each so far; nobody else knows them")))
            })
            .await?;
        self.pass_until(at(self.day.minus(2), 10, 10)).await.map_err(|mishap| mishap.into_end())?;
        story
            .step("the configuration, the index and its manifest are published, signed", async {
                let trust = Trust::pinned(&self.world.pinned_key)?;
                let configuration = trust.configuration(&self.world.fetch(CONFIGURATION).await?)?;
                let manifest = trust.manifest(&self.world.fetch(DistributionPath::Manifest).await?)?;
                let classes = &configuration.risk_score_classes.risk_classes;
                let classes: Vec<_> = classes.iter().map(|class| class.label.as_str()).collect();
                let detail = format!(
                    "configuration: 36 parameters, classes {}; manifest of {} files",
                    classes.join(" and "),
                    manifest.entries().count()
                );
                Ok(((), detail))
            })
            .await?;
        let close = Encounter { begin: at(self.day.minus(2), 10, 10), minutes: 25, attenuation_db: 50 };
        story
            .step("Anna and Ben sit side by side: 25 minutes at about 50 dB", async {
                let heard = close.happen(&mut self.anna.radio, &mut self.ben.radio, &mut self.world.rng)?;
                let first =
                    self.ben.radio.sightings.first().ok_or_else(|| Mishap("nothing was heard".to_owned()))?;
                Ok((
                    (),
                    format!(
                        "{heard} advertisements heard, the first by Ben: RPI {}, {} dBm",
                        first.rpi, first.rssi_dbm
                    ),
                ))
            })
            .await?;
        self.pass_until(at(self.day.minus(2), 15, 4)).await.map_err(|mishap| mishap.into_end())?;
        let far = Encounter { begin: at(self.day.minus(2), 15, 4), minutes: 7, attenuation_db: 70 };
        story
            .step("Carla and Dora wait at the same stop: 7 minutes at about 70 dB", async {
                let heard = far.happen(&mut self.carla.radio, &mut self.dora.radio, &mut self.world.rng)?;
                Ok(((), format!("{heard} advertisements heard")))
            })
            .await
    }

    async fn positive_by_code(&mut self, story: &mut Story<'_>) -> Result<Upload, TourEnd> {
        self.pass_until(at(self.day, 8, 0)).await.map_err(|mishap| mishap.into_end())?;
        let external = self.world.external;
        let guid = story
            .step("Anna scans the QR code of her test and gets a registration token", async {
                let guid = self.scan_test_code(Who::Anna)?;
                let outcome = self.register_test(Who::Anna, &guid).await?;
                ensure!(
                    result_of(&outcome)? == TestResult::Pending,
                    "a test without a result is not pending"
                );
                let detail =
                    "hashed GUID sent, token received; three requests were made, of which one registered";
                Ok((guid, detail.to_owned()))
            })
            .await?;
        let emils_guid = story
            .step("Emil does the same", async {
                let guid = self.scan_test_code(Who::Emil)?;
                self.register_test(Who::Emil, &guid).await?;
                Ok((guid, "his phone will forget the token".to_owned()))
            })
            .await?;
        self.pass_until(at(self.day, 10, 0)).await.map_err(|mishap| mishap.into_end())?;
        story
            .step("Anna's phone asks for the result: pending", async {
                let outcome = self.poll(Who::Anna).await?;
                ensure!(result_of(&outcome)? == TestResult::Pending, "the result is not pending");
                Ok(((), "polling; no push service learns of a test".to_owned()))
            })
            .await?;
        self.pass_until(at(self.day, 13, 30)).await.map_err(|mishap| mishap.into_end())?;
        story
            .step("the laboratory reports both results: positive", async {
                let refused = self.world.stranger_reports(&guid.hash()).await?;
                ensure!(refused == 401, "a stranger's report was answered {refused}");
                let answer =
                    self.world.laboratory_reports(&[(&guid.hash(), 2), (&emils_guid.hash(), 2)]).await?;
                ensure!(answer.status == 204, "the laboratory was answered {}", answer.status);
                Ok((
                    (),
                    "by hashed GUID, with the laboratory's token; without it the answer is 401".to_owned(),
                ))
            })
            .await?;
        self.pass_until(at(self.day, 14, 0)).await.map_err(|mishap| mishap.into_end())?;
        story
            .step("Anna's phone asks again: positive", async {
                let outcome = self.poll(Who::Anna).await?;
                ensure!(result_of(&outcome)? == TestResult::Positive, "the result is not positive");
                Ok(((), "shown only when she opens the app".to_owned()))
            })
            .await?;
        story
            .step("Anna consents: a TAN, and her past keys go up with transmission risk levels", async {
                let now = self.world.now();
                let payload = self.anna.release_past_keys(SymptomStatus::OnsetDaysAgo(2), now)?;
                let before = self.world.keys_stored().await?;
                let token = token_of(&self.anna)?;
                let outcome = self.anna.act(Action::Submit(token), external, Some(&payload)).await?;
                let tan = accepted(&outcome)?;
                let stored = self.world.keys_stored().await? - before;
                ensure!(
                    stored == payload.key_count as u64,
                    "{} keys sent, {stored} stored",
                    payload.key_count
                );
                self.day_keys.push(live_key(&mut self.anna, now));
                let detail = format!(
                    "{stored} keys stored; today's is still on air and stays on the phone until midnight"
                );
                Ok((Upload { tan, payload }, detail))
            })
            .await
    }

    async fn tan_is_worth_one_upload(
        &mut self,
        story: &mut Story<'_>,
        upload: &Upload,
    ) -> Result<(), TourEnd> {
        let external = self.world.external;
        story
            .step("the same TAN with other keys is refused, with the same keys it is answered again", async {
                let before = self.world.keys_stored().await?;
                let mut other = upload.payload.clone();
                let unknown = self.random_key();
                other.body = self.anna.payload(vec![unknown])?.body;
                let refused = self.anna.submit(external, Intent::Real, &upload.tan, Some(&other)).await?;
                ensure!(refused.status == 403, "other keys were answered {}", refused.status);
                let again =
                    self.anna.submit(external, Intent::Real, &upload.tan, Some(&upload.payload)).await?;
                ensure!(again.status == 200, "the same keys were answered {}", again.status);
                let after = self.world.keys_stored().await?;
                ensure!(before == after, "{} keys were stored twice", after - before);
                Ok(((), "403, then 200; no key stored twice".to_owned()))
            })
            .await
    }

    async fn positive_by_telephone(&mut self, story: &mut Story<'_>) -> Result<(), TourEnd> {
        self.pass_until(at(self.day, 15, 10)).await.map_err(|mishap| mishap.into_end())?;
        let tele_tan = story
            .step("a health officer signs in to the portal and reads out a teleTAN to Carla", async {
                let password = self.world.officer_password.expose();
                let mut officer =
                    Officer::sign_in(self.world.server.portal_addr(), OFFICER, password).await?;
                let shown = officer.issue_tele_tan().await?;
                self.carla.keeps_tele_tan(&shown.tele_tan);
                let detail =
                    format!("shown as {}, valid until {}", masked(&shown.grouped), shown.valid_until);
                Ok((shown.tele_tan, detail))
            })
            .await?;
        story
            .step("Carla mistypes it: the phone says why, the server answers its plain 400", async {
                let (mistyped, reason) = mistype(&tele_tan)?;
                let body = raw_registration(&mistyped);
                let answer = self
                    .carla
                    .client
                    .post(self.world.external, "/version/v1/registrationToken", &[JSON, REAL], body)
                    .await?;
                ensure!(answer.status == 400, "a mistyped teleTAN was answered {}", answer.status);
                ensure!(answer.body.len() == 250, "the refusal has {} bytes, not 250", answer.body.len());
                Ok(((), format!("phone: {reason}; server: 400, 250 bytes like every answer")))
            })
            .await?;
        story
            .step("typed right, it is worth a registration token, once", async {
                self.register_tele_tan(Who::Carla, &tele_tan).await?;
                let again = self.try_register_tele_tan(Who::Dora, &tele_tan).await?;
                ensure!(
                    again.failure == Some(ActionFailure::Refused { status: 400 }),
                    "a redeemed teleTAN was worth something to another phone"
                );
                Ok(((), "another phone that tries it gets a 400".to_owned()))
            })
            .await?;
        story
            .step("Carla's upload is cut off after the server stored it; repeated, it succeeds once", async {
                let now = self.world.now();
                let payload = self.carla.release_past_keys(SymptomStatus::OnsetInLastSevenDays, now)?;
                self.day_keys.push(live_key(&mut self.carla, now));
                let before = self.world.keys_stored().await?;
                let relay = CuttingRelay::before(self.world.external).await?;
                let relay_address = relay.address()?;
                let cutting = tokio::spawn(relay.cut_one());
                let token = token_of(&self.carla)?;
                let external = self.world.external;
                let action = Action::Submit(token);
                let lost = self.carla.act_through(action, external, relay_address, Some(&payload)).await?;
                let relayed = cutting.await??;
                ensure!(lost.failure == Some(ActionFailure::Unanswered), "the connection was not cut");
                let stored = self.world.keys_stored().await? - before;
                ensure!(
                    stored == payload.key_count as u64,
                    "{} keys sent, {stored} stored",
                    payload.key_count
                );
                let tan = lost.tan.ok_or_else(|| Mishap("there was no TAN".to_owned()))?;
                let again = self.carla.act(Action::SubmitAgain(tan), external, Some(&payload)).await?;
                accepted(&again)?;
                let twice = self.world.keys_stored().await? - before - stored;
                ensure!(twice == 0, "{twice} keys were stored twice");
                Ok((
                    (),
                    format!(
                        "{relayed} bytes sent, answer lost; repeated: 200; {stored} keys stored, none twice"
                    ),
                ))
            })
            .await?;
        self.pass_until(at(self.day, 16, 20)).await.map_err(|mishap| mishap.into_end())?;
        story
            .step(
                "Emil installed the app anew: his test cannot be registered twice, the hotline helps",
                async {
                    self.emil.reinstall();
                    let guid = self.emil.guid().ok_or_else(|| Mishap("Emil has no test".to_owned()))?;
                    let key = RegistrationKey::Test { guid: guid.hash(), date_of_birth: None };
                    let body = RequestBody::registration(&key, &mut self.emil.rng);
                    let again = self.emil.act(Action::Register(body), self.world.external, None).await?;
                    ensure!(
                        again.failure == Some(ActionFailure::Refused { status: 400 }),
                        "a test was worth a second registration token"
                    );
                    let password = self.world.officer_password.expose();
                    let mut hotline =
                        Officer::sign_in(self.world.server.portal_addr(), OFFICER, password).await?;
                    let shown = hotline.issue_tele_tan().await?;
                    self.emil.keeps_tele_tan(&shown.tele_tan);
                    self.register_tele_tan(Who::Emil, &shown.tele_tan).await?;
                    let now = self.world.now();
                    let payload = self.emil.release_past_keys(SymptomStatus::NoSymptoms, now)?;
                    self.day_keys.push(live_key(&mut self.emil, now));
                    let token = token_of(&self.emil)?;
                    let outcome =
                        self.emil.act(Action::Submit(token), self.world.external, Some(&payload)).await?;
                    accepted(&outcome)?;
                    Ok((
                        (),
                        format!(
                            "400 for the test; with the hotline's teleTAN {} keys went up",
                            payload.key_count
                        ),
                    ))
                },
            )
            .await
    }

    async fn day_keys_follow(&mut self, story: &mut Story<'_>) -> Result<(), TourEnd> {
        self.pass_until(at(self.day.next(), 0, 20)).await.map_err(|mishap| mishap.into_end())?;
        story
            .step("Anna's key of the day follows, with her second TAN", async {
                self.second_upload(Who::Anna).await?;
                Ok(((), "midnight has replaced the key: nobody can broadcast it as hers any more".to_owned()))
            })
            .await?;
        self.pass_until(at(self.day.next(), 4, 10)).await.map_err(|mishap| mishap.into_end())?;
        story
            .step("Carla's and Emil's keys of the day follow; a third TAN there is not", async {
                self.second_upload(Who::Carla).await?;
                self.second_upload(Who::Emil).await?;
                let token = token_of(&self.anna)?;
                let unknown = self.random_key();
                let payload = self.anna.payload(vec![unknown])?;
                let third = self.anna.act(Action::Submit(token), self.world.external, Some(&payload)).await?;
                ensure!(
                    third.failure == Some(ActionFailure::Refused { status: 400 }),
                    "a registration token was worth a third TAN"
                );
                Ok(((), "two TANs per registration token; the third is refused with 400".to_owned()))
            })
            .await?;
        story
            .step("one key alone is shifted: hour 03 is signed and empty", async {
                let hour = hour_of(self.day.next(), 3)?;
                let path = DistributionPath::HourPackage { country: COUNTRY, hour };
                let package = self.world.fetch(path).await?;
                let keys = Trust::pinned(&self.world.pinned_key)?.keys(&package)?;
                ensure!(keys.is_empty(), "hour 03 holds {} keys", keys.len());
                let running = self
                    .world
                    .look(DistributionPath::HourPackage { country: COUNTRY, hour: hour.next() })
                    .await?;
                ensure!(running.status == 404, "the running hour was answered {}", running.status);
                Ok(((), "Anna's single key waits for company; the running hour answers 404".to_owned()))
            })
            .await?;
        self.pass_until(at(self.day.next(), 5, 30)).await.map_err(|mishap| mishap.into_end())?;
        story
            .step("hour 04 holds the keys of the day, and no package held one before its time", async {
                let hours = DistributionPath::Hours { country: COUNTRY, day: self.day.next() };
                let hours = cwa_export::index::parse_hours(self.day.next(), &self.world.fetch(hours).await?)?;
                let listed: Vec<_> = hours.iter().map(|hour| hour.of_day()).collect();
                ensure!(listed == [4], "the index lists the hours {listed:?}");
                ensure!(self.day_keys.len() == 3, "{} keys of the day, not three", self.day_keys.len());
                let not_before = at(self.day.next(), 4, 0);
                for key in &self.day_keys {
                    let published = self.first_published.get(&key.key_data);
                    let published =
                        *published.ok_or_else(|| Mishap("a key of the day is in no package".to_owned()))?;
                    ensure!(published >= not_before, "a key was published at {}", published.as_secs());
                }
                Ok((
                    (),
                    "the index lists hour 04 only; the first package with such a key came at 05:00"
                        .to_owned(),
                ))
            })
            .await?;
        self.old_manifest =
            self.world.fetch(DistributionPath::Manifest).await.map_err(|mishap| mishap.into_end())?;
        self.pass_until(at(self.day.next().next(), 0, 0)).await.map_err(|mishap| mishap.into_end())?;
        story
            .step("the day's package appears at midnight; today's is not there yet", async {
                let package = |day| DistributionPath::DayPackage { country: COUNTRY, day };
                let keys = Trust::pinned(&self.world.pinned_key)?
                    .keys(&self.world.fetch(package(self.day.next())).await?)?;
                let today = self.world.look(package(self.day.next().next())).await?;
                ensure!(today.status == 404, "today's package was answered {}", today.status);
                ensure!(keys.len() == 3, "the day's package holds {} keys, not three", keys.len());
                Ok(((), format!("{} keys, in an order that tells nothing", keys.len())))
            })
            .await?;
        story
            .step("dummies changed nothing, and look like the rest", async {
                let stored = self.world.keys_stored().await?;
                let outcome = self.gina.act(Action::Dummy, self.world.external, None).await?;
                ensure!(outcome.failure.is_none(), "a dummy failed");
                ensure!(stored == self.world.keys_stored().await?, "a dummy stored keys");
                let phones = [&self.anna, &self.ben, &self.carla, &self.dora, &self.emil, &self.gina];
                let mut exchanges: Vec<_> = phones.iter().flat_map(|phone| phone.exchanges.iter().copied()).collect();
                let count = exchanges.len();
                exchanges.sort();
                exchanges.dedup();
                let sizes = |server| exchanges.iter().filter(move |exchange| exchange.server == server).count();
                ensure!(
                    sizes('V') == 1 && sizes('S') == 1,
                    "requests or answers differ in size: {exchanges:?}"
                );
                let times: Vec<_> = self.dummies.iter().map(|&at| story::when(self.day, at)).collect();
                Ok(((), format!(
                    "{count} requests of six phones have one size per server in each direction, real, fake or refused\n\
                     Gina's phone, which has nothing to report, acted at {}",
                    times.join(", ")
                )))
            })
            .await?;
        story
            .step(
                "a phone whose clock is three hours ahead would be told, from the date of an answer",
                async {
                    let answer = self.world.look(DistributionPath::Manifest).await?;
                    // A server dates its answers by the machine's clock, whatever day the tour plays: so does the phone here.
                    let machine = system_time();
                    let skew = |device| {
                        let skew = answer.clock_skew(device);
                        skew.ok_or_else(|| Mishap("the answer has no date".to_owned()))
                    };
                    let (right, wrong) = (skew(machine)?, skew(machine.plus(3 * 3600 + 60))?);
                    ensure!(right.effect() == ClockSkewEffect::None, "the machine's clock is {right}");
                    ensure!(
                        wrong.effect() == ClockSkewEffect::AllLost,
                        "a clock {wrong} loses {:?}",
                        wrong.effect()
                    );
                    Ok(((), format!("{wrong}: beyond two hours nothing that it sends or hears would match")))
                },
            )
            .await
    }

    /// The time of the newest manifest that a phone has seen.
    async fn others_are_warned(&mut self, story: &mut Story<'_>) -> Result<UnixTime, TourEnd> {
        let mut newest_manifest = UnixTime::default();
        let midnight = self.world.now();
        let (bens_time, doras_time) = (self.ben.plans_download(midnight), self.dora.plans_download(midnight));
        let mut plans = [(bens_time, Who::Ben), (doras_time, Who::Dora)];
        plans.sort_by_key(|(time, _)| *time);
        for (time, who) in plans {
            self.pass_until(time).await.map_err(|mishap| mishap.into_end())?;
            let (fetched, verdict) = match who {
                Who::Ben => {
                    ("Ben's phone downloads at its own minute and verifies what it got", "Ben is warned")
                }
                _ => (
                    "Dora's phone downloads at its own minute and verifies what it got",
                    "Dora is not warned",
                ),
            };
            let download = story
                .step(fetched, async {
                    let trust = Trust::pinned(&self.world.pinned_key)?;
                    let external = self.world.external;
                    let phone = self.phone(who);
                    let download = Download::of_everything(&phone.client, external, COUNTRY, &trust).await?;
                    let detail = format!(
                        "minute {} of the hour; manifest, indexes, configuration and {} packages with {} keys, \
                         all under the pinned key",
                        time.seconds_since(time.floor_hour()) / 60,
                        download.packages,
                        download.keys.len()
                    );
                    Ok((download, detail))
                })
                .await?;
            story
                .step(verdict, async {
                    let now = self.world.now();
                    let phone = self.phone(who);
                    let assessment = download.assess(&phone.radio.sightings, now, &mut phone.rng)?;
                    let class = assessment.class.as_deref().unwrap_or("none");
                    let expected = if who == Who::Ben { "HIGH" } else { "LOW" };
                    ensure!(class == expected, "the class is {class}, not {expected}");
                    ensure!(!assessment.matching.matches.is_empty(), "nothing matched");
                    Ok(((), download::reasons(&assessment)))
                })
                .await?;
            newest_manifest = newest_manifest.max(download.manifest_time);
        }
        Ok(newest_manifest)
    }

    async fn forgeries_are_refused(
        &mut self,
        story: &mut Story<'_>,
        newest_manifest: UnixTime,
    ) -> Result<(), TourEnd> {
        let trust = Trust::pinned(&self.world.pinned_key).map_err(|mishap| mishap.into_end())?;
        story
            .step("a package with one flipped bit is refused, and the error says why", async {
                let path = DistributionPath::DayPackage { country: COUNTRY, day: self.day };
                let package = self.world.fetch(path).await?;
                let why = trust.refuses_a_flipped_bit(&package)?;
                Ok(((), why))
            })
            .await?;
        story
            .step("yesterday's manifest is refused as old", async {
                let old = trust.manifest(&self.old_manifest)?;
                match old.check_not_older_than(newest_manifest) {
                    Ok(()) => Err(Mishap("an old manifest was accepted".to_owned())),
                    Err(error) => Ok(((), format!("its signature is right, but {error}"))),
                }
            })
            .await
    }

    async fn nothing_is_left_behind(&mut self, story: &mut Story<'_>) -> Result<(), TourEnd> {
        story
            .step("no client's address, token, TAN or GUID in the server's files, no key outside its table", async {
                let server = self.world.phones.with_file_name("server");
                std::fs::write(server.join("metrics.txt"), self.world.metrics_text().await?)?;
                let phones = self.world.phones.clone();
                let people =
                    [&mut self.anna, &mut self.ben, &mut self.carla, &mut self.dora, &mut self.emil, &mut self.gina];
                for phone in people {
                    phone.save(&phones)?;
                }
                let found = search::search(&phones, &server)?;
                ensure!(found.finds.is_empty(), "found: {}", found.finds.join("; "));
                let detail = format!(
                    "searched {} files ({} bytes) for {} values in their spellings, and {} tables for {} keys",
                    found.files, found.bytes, found.secrets, found.tables, found.keys
                );
                Ok(((), detail))
            })
            .await
    }
}

/// What was sent with which TAN.
struct Upload {
    tan: Tan,
    payload: Payload,
}

const JSON: (&str, &str) = ("content-type", "application/json");
const REAL: (&str, &str) = ("cwa-fake", "0");

fn hour_of(day: Day, of_day: u8) -> Result<Hour, Mishap> {
    Hour::of(day, of_day).ok_or_else(|| Mishap(format!("a day has no hour {of_day}")))
}

/// A teleTAN with one character changed so that the check character catches it, and what the phone says of it.
fn mistype(tele_tan: &str) -> Result<(String, String), Mishap> {
    // One typo in sixteen keeps the check character; then another one is tried.
    let candidates =
        TeleTan::ALPHABET.chars().map(|wrong| format!("{wrong}{}", tele_tan.get(1..).unwrap_or_default()));
    for candidate in candidates {
        if let Err(error) = TeleTan::parse(&candidate) {
            return Ok((candidate, error.to_string()));
        }
    }
    Err(Mishap("every first character gives a valid teleTAN".to_owned()))
}

/// A registration request whose key no well-behaved client would send, of the size of every request.
fn raw_registration(tele_tan: &str) -> String {
    let head = format!(r#"{{"key":"{tele_tan}","keyType":"TELETAN","requestPadding":""#);
    let padding = 250_usize.saturating_sub(head.len() + 2);
    format!("{head}{}\"}}", "0".repeat(padding))
}

/// Enough of a teleTAN to recognise it, and not enough to use it: what the tour prints may be kept by a terminal.
fn masked(grouped: &str) -> String {
    grouped.chars().enumerate().map(|(i, c)| if i < 3 || c == '-' { c } else { '•' }).collect()
}
