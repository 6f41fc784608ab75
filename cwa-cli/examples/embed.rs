//! The reference server inside another program, without the command line:
//! `cargo run -p cwa-cli --example embed --no-default-features -- DIRECTORY`.
//!
//! It serves until it is interrupted. The signing key is made for this run; a real one comes from a file or a security
//! module.

use core::error::Error;
use core::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use cwa_cli::server::{BearerToken, Credential, Permission, Policy, Server};
use cwa_export::{SignatureInfo, SoftwareSigner};
use p256::ecdsa::SigningKey;
use rand::Rng as _;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let directory = std::env::args().nth(1).ok_or("say where the server may keep its data")?;
    let mut rng: rand::rngs::StdRng = rand::make_rng();
    let mut secret = [0; 32];
    rng.fill_bytes(&mut secret);
    let signer = SoftwareSigner::new(SigningKey::from_slice(&secret)?, SignatureInfo::new("262", "v1"));
    let laboratory = BearerToken::generate(&mut rng);

    let mut policy = Policy::default();
    policy.publication.threshold = 10;
    let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let server = Server::builder(directory)
        .policy(policy)
        .signer(Arc::new(signer))
        .credential(Credential::new("laboratory", [Permission::Laboratory], &laboratory))
        .external(free)
        .internal(free)
        .portal(free)
        .admin(free)
        .start()
        .await?;

    tracing_subscriber::fmt().init();
    tracing::info!("phones: http://{}", server.external_addr());
    tracing::info!("operators: http://{}/readyz", server.admin_addr());
    tokio::signal::ctrl_c().await?;
    server.shutdown().await;
    Ok(())
}
