//! What runs by itself: the publisher and forgetting, a little after each full hour of protocol time.

use core::time::Duration;
use std::sync::Arc;

use cwa_crypto::UnixTime;
use cwa_export::batch::Hour;
use tokio::sync::watch;

use super::listener::stopped;
use super::{App, PublishError, Role};

/// How long after a full hour the jobs run, so that an upload of the hour's last second is in the database.
const OFFSET_SECONDS: u64 = 20;
/// How often the clock is looked at. A machine that slept, or whose clock was set, is noticed within this time.
const TICK: Duration = Duration::from_secs(5);

/// Runs the jobs once at the start and then every hour, until `stop` says so. A run in work is finished.
pub(super) async fn run(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let mut due = UnixTime::from_secs(0);
    loop {
        let now = app.clock.now();
        // A clock that was ahead and has been set back must not put the jobs off until it gets there again.
        due = due.min(Hour::at(now).end().plus(OFFSET_SECONDS));
        if due <= now {
            due = Hour::at(now).end().plus(OFFSET_SECONDS);
            if app.roles.contains(&Role::Publisher) {
                publish(&app, now).await;
            }
            if app.roles.contains(&Role::Verification)
                && let Err(error) = app.purge(now).await
            {
                tracing::error!(%error, "the retention job failed");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(TICK) => {}
            () = stopped(&mut stop) => return,
        }
    }
}

async fn publish(app: &App, now: UnixTime) {
    match app.publish(now).await {
        Ok(written) => {
            let keys: usize = written.iter().map(|publication| publication.key_count).sum();
            tracing::info!(packages = written.len(), keys, "published");
        }
        // Another process does the work.
        Err(PublishError::Busy) => tracing::info!("another process publishes"),
        Err(error) => tracing::error!(%error, "publishing failed"),
    }
}
