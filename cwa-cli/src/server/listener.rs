//! Accepting connections: where the peer's address ends.

use core::convert::Infallible;
use core::time::Duration;
use std::sync::Arc;

use axum::Router;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use super::request::{HeaderAllowance, strip};

/// How long a client may take for the head of a request; a connection without one is closed.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// Largest head of a request in bytes.
const HEAD_LIMIT: usize = 16 << 10;
/// How many connections a listener serves at a time; others wait to be accepted.
const CONNECTIONS: usize = 4096;
/// How long requests in work may take after the shutdown began.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(20);

/// Serves `router` until `stop` says so, and then finishes the requests in work.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    allowance: HeaderAllowance,
    mut stop: watch::Receiver<bool>,
) {
    let service = TowerToHyperService::new(router);
    let graceful = GracefulShutdown::new();
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let accepted = async {
            // Closed never; if it were, the listener would end.
            let permit = Arc::clone(&connections).acquire_owned().await.ok()?;
            // The address is dropped here. Nothing after this line can know it.
            Some((permit, listener.accept().await.map(|(stream, _address)| stream)))
        };
        let (permit, stream) = tokio::select! {
            Some(accepted) = accepted => accepted,
            () = stopped(&mut stop) => break,
            else => break,
        };
        let stream = match stream {
            Ok(stream) => stream,
            Err(error) => {
                // Out of descriptors, or a connection that was gone before it was accepted: go on, but not in a hurry.
                tracing::warn!(kind = ?error.kind(), "connection not accepted");
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        let service = service.clone();
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            // A client that has sent its request and hung up is still served: an upload counts once it has arrived.
            .half_close(true)
            .max_buf_size(HEAD_LIMIT)
            .serve_connection(
                TokioIo::new(stream),
                service_fn(move |request| {
                    let service = service.clone();
                    async move {
                        let Ok(response) = service.call(strip(request, allowance)).await;
                        Ok::<_, Infallible>(response)
                    }
                }),
            );
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            // What breaks a connection is the client's affair, and the error may quote the client.
            let _ = connection.await;
            drop(permit);
        });
    }
    drop(listener);
    if tokio::time::timeout(DRAIN_TIMEOUT, graceful.shutdown()).await.is_err() {
        tracing::warn!("connections were still open when the time for shutting down was over");
    }
}

/// Waits until the server is told to stop, or is dropped.
pub(super) async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
