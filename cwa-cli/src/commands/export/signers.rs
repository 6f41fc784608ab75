//! Who signs a package: keys in files, and the names under which devices look up their public halves.

use std::path::{Path, PathBuf};

use cwa_export::SoftwareSigner;
use cwa_export::signature::{MAX_SIGNATURES, SignatureInfo};

use crate::failure::Failure;
use crate::input;

/// Who signs a package, newest key first.
#[derive(Debug, clap::Args)]
pub(super) struct SignerArguments {
    /// The private key, P-256 in PEM (PKCS#8 or SEC 1); again for each further signature, newest key first, since iPhones
    /// look at the first signature only.
    #[arg(
        long = "signing-key",
        value_name = "PEM",
        required_unless_present = "unsigned",
        conflicts_with = "unsigned"
    )]
    signing_keys: Vec<PathBuf>,
    /// Id under which devices look up the public key, by custom the mobile country code; one for all, or one for each.
    #[arg(long = "key-id", value_name = "ID", required = true)]
    key_ids: Vec<String>,
    /// Version under which devices look up the public key; one for each signature, in their order.
    #[arg(long = "key-version", value_name = "VERSION", required = true)]
    key_versions: Vec<String>,
    /// Bundle id of the iOS app, for the signature info; one for all, or one for each.
    #[arg(long = "app-bundle-id", value_name = "ID")]
    app_bundle_ids: Vec<String>,
    /// Package of the Android app, for the signature info; one for all, or one for each.
    #[arg(long = "android-package", value_name = "NAME")]
    android_packages: Vec<String>,
}

impl SignerArguments {
    /// The names, in their order.
    pub(super) fn infos(&self) -> Result<Vec<SignatureInfo>, Failure> {
        let count = self.key_versions.len();
        if count > MAX_SIGNATURES {
            let message = format!("a package carries at most {MAX_SIGNATURES} signatures, not {count}");
            return Err(Failure::usage("CWA-E0318", message));
        }
        for (flag, values) in [
            ("--key-id", &self.key_ids),
            ("--app-bundle-id", &self.app_bundle_ids),
            ("--android-package", &self.android_packages),
        ] {
            if values.len() > 1 && values.len() != count {
                return Err(mismatch(flag, values.len(), count).help("give one for all, or one for each"));
            }
        }
        let info = |index: usize| {
            let value = |values: &[String]| values.get(index).or_else(|| values.first()).cloned();
            let version = self.key_versions.get(index).cloned().unwrap_or_default();
            let mut info = SignatureInfo::new(value(&self.key_ids).unwrap_or_default(), version);
            info.app_bundle_id = value(&self.app_bundle_ids);
            info.android_package = value(&self.android_packages);
            info
        };
        Ok((0..count).map(info).collect())
    }

    /// The private keys, under these names.
    pub(super) fn read(&self, infos: &[SignatureInfo]) -> Result<Vec<SoftwareSigner>, Failure> {
        if self.signing_keys.len() != infos.len() {
            return Err(mismatch("--signing-key", self.signing_keys.len(), infos.len())
                .help("give a --key-version for each --signing-key"));
        }
        self.signing_keys.iter().zip(infos).map(|(path, info)| signer(path, info.clone())).collect()
    }
}

fn mismatch(flag: &str, got: usize, versions: usize) -> Failure {
    Failure::usage("CWA-E0318", format!("{flag} is given {got} times, and --key-version {versions} times"))
}

fn signer(path: &Path, info: SignatureInfo) -> Result<SoftwareSigner, Failure> {
    let pem = zeroize::Zeroizing::new(input::read_text(path)?);
    SoftwareSigner::from_pem(&pem, info).map_err(|error| {
        Failure::input("CWA-E0313", format!("{} is no signing key", path.display()))
            .help("`openssl ecparam -name prime256v1 -genkey -noout -out key.pem` makes one")
            .caused_by(error)
    })
}
