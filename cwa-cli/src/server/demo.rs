//! A server to try out: keys and credentials made on the spot, printed once.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use p256::ecdsa::SigningKey;
use p256::pkcs8::{EncodePrivateKey as _, EncodePublicKey as _, LineEnding};
use rand::CryptoRng;
use sha2::{Digest as _, Sha256};

use super::builder::{StartError, make_private_directory, write_secret};
use super::credentials::{BearerToken, Permission};
use super::portal::{Password, PortalAccount};

/// What a demonstration's users need to know. It is shown once; the data directory holds hashes of it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Demo {
    /// Bearer tokens, by name.
    pub tokens: Vec<(&'static str, BearerToken)>,
    /// The portal's user.
    pub portal_user: &'static str,
    /// And its password.
    pub portal_password: Password,
    /// The public half of the signing key, in PEM: what verifies everything that is published.
    pub public_key: PathBuf,
    /// Every file that was made for it.
    made: Vec<PathBuf>,
}

/// The name of the configuration file that a demonstration leaves in its data directory.
pub const SETTINGS: &str = "cwa.toml";

impl Demo {
    /// Makes a data directory for a demonstration: signing key, credentials, a portal account, an application
    /// configuration, and a configuration file [`SETTINGS`] that names them all.
    ///
    /// `None` if there is such a file already: then the directory is used as it is, and nothing is made or shown.
    ///
    /// # Errors
    ///
    /// A file cannot be made.
    pub fn create(data_dir: &Path, rng: &mut impl CryptoRng) -> Result<Option<Self>, StartError> {
        let settings = data_dir.join(SETTINGS);
        if settings.exists() {
            return Ok(None);
        }
        let secrets = data_dir.join("secrets");
        make_private_directory(data_dir)?;
        make_private_directory(&secrets)?;
        let failed = |path: &Path, source| StartError::File { path: path.to_owned(), source };

        let (private_pem, public_pem) = signing_key(rng)?;
        let key_file = secrets.join("signing-key.pem");
        write_secret(&key_file, &private_pem).map_err(|source| failed(&key_file, source))?;
        let public_key = data_dir.join("public-key.pem");
        fs::write(&public_key, public_pem).map_err(|source| failed(&public_key, source))?;
        let configuration = data_dir.join("configuration.yaml");
        fs::write(&configuration, include_str!("configuration.yaml"))
            .map_err(|source| failed(&configuration, source))?;

        let names = ["laboratory", "hotline", "event-hotline", "server"];
        let tokens: Vec<_> = names.iter().map(|name| (*name, BearerToken::generate(rng))).collect();
        let portal_password = Password::generate(rng);
        let portal_user = "officer";
        let account = PortalAccount::new(portal_user, &portal_password, [Permission::Hotline], rng)
            .map_err(|error| failed(&settings, io::Error::other(error)))?;

        let mut text = String::from(HEAD);
        for (name, token) in &tokens {
            // Each is named after the one permission that it has.
            let hash = hex::encode(Sha256::digest(token.expose()));
            text.push_str(&format!(
                "\n[[credentials]]\nname = \"{name}\"\npermissions = [\"{name}\"]\ntoken_sha256 = \"{hash}\"\n"
            ));
        }
        text.push_str(&format!(
            "\n[portal]\nissue_interval_seconds = 1\n\n[[portal.accounts]]\nuser = \"{portal_user}\"\n\
             permissions = [\"hotline\", \"event-hotline\"]\npassword_hash = \"{}\"\n",
            account.password_hash()
        ));
        // Last, so that a directory with this file has all that it names.
        write_secret(&settings, &text).map_err(|source| failed(&settings, source))?;
        let made = vec![settings, key_file, public_key.clone(), configuration];
        Ok(Some(Self { tokens, portal_user, portal_password, public_key, made }))
    }

    /// Takes everything back that was made: the credentials were never shown, so nobody could ever use them.
    ///
    /// # Errors
    ///
    /// A file cannot be removed.
    pub fn discard(self) -> io::Result<()> {
        self.made.iter().try_for_each(fs::remove_file)
    }
}

/// A new signing key: private half in PKCS#8 PEM, public half in SubjectPublicKeyInfo PEM.
fn signing_key(rng: &mut impl CryptoRng) -> Result<(zeroize::Zeroizing<String>, String), StartError> {
    let unwritable = || StartError::Key(io::Error::other("a new key cannot be written"));
    let key = generate_signing_key(rng);
    let private = key.to_pkcs8_pem(LineEnding::LF).map_err(|_| unwritable())?;
    let public = key.verifying_key().to_public_key_pem(LineEnding::LF).map_err(|_| unwritable())?;
    Ok((private, public))
}

/// A new signing key from `rng`.
pub(crate) fn generate_signing_key(rng: &mut impl CryptoRng) -> SigningKey {
    let mut bytes = zeroize::Zeroizing::new([0; 32]);
    loop {
        rng.fill_bytes(&mut *bytes);
        // One in 2^32 numbers is not below the curve's order.
        if let Ok(key) = SigningKey::from_slice(&*bytes) {
            return key;
        }
    }
}

const HEAD: &str = "\
# Made by `cwa serve --demo`. The tokens and the password were shown once and are here as hashes.
configuration = [\"configuration.yaml\"]

[signing]
key_file = \"secrets/signing-key.pem\"
key_id = \"999\"
key_version = \"v1\"

[publication]
# Fewer keys than this wait for others, at most a day.
threshold = 140
";

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;
    use crate::server::Server;
    use crate::server::settings::Settings;

    #[test]
    fn a_demonstration_is_made_once_and_its_secrets_are_not_in_its_files() {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data");
        let rng = &mut rand::rngs::StdRng::seed_from_u64(1);
        let demo = Demo::create(&data, rng).unwrap().unwrap();
        assert!(Demo::create(&data, rng).unwrap().is_none());
        let text = fs::read_to_string(data.join(SETTINGS)).unwrap();
        for (name, token) in &demo.tokens {
            assert!(text.contains(&format!("name = \"{name}\"")));
            assert!(!text.contains(token.expose()));
        }
        assert!(!text.contains(demo.portal_password.expose()));
        let builder = Settings::read(&data.join(SETTINGS)).unwrap().apply(Server::builder(&data)).unwrap();
        builder.check().unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_a_demonstrations_secrets() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        Demo::create(directory.path(), &mut rand::rngs::StdRng::seed_from_u64(1)).unwrap();
        for name in [SETTINGS, "secrets/signing-key.pem"] {
            let mode = directory.path().join(name).metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }
}
