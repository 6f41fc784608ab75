//! Uploads of keys.
#![no_main]

use cwa_crypto::UnixTime;
use cwa_export::submission::{Submission, SubmissionPolicy};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let now = UnixTime::from_secs(1_595_426_400);
    for policy in [SubmissionPolicy::cwa(), SubmissionPolicy::framework()] {
        let Ok(accepted) = Submission::parse(data, &policy, now) else { continue };
        let kept = accepted.submission.keys.len();
        assert!((1..=policy.max_keys).contains(&kept));
        for key in &accepted.submission.keys {
            assert!(key.rolling_start_interval_number.start() <= now);
            assert!(key.end() >= now.minus(policy.retention_days * 86_400));
        }
    }
});
