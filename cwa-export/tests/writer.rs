//! What holds for every package that is split, padded, or signed elsewhere.
#![allow(missing_docs, reason = "an integration test has no documentation")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use core::num::NonZeroUsize;
use std::collections::{BTreeMap, BTreeSet};

use cwa_crypto::{TransmissionRiskLevel, UnixTime};
use cwa_export::p256::ecdsa::SigningKey;
use cwa_export::padding::PaddingPolicy;
use cwa_export::signature::{SignatureForm, parse_der_or_raw};
use cwa_export::split::{SplitError, SplitLimits};
use cwa_export::{
    Archive, AttachError, Export, ExportKey, OfferedSignature, SignatureInfo, Signer as _, SoftwareSigner,
    UnsignedExport, archive,
};
use proptest::prelude::*;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

const START: UnixTime = UnixTime::from_secs(1_595_376_000);

fn signer() -> SoftwareSigner {
    SoftwareSigner::new(SigningKey::from_slice(&[7; 32]).unwrap(), SignatureInfo::new("262", "v9"))
}

fn key() -> impl Strategy<Value = ExportKey> {
    (any::<[u8; 16]>(), 0..=8_i64).prop_map(|(data, level)| {
        let mut key = ExportKey::new(data);
        key.transmission_risk_level = TransmissionRiskLevel::try_from(level).ok();
        key
    })
}

fn export() -> impl Strategy<Value = Export> {
    let keys = || prop::collection::vec(key(), 0..60);
    (keys(), keys()).prop_map(|(keys, revised)| {
        let mut export = Export::new(START, START.plus(3600), "DE", keys);
        export.revised_keys = revised;
        export
    })
}

/// How many keys say what.
fn said(keys: &[ExportKey]) -> BTreeMap<ExportKey, usize> {
    let mut counts = BTreeMap::new();
    for key in keys {
        let mut key = *key;
        key.key_data = [0; 16];
        *counts.entry(key).or_default() += 1;
    }
    counts
}

proptest! {
    #[test]
    fn files_of_a_split_are_the_whole_in_order_end_apart_and_keep_within_the_limits(
        whole in export(), max_keys in 1..50_usize, max_archive_bytes in 400..4_000_usize,
    ) {
        let infos = [signer().signature_info().clone()];
        let limits = SplitLimits { max_keys, max_archive_bytes };
        let files = match whole.clone().split(&limits, &infos) {
            Ok(files) => files,
            Err(error) => {
                prop_assert!(matches!(error, SplitError::TooLarge { bytes, max } if bytes > max && max < 600), "{error}");
                return Ok(());
            }
        };
        let joined = |of: fn(&Export) -> &[ExportKey]| files.iter().flat_map(of).copied().collect::<Vec<_>>();
        prop_assert_eq!(joined(|file| &file.keys), whole.keys);
        prop_assert_eq!(joined(|file| &file.revised_keys), whole.revised_keys);
        for (number, file) in (0..).zip(&files) {
            prop_assert_eq!((file.start_timestamp, file.batch_num, file.batch_size), (Some(START), Some(1), Some(1)));
            prop_assert_eq!(file.end_timestamp, Some(START.plus(3600 + number)));
            prop_assert!(file.key_count() <= max_keys);
            let archive = file.sign(&[&signer()]).unwrap().to_archive().unwrap();
            prop_assert!(archive.len() <= max_archive_bytes);
        }
    }

    #[test]
    fn padding_says_nothing_that_no_key_says_and_draws_all_of_its_bytes(
        keys in prop::collection::vec(key(), 0..20), each in 1..6_usize, fewest in 0..40_usize, range in 0..9_usize, seed in any::<u64>(),
    ) {
        let mut rng = StdRng::seed_from_u64(seed);
        let multiplied = PaddingPolicy::Multiplier(NonZeroUsize::new(each).unwrap()).padding(&keys, &mut rng);
        let expected: BTreeMap<_, _> = said(&keys).into_iter().map(|(key, count)| (key, count * (each - 1))).collect();
        prop_assert_eq!(said(&multiplied), if each == 1 { BTreeMap::new() } else { expected });
        let filled = PaddingPolicy::Minimum { keys: fewest, range }.padding(&keys, &mut rng);
        let count = keys.len() + filled.len();
        prop_assert!(keys.is_empty() && filled.is_empty() || count >= fewest && count <= keys.len().max(fewest + range));
        prop_assert!(said(&filled).keys().all(|key| said(&keys).contains_key(key)));
        let drawn: BTreeSet<_> = multiplied.iter().chain(&filled).map(|key| key.key_data).collect();
        prop_assert_eq!(drawn.len(), multiplied.len() + filled.len());
    }

    #[test]
    fn no_changed_signature_and_no_changed_byte_is_attached(
        export in export(), raw in any::<bool>(), bit in 0..512_usize, byte in any::<prop::sample::Index>(), difference in 1..=255_u8,
    ) {
        let unsigned = export.prepare(vec![signer().signature_info().clone()]);
        let verifying_key = *signer().verifying_key();
        let signature = signer().sign_digest(&unsigned.digest()).unwrap();
        let given = if raw { signature.to_bytes().to_vec() } else { signature.to_der().as_bytes().to_vec() };
        let (read, form) = parse_der_or_raw(&given).unwrap();
        prop_assert_eq!((read, form == SignatureForm::Raw), (signature, raw));
        let signed = unsigned.clone().attach(&[OfferedSignature { signature: read, verifying_key }]).unwrap();
        prop_assert_eq!(&signed, &export.sign(&[&signer()]).unwrap());

        let mut flipped = given.clone();
        let at = bit % (8 * flipped.len());
        flipped[at / 8] ^= 1 << (at % 8);
        if let Ok((signature, _)) = parse_der_or_raw(&flipped) {
            let refused = unsigned.clone().attach(&[OfferedSignature { signature, verifying_key }]);
            prop_assert_eq!(refused, Err(AttachError::Mismatch { number: 1 }));
        }
        let mut changed = unsigned.export_bin().to_vec();
        let at = byte.index(changed.len());
        changed[at] ^= difference;
        if let Ok(changed) = UnsignedExport::parse(changed) {
            let refused = changed.attach(&[OfferedSignature { signature: read, verifying_key }]);
            prop_assert!(refused.is_err());
        }
    }

    #[test]
    fn any_two_files_come_out_of_their_archive(bin in prop::collection::vec(any::<u8>(), 0..3000), sig in prop::collection::vec(any::<u8>(), 0..300)) {
        let written = archive::write(&bin, &sig).unwrap();
        let read = Archive::read(&written).unwrap();
        prop_assert_eq!((read.export_bin(), read.export_sig()), (bin.as_slice(), sig.as_slice()));
    }
}
