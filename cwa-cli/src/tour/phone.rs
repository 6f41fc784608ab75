//! One person's phone: the framework's radio, the app, and what the app keeps.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::fs;
use std::path::Path;

use cwa_crypto::schedule::SameDayPolicy;
use cwa_crypto::{DiagnosisKey, KeySchedule, TransmitPower, UnixTime};
use cwa_export::submission::Submission;
use cwa_risk::transmission::SymptomStatus;
use cwa_verify::fake::Intent;
use cwa_verify::playbook::{Action, BackgroundSchedule, Outcome, Playbook, Received, Request};
use cwa_verify::{Guid, RegistrationToken, Tan};
use rand::rngs::StdRng;
use serde::Serialize;

use super::radio::Radio;
use super::story::Mishap;
use crate::client::Client;

/// A phone and its app.
#[derive(Debug)]
pub(super) struct Phone {
    pub(super) name: &'static str,
    pub(super) client: Client,
    pub(super) radio: Radio,
    pub(super) rng: StdRng,
    pub(super) background: BackgroundSchedule,
    pub(super) registration_token: Option<RegistrationToken>,
    /// When the keys went up, and what was said of symptoms then.
    pub(super) uploaded: Option<(UnixTime, SymptomStatus)>,
    pub(super) exchanges: Vec<Exchange>,
    guid: Option<Guid>,
    keepsakes: Keepsakes,
}

/// A request and its answer, as somebody sees them who watches the line: who was asked, and how much went which way.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Exchange {
    /// `V` or `S`: verification or submission server.
    pub(super) server: char,
    pub(super) request_bytes: usize,
    pub(super) answer_bytes: usize,
    pub(super) answer_header_bytes: usize,
}

/// What the app stores. Written beside the phone's sightings, never to the server's directory; who looks for secrets in
/// the server's data finds here what to look for.
#[derive(Debug, Default, Serialize)]
struct Keepsakes {
    name: &'static str,
    address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    guid: Option<String>,
    registration_tokens: Vec<String>,
    tele_tans: Vec<String>,
    tans: Vec<String>,
    keys: Vec<StoredKey>,
}

#[derive(Debug, Serialize)]
struct StoredKey {
    key_data: String,
    rolling_start_interval_number: u32,
    rolling_period: u8,
    handed_over: bool,
}

/// A sighting as `cwa match --sightings` reads it.
#[derive(Serialize)]
struct SightingLine {
    rpi: String,
    aem: String,
    rssi_dbm: i8,
    seen_at: UnixTime,
}

/// What a phone sends as keys: the bytes of the body, kept until the upload has been answered.
#[derive(Clone, Debug)]
pub(super) struct Payload {
    pub(super) body: Vec<u8>,
    pub(super) key_count: usize,
}

impl Phone {
    pub(super) fn new(
        name: &'static str,
        number: u8,
        transmit_power: TransmitPower,
        now: UnixTime,
        mut rng: StdRng,
    ) -> Self {
        let address = IpAddr::from(Ipv4Addr::new(127, 9, 1, number));
        Self {
            name,
            client: Client::from_address(address),
            radio: Radio::new(KeySchedule::new(SameDayPolicy::AfterMidnight), transmit_power),
            background: BackgroundSchedule::new(now, &mut rng),
            rng,
            registration_token: None,
            uploaded: None,
            exchanges: Vec::new(),
            guid: None,
            keepsakes: Keepsakes { name, address: address.to_string(), ..Keepsakes::default() },
        }
    }

    /// Scanned the QR code of a test.
    pub(super) fn keeps_guid(&mut self, guid: &Guid) {
        self.keepsakes.guid = Some(guid.expose_text().to_owned());
        self.guid = Some(guid.clone());
    }

    /// The test that the person has the paper of, whatever the app remembers.
    pub(super) fn guid(&self) -> Option<Guid> {
        self.guid.clone()
    }

    /// Was told a teleTAN.
    pub(super) fn keeps_tele_tan(&mut self, tele_tan: &str) {
        self.keepsakes.tele_tans.push(tele_tan.to_owned());
    }

    /// Loses what the app had stored, as when it is deleted and installed again. The framework's keys stay.
    pub(super) fn reinstall(&mut self) {
        self.registration_token = None;
    }

    /// Does one action as the playbook has it: three requests, of which an onlooker cannot tell which are meant.
    pub(super) async fn act(
        &mut self,
        action: Action,
        server: SocketAddr,
        payload: Option<&Payload>,
    ) -> Result<Outcome, Mishap> {
        self.act_through(action, server, server, payload).await
    }

    /// The same with another way to the submission server.
    pub(super) async fn act_through(
        &mut self,
        action: Action,
        verification: SocketAddr,
        submission: SocketAddr,
        payload: Option<&Payload>,
    ) -> Result<Outcome, Mishap> {
        let mut playbook = Playbook::new(action);
        while let Some(request) = playbook.next(&mut self.rng) {
            let answer = match &request {
                Request::Verification { endpoint, intent, body } => {
                    let padding = "0".repeat(endpoint.header_padding_length());
                    let headers = [
                        ("content-type", "application/json"),
                        ("cwa-fake", intent.header()),
                        ("cwa-header-padding", padding.as_str()),
                    ];
                    let sent = body.expose_bytes().to_vec();
                    self.exchange('V', verification, endpoint.path(), &headers, sent).await
                }
                Request::Submission { intent, tan } => {
                    let to = if *intent == Intent::Real { submission } else { verification };
                    self.submit(to, *intent, tan, payload).await
                }
            };
            match &answer {
                Ok(answer) => {
                    playbook.received(Received::Answer { status: answer.status.as_u16(), body: &answer.body })
                }
                Err(_) => playbook.received(Received::Nothing),
            }
        }
        let outcome = playbook.outcome();
        if let Some(token) = &outcome.registration_token {
            self.keepsakes.registration_tokens.push(token.expose_text().to_string());
            self.registration_token = Some(token.clone());
        }
        if let Some(tan) = &outcome.tan {
            self.keepsakes.tans.push(tan.expose_text().to_string());
        }
        Ok(outcome)
    }

    /// Sends one submission, outside of any playbook.
    pub(super) async fn submit(
        &mut self,
        to: SocketAddr,
        intent: Intent,
        tan: &Tan,
        payload: Option<&Payload>,
    ) -> Result<crate::client::Answer, crate::client::ClientError> {
        let body = match (intent, payload) {
            (Intent::Real, Some(payload)) => payload.body.clone(),
            // The size is the one all submissions have, so that the padding always fits.
            _ => Submission::fake(Submission::PADDED_SIZE, &mut self.rng).unwrap_or_default(),
        };
        let tan = tan.expose_text();
        let headers = [
            ("content-type", "application/x-protobuf"),
            ("cwa-fake", intent.header()),
            ("cwa-authorization", tan.as_str()),
            ("cwa-header-padding", ""),
        ];
        self.exchange('S', to, "/version/v1/diagnosis-keys", &headers, body).await
    }

    async fn exchange(
        &mut self,
        server: char,
        to: SocketAddr,
        path: &str,
        headers: &[(&'static str, &str)],
        body: Vec<u8>,
    ) -> Result<crate::client::Answer, crate::client::ClientError> {
        // A header's name, colon, space, value and line end; the path stands in the request line.
        let header_bytes: usize = headers.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
        let request_bytes = path.len() + header_bytes + body.len();
        let answer = self.client.post(to, path, headers, body).await?;
        let answer_header_bytes =
            answer.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
        self.exchanges.push(Exchange {
            server,
            request_bytes,
            answer_bytes: answer.body.len(),
            answer_header_bytes,
        });
        Ok(answer)
    }

    /// The owner consents, and the past days' keys, each with the level of its day, become a body. The key of the day
    /// follows within 24 hours, without another question.
    pub(super) fn release_past_keys(
        &mut self,
        status: SymptomStatus,
        now: UnixTime,
    ) -> Result<Payload, Mishap> {
        self.radio.schedule.give_consent(now);
        let release = self.radio.schedule.release(now, &mut self.rng)?;
        self.uploaded = Some((now, status));
        self.payload(release.keys)
    }

    /// The key of the day of the upload, once midnight has replaced it.
    pub(super) fn release_day_key(&mut self, now: UnixTime) -> Result<Payload, Mishap> {
        let keys = self.radio.schedule.release_day_key(now)?;
        self.payload(keys)
    }

    /// Keys with transmission risk levels, padded to the size that every submission has.
    pub(super) fn payload(&mut self, keys: Vec<DiagnosisKey>) -> Result<Payload, Mishap> {
        let (at, status) =
            self.uploaded.ok_or_else(|| Mishap("keys were asked for before there was consent".to_owned()))?;
        let keys: Vec<_> = keys
            .into_iter()
            .map(|mut key| {
                let days_ago =
                    at.day().get().saturating_sub(key.rolling_start_interval_number.start().day().get());
                key.transmission_risk_level = status.level_of_key(days_ago);
                key
            })
            .collect();
        let key_count = keys.len();
        let body = Submission::new(keys).encode_padded(Submission::PADDED_SIZE, &mut self.rng)?;
        Ok(Payload { body, key_count })
    }

    /// When this phone downloads next: at the beginning of the next hour at the earliest, and at any second of it with
    /// equal probability, so that not all phones come at once (solution architecture, "Data transfer and data processing").
    pub(super) fn plans_download(&mut self, now: UnixTime) -> UnixTime {
        use rand::RngExt as _;
        let next_hour = now.floor_hour().plus(3600);
        next_hour.plus(self.rng.random_range(0..3600))
    }

    /// Writes what phone and app keep to `directory`: `app.json`, and `sightings.jsonl` as `cwa match` reads it.
    pub(super) fn save(&mut self, directory: &Path) -> Result<(), Mishap> {
        let directory = directory.join(self.name.to_lowercase());
        fs::create_dir_all(&directory)?;
        self.keepsakes.keys = self
            .radio
            .schedule
            .keys()
            .iter()
            .map(|scheduled| StoredKey {
                key_data: hex::encode(scheduled.key.expose_bytes()),
                rolling_start_interval_number: scheduled.rolling_start_interval_number.get(),
                rolling_period: scheduled.rolling_period.get(),
                handed_over: scheduled.handed_over,
            })
            .collect();
        fs::write(directory.join("app.json"), serde_json::to_vec_pretty(&self.keepsakes)?)?;
        let mut lines = Vec::new();
        for sighting in &self.radio.sightings {
            let line = SightingLine {
                rpi: hex::encode(sighting.rpi.as_bytes()),
                aem: hex::encode(sighting.aem.as_bytes()),
                rssi_dbm: sighting.rssi_dbm,
                seen_at: sighting.seen_at,
            };
            serde_json::to_writer(&mut lines, &line)?;
            lines.push(b'\n');
        }
        fs::write(directory.join("sightings.jsonl"), lines)?;
        Ok(())
    }
}
