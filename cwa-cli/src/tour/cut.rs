//! A connection that breaks at the worst moment: after the server has done its work, before its answer arrives.

use core::net::SocketAddr;
use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A relay for one connection, which passes the request on and throws the answer away.
#[derive(Debug)]
pub(super) struct CuttingRelay {
    listener: TcpListener,
    server: SocketAddr,
}

impl CuttingRelay {
    /// A relay in front of `server`, on an address of its own.
    pub(super) async fn before(server: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.9.255.1", 0)).await?;
        Ok(Self { listener, server })
    }

    /// Where clients reach the relay.
    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Relays one connection until the first byte of the answer, then cuts both sides. Returns the bytes of the request.
    pub(super) async fn cut_one(self) -> io::Result<usize> {
        let (mut client, _) = self.listener.accept().await?;
        let mut server = TcpStream::connect(self.server).await?;
        let (mut from_client, mut from_server) = ([0; 4096], [0; 1]);
        let mut relayed = 0;
        loop {
            tokio::select! {
                read = client.read(&mut from_client) => {
                    let read = read?;
                    server.write_all(from_client.get(..read).unwrap_or_default()).await?;
                    relayed += read;
                }
                // The server has answered, so what it had to do is done.
                read = server.read(&mut from_server) => {
                    read?;
                    return Ok(relayed);
                }
            }
        }
    }
}
