//! Decrypted Bluetooth metadata, sealed and opened.
#![no_main]

use cwa_crypto::{BluetoothMetadata, ENIntervalNumber, TemporaryExposureKey};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: ([u8; 4], [u8; 16], u32)| {
    let (bytes, key, interval) = data;
    let Ok(metadata) = BluetoothMetadata::decode(bytes) else { return };
    let read = BluetoothMetadata::decode(metadata.encode())
        .expect("what was read is written so that it can be read");
    assert_eq!(read, metadata);
    let key = TemporaryExposureKey::from_bytes(key);
    let rpi = key.rolling_proximity_identifier_key().identifier(ENIntervalNumber::new(interval));
    let aemk = key.associated_encrypted_metadata_key();
    assert_eq!(aemk.open_unauthenticated(rpi, aemk.seal(rpi, metadata)), Ok(metadata));
});
