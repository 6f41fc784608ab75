//! A database connection on a thread of its own, and asynchronous calls to it.

use core::fmt;
use core::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Mutex;
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::StoreError;

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// Jobs that may wait for one connection; whoever comes later waits until there is room.
const QUEUE: usize = 1024;

/// One connection. Its jobs run one after the other, in the order in which they were sent.
pub(super) struct Worker {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Worker {
    /// A worker with this connection; `name` is its thread's.
    pub(super) fn start(name: &str, mut connection: Connection) -> Result<Self, StoreError> {
        let (jobs, mut queue) = mpsc::channel::<Job>(QUEUE);
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                while let Some(job) = queue.blocking_recv() {
                    // A job that panics has dropped its transaction, which rolled back; the connection is as before.
                    if catch_unwind(AssertUnwindSafe(|| job(&mut connection))).is_err() {
                        tracing::error!("a storage job was not finished");
                    }
                }
            })
            .map_err(StoreError::Io)?;
        Ok(Self { jobs: Some(jobs), thread: Mutex::new(Some(thread)) })
    }

    /// Runs `job` on the connection.
    ///
    /// Once the returned future has been polled to the end of the queue, the job runs to its end, whether or not its
    /// result is still waited for.
    pub(super) async fn call<T: Send + 'static, E: From<StoreError> + Send + 'static>(
        &self,
        job: impl FnOnce(&mut Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        let (sender, receiver) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let _ = sender.send(job(connection));
        });
        let jobs = self.jobs.as_ref().ok_or(StoreError::Closed)?;
        jobs.send(job).await.map_err(|_closed| StoreError::Closed)?;
        receiver.await.map_err(|_dropped| StoreError::Closed)?
    }
}

impl Drop for Worker {
    /// Waits for the jobs in the queue and closes the connection.
    fn drop(&mut self) {
        self.jobs = None;
        let thread = self.thread.lock().map_or(None, |mut thread| thread.take());
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").finish_non_exhaustive()
    }
}
