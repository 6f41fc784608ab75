//! Work that goes on when nobody waits for it any more.

use tokio::sync::watch;

use super::error::ApiError;

/// Tasks that a shutdown waits for.
#[derive(Debug)]
pub(super) struct Tasks {
    running: watch::Sender<()>,
}

impl Tasks {
    pub(super) fn new() -> Self {
        Self { running: watch::Sender::new(()) }
    }

    /// Runs `work` as a task of its own and waits for it.
    ///
    /// Dropping the returned future, as happens when a client goes away, does not stop the work.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, ApiError>> + Send + 'static,
    ) -> Result<T, ApiError> {
        let running = self.running.subscribe();
        let task = tokio::spawn(async move {
            let result = work.await;
            drop(running);
            result
        });
        task.await.unwrap_or_else(|error| {
            // The panic's message may quote what the client sent; that it happened is all that may be said.
            tracing::error!(panicked = error.is_panic(), "a request was not finished");
            Err(ApiError::Internal)
        })
    }

    /// Waits until no task runs.
    pub(super) async fn finished(&self) {
        self.running.closed().await;
    }
}

#[cfg(test)]
mod tests {
    use core::sync::atomic::{AtomicBool, Ordering};
    use core::time::Duration;
    use std::sync::Arc;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn work_is_finished_although_its_client_went_away() {
        let tasks = Tasks::new();
        let done = Arc::new(AtomicBool::new(false));
        let work = {
            let done = Arc::clone(&done);
            async move {
                tokio::time::sleep(Duration::from_secs(5)).await;
                done.store(true, Ordering::SeqCst);
                Ok(())
            }
        };
        assert!(tokio::time::timeout(Duration::from_secs(1), tasks.run(work)).await.is_err());
        assert!(!done.load(Ordering::SeqCst));
        tasks.finished().await;
        assert!(done.load(Ordering::SeqCst));
    }

    #[tokio::test]
    async fn a_panic_is_an_internal_error() {
        let work = async { if true { panic!("as tests do") } else { Ok(()) } };
        assert_eq!(Tasks::new().run(work).await, Err(ApiError::Internal));
    }
}
