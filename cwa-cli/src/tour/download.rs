//! What a listening phone does: fetch, verify under the pinned key, match, score.

use core::fmt::Write as _;
use core::net::SocketAddr;

use cwa_crypto::matching::{ReceivedIdentifiers, Sighting, Split, StoreKey};
use cwa_crypto::rand_core::CryptoRng;
use cwa_crypto::{DiagnosisKey, UnixTime};
use cwa_export::archive::Archive;
use cwa_export::configuration::ConfigurationV1;
use cwa_export::index::{DistributionPath, Manifest, parse_countries, parse_days};
use cwa_export::verify::{UnverifiedContent, UnverifiedExport};
use cwa_export::{Country, TrustStore, TrustedKey};

use super::story::{Mishap, ensure};
use crate::client::Client;
use crate::pipeline::{Assessment, assess};
use crate::risk::RiskConfiguration;

/// The one key that the app was built with.
#[derive(Debug)]
pub(super) struct Trust(TrustStore);

impl Trust {
    /// Trusts the public key in `pem`, and no other.
    pub(super) fn pinned(pem: &str) -> Result<Self, Mishap> {
        let mut store = TrustStore::empty();
        store.insert(TrustedKey::from_pem("pinned-key", pem)?);
        Ok(Self(store))
    }

    /// The keys of a package, if it verifies.
    pub(super) fn keys(&self, package: &[u8]) -> Result<Vec<DiagnosisKey>, Mishap> {
        let archive = Archive::read(package)?;
        let export = UnverifiedExport::parse(archive.export_bin(), archive.export_sig())?.verify(&self.0)?;
        Ok(export.keys().collect())
    }

    /// The configuration in a signed archive, if it verifies.
    pub(super) fn configuration(&self, archive: &[u8]) -> Result<ConfigurationV1, Mishap> {
        let archive = Archive::read(archive)?;
        let content =
            UnverifiedContent::parse(archive.export_bin(), archive.export_sig())?.verify(&self.0)?;
        Ok(ConfigurationV1::decode(content.bytes())?)
    }

    /// The manifest in a signed archive, if it verifies.
    pub(super) fn manifest(&self, archive: &[u8]) -> Result<Manifest, Mishap> {
        let archive = Archive::read(archive)?;
        let content =
            UnverifiedContent::parse(archive.export_bin(), archive.export_sig())?.verify(&self.0)?;
        Ok(Manifest::from_json(content.bytes())?)
    }

    /// Flips bits of a package, one at a time: in the archive as it travels, and in the key data as somebody would who
    /// can write archives. Says with which errors they were refused.
    pub(super) fn refuses_a_flipped_bit(&self, package: &[u8]) -> Result<String, Mishap> {
        let mut travelled = package.to_vec();
        let middle = travelled.len() / 2;
        if let Some(byte) = travelled.get_mut(middle) {
            *byte ^= 1;
        }
        let in_archive = match self.keys(&travelled) {
            Ok(_) => return Err(Mishap("a flipped bit in the archive was not noticed".to_owned())),
            Err(Mishap(why)) => why,
        };
        let archive = Archive::read(package)?;
        let mut export_bin = archive.export_bin().to_vec();
        if let Some(byte) = export_bin.last_mut() {
            *byte ^= 1;
        }
        let forged = cwa_export::archive::write(&export_bin, archive.export_sig())?;
        match self.keys(&forged) {
            Ok(_) => Err(Mishap("a flipped bit in export.bin was not noticed".to_owned())),
            Err(Mishap(why)) => Ok(format!("in the archive: {in_archive}\nin export.bin: {why}")),
        }
    }
}

/// Everything a phone fetched, verified.
#[derive(Debug)]
pub(super) struct Download {
    pub(super) keys: Vec<DiagnosisKey>,
    pub(super) packages: usize,
    configuration: RiskConfiguration,
    /// When the manifest was made; the next one must not be older.
    pub(super) manifest_time: UnixTime,
}

impl Download {
    /// Fetches the manifest, the indexes, the configuration and every day's package, and holds each against the manifest.
    pub(super) async fn of_everything(
        client: &Client,
        server: SocketAddr,
        country: Country,
        trust: &Trust,
    ) -> Result<Self, Mishap> {
        let fetch = async |path: DistributionPath| -> Result<Vec<u8>, Mishap> {
            let answer = client.get(server, &format!("/{path}")).await?;
            ensure!(answer.status == 200, "{path} answered {}", answer.status);
            Ok(answer.body.to_vec())
        };
        let manifest = trust.manifest(&fetch(DistributionPath::Manifest).await?)?;
        // Indexes are not signed by themselves; the manifest vouches for them.
        let vouched = async |path: DistributionPath| -> Result<Vec<u8>, Mishap> {
            let content = fetch(path).await?;
            manifest.check(path, &content)?;
            Ok(content)
        };
        let countries = parse_countries(&vouched(DistributionPath::Countries).await?)?;
        ensure!(countries.contains(&country), "the index of countries lacks {country}");
        let configuration =
            trust.configuration(&vouched(DistributionPath::Configuration { country }).await?)?;
        let days = parse_days(&vouched(DistributionPath::Dates { country }).await?)?;
        let mut keys = Vec::new();
        for &day in &days {
            keys.extend(trust.keys(&vouched(DistributionPath::DayPackage { country, day }).await?)?);
        }
        Ok(Self {
            keys,
            packages: days.len(),
            configuration: RiskConfiguration::try_from(&configuration)?,
            manifest_time: manifest.generated_at(),
        })
    }

    /// Matches the keys with what the phone heard, and scores.
    pub(super) fn assess(
        &self,
        sightings: &[Sighting],
        now: UnixTime,
        rng: &mut impl CryptoRng,
    ) -> Result<Assessment, Mishap> {
        let store_key = StoreKey::generate(rng);
        let received = ReceivedIdentifiers::build(sightings.iter().copied(), Split::Whole, &store_key);
        Ok(assess(self.keys.iter().copied(), &received, &self.configuration, now)?)
    }
}

/// Why the verdict is what it is: each exposure, its factors, and the combined score.
pub(super) fn reasons(assessment: &Assessment) -> String {
    let mut text = String::new();
    let matches = assessment.matching.matches.len();
    let _ = writeln!(text, "{matches} sightings match {} published key", assessment.exposures.len());
    for (key, exposures) in &assessment.exposures {
        for scored in &exposures.exposures {
            let _ = writeln!(
                text,
                "key {}…: {} minutes, {} dB, {} days ago, level {}: score {}",
                hex::encode(key.key_data).get(..8).unwrap_or_default(),
                scored.exposure.duration_seconds() / 60,
                scored.exposure.attenuation().db(),
                exposures.days_since_exposure,
                exposures.transmission_risk_level,
                scored.risk.score()
            );
            for step in scored.risk.steps() {
                let _ = writeln!(text, "  {step}");
            }
        }
    }
    for step in assessment.combined.steps() {
        let _ = writeln!(text, "  {step}");
    }
    let class = assessment.class.as_deref().unwrap_or("none");
    let _ = write!(text, "combined score {}: class {class}", assessment.combined.score());
    text
}
