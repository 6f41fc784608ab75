//! ZIP archives.
#![no_main]

use cwa_export::archive::{self, Archive, Limits};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(read) = Archive::read(data) else { return };
    let limits = Limits::default();
    assert!(read.export_bin().len() <= limits.member_bytes);
    assert!(read.export_sig().len() <= limits.signature_bytes);
    assert!(
        read.export_bin().len() <= data.len().saturating_mul(limits.ratio),
        "nothing grows without bound"
    );
    let written =
        archive::write(read.export_bin(), read.export_sig()).expect("what was read fits into an archive");
    let again = Archive::read(&written).expect("what was written can be read");
    assert_eq!((again.export_bin(), again.export_sig()), (read.export_bin(), read.export_sig()));
});
