//! The checked-in message types are what `proto/` gives, so that neither can drift from the other.
//!
//! `CWA_EXPORT_REGENERATE=1 cargo test -p cwa-export --test wire_is_generated` writes them anew.

use std::path::Path;

#[test]
fn the_checked_in_message_types_are_those_of_the_proto_files() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let protos = ["export.proto", "submission.proto", "configuration_v1.proto", "configuration_v2.proto"];
    let descriptors = protox::compile(protos, [root.join("proto")]).expect("the proto files compile");

    let fresh = tempfile::tempdir().expect("a temporary directory");
    prost_build::Config::new()
        .btree_map(["."])
        .out_dir(fresh.path())
        .compile_fds(descriptors)
        .expect("the descriptors become Rust");

    let checked_in = root.join("src/wire/generated");
    let regenerate = std::env::var_os("CWA_EXPORT_REGENERATE").is_some();
    for name in ["cwa.export.rs", "cwa.configuration.v1.rs", "cwa.configuration.v2.rs"] {
        let made = std::fs::read_to_string(fresh.path().join(name)).expect("generated");
        if regenerate {
            std::fs::write(checked_in.join(name), &made).expect("written");
        }
        let held = std::fs::read_to_string(checked_in.join(name)).expect("checked in");
        assert!(made == held, "{name} differs from what proto/ gives; run with CWA_EXPORT_REGENERATE=1");
    }
}
