//! What is read and made: the largest package that the issue of speed is about.

use cwa_crypto::{
    DaysSinceOnsetOfSymptoms, ENIntervalNumber, ReportType, RollingPeriod, TransmissionRiskLevel, UnixTime,
};
use cwa_export::p256::ecdsa::SigningKey;
use cwa_export::{ExportKey, SignatureInfo, SoftwareSigner, TrustStore, TrustedKey};
use rand::rngs::StdRng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};

/// The end of the keys' last day.
pub(crate) const END: UnixTime = UnixTime::from_secs(1_595_376_000);

pub(crate) fn signer() -> SoftwareSigner {
    let info = SignatureInfo::new("262", "v1").with_app_bundle_id("org.example.en");
    SoftwareSigner::new(SigningKey::from_slice(&[7; 32]).unwrap(), info)
}

pub(crate) fn trusted() -> TrustStore {
    [TrustedKey::given("benchmark", *signer().verifying_key())].into_iter().collect()
}

/// Keys of 14 days that say everything that keys can say, in no order; 34 bytes each in a file.
pub(crate) fn keys(seed: u64, count: usize) -> Vec<ExportKey> {
    let mut rng = StdRng::seed_from_u64(seed);
    (0..count)
        .map(|_| {
            let mut data = [0; 16];
            rng.fill_bytes(&mut data);
            let mut key = ExportKey::new(data);
            let day = END.minus(86_400 * rng.random_range(1..15));
            key.rolling_start_interval_number = Some(ENIntervalNumber::at(day));
            key.rolling_period = Some(RollingPeriod::FULL_DAY);
            key.transmission_risk_level = TransmissionRiskLevel::try_from(rng.random_range(1..=8_i64)).ok();
            key.report_type = Some(ReportType::ConfirmedTest);
            key.days_since_onset_of_symptoms =
                DaysSinceOnsetOfSymptoms::try_from(rng.random_range(-14..=14_i64)).ok();
            key
        })
        .collect()
}
