//! `export.bin` and `export.sig`: first two bytes with the length of the signatures, the signatures, the rest.
#![no_main]

use std::sync::LazyLock;

use cwa_export::verify::Profile;
use cwa_export::{TrustStore, TrustedKey, UnverifiedExport};
use libfuzzer_sys::fuzz_target;

/// The key that signed the seeds, which come from the test vectors.
static TRUSTED: LazyLock<TrustStore> = LazyLock::new(|| {
    let (_, json) =
        cwa_test_vectors::builtin().find(|(name, _)| *name == "export.json").expect("a built-in file");
    let file = cwa_test_vectors::parse(json).expect("built-in files are well formed");
    let group =
        file.test_groups.iter().find(|group| group.family == "export.verify").expect("a family of the file");
    let pem = group.data["public_key_pem"].as_str().expect("a text");
    let mut store = TrustStore::empty();
    store.insert(TrustedKey::from_pem("vectors", pem).expect("a public key"));
    store
});

fuzz_target!(|data: &[u8]| {
    let Some((length, rest)) = data.split_first_chunk() else { return };
    let Some((export_sig, export_bin)) = rest.split_at_checked(u16::from_le_bytes(*length).into()) else {
        return;
    };
    let Ok(export) = UnverifiedExport::parse(export_bin, export_sig) else { return };
    let lenient = export.clone().verify_as(&TRUSTED, Profile::Lenient);
    if let Ok(verified) = export.verify(&TRUSTED) {
        assert!(lenient.is_ok(), "what is strictly right is right");
        let content = verified.content();
        assert_eq!(verified.keys().count(), content.key_count(), "strictly, every key can be used");
        let written = content.to_export().expect("strictly, every key can be written anew");
        assert_eq!(written.keys.len(), content.key_count());
        assert_eq!(written.revised_keys.len(), content.revised_key_count());
    }
});
