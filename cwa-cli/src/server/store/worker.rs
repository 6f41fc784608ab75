//! A database connection on a thread of its own: jobs that have it for themselves, and transitions that share commits.
//!
//! Making a transaction durable costs a wait for the disk, whatever it holds. So the thread takes every transition that
//! is waiting, runs each in a savepoint of its own inside one transaction, and commits once: the more there is to do,
//! the less each costs. Nobody is answered before that commit. A refusal is not either: it may rest on what a
//! transition before it in the same transaction has written.

use core::fmt;
use core::panic::AssertUnwindSafe;
use std::collections::VecDeque;
use std::panic::catch_unwind;
use std::sync::Mutex;
use std::thread::JoinHandle;

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::StoreError;

/// One connection. What is sent to it runs in the order in which it was sent.
pub(super) struct Worker {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

enum Job {
    /// Has the connection for itself.
    Alone(Box<dyn FnOnce(&mut Connection) + Send>),
    /// Shares a transaction with its neighbours.
    Shared(Box<dyn Transition>),
}

/// Jobs that may wait for one connection; whoever comes later waits until there is room.
const QUEUE: usize = 2048;
/// The most transitions of one commit: how long the first of them may have to wait for its answer.
const MOST_PER_COMMIT: usize = 1024;

impl Worker {
    /// A worker with this connection; `name` is its thread's.
    pub(super) fn start(name: &str, mut connection: Connection) -> Result<Self, StoreError> {
        let (jobs, mut queue) = mpsc::channel::<Job>(QUEUE);
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                let mut waiting = VecDeque::new();
                while let Some(job) = queue.blocking_recv() {
                    waiting.push_back(job);
                    while waiting.len() < MOST_PER_COMMIT
                        && let Ok(job) = queue.try_recv()
                    {
                        waiting.push_back(job);
                    }
                    work(&mut connection, &mut waiting);
                }
            })
            .map_err(StoreError::Io)?;
        Ok(Self { jobs: Some(jobs), thread: Mutex::new(Some(thread)) })
    }

    /// Runs `job` on the connection, outside any transaction.
    ///
    /// Once the returned future has been polled to the end of the queue, the job runs to its end, whether or not its
    /// result is still waited for.
    pub(super) async fn call<T: Send + 'static, E: From<StoreError> + Send + 'static>(
        &self,
        job: impl FnOnce(&mut Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        let (sender, receiver) = oneshot::channel();
        let job = Job::Alone(Box::new(move |connection| {
            let _ = sender.send(job(connection));
        }));
        self.send(job, receiver).await
    }

    /// Runs `transition` in a transaction that it may share with others; what it has changed is durable when the result
    /// arrives. An error or a panic undoes what this transition did and nothing else.
    pub(super) async fn commit<T: Send + 'static, E: From<StoreError> + Send + 'static>(
        &self,
        transition: impl FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        let (sender, receiver) = oneshot::channel();
        let job = Job::Shared(Box::new(Pending { transition: Some(transition), result: None, sender }));
        self.send(job, receiver).await
    }

    async fn send<T, E: From<StoreError>>(
        &self,
        job: Job,
        receiver: oneshot::Receiver<Result<T, E>>,
    ) -> Result<T, E> {
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

/// What waits for a place in a transaction.
trait Transition: Send {
    /// Runs, and keeps the result for [`answer`](Self::answer); whether what was done is to stay.
    fn run(&mut self, transaction: &Transaction<'_>) -> bool;

    /// Gives the result to whoever waits for it, or this failure in place of it.
    fn answer(self: Box<Self>, failure: Option<StoreError>);
}

struct Pending<T, E, F> {
    transition: Option<F>,
    /// None until it has run, and if it panicked.
    result: Option<Result<T, E>>,
    sender: oneshot::Sender<Result<T, E>>,
}

impl<T, E, F> Transition for Pending<T, E, F>
where
    T: Send,
    E: From<StoreError> + Send,
    F: FnOnce(&Transaction<'_>) -> Result<T, E> + Send,
{
    fn run(&mut self, transaction: &Transaction<'_>) -> bool {
        let Some(transition) = self.transition.take() else { return false };
        match catch_unwind(AssertUnwindSafe(|| transition(transaction))) {
            Ok(result) => self.result.insert(result).is_ok(),
            Err(_panic) => {
                tracing::error!("a transition of the store was not finished");
                false
            }
        }
    }

    fn answer(self: Box<Self>, failure: Option<StoreError>) {
        let result = match failure {
            Some(failure) => Err(failure.into()),
            None => self.result.unwrap_or_else(|| Err(StoreError::Interrupted.into())),
        };
        let _ = self.sender.send(result);
    }
}

/// Runs everything that waits, in its order.
fn work(connection: &mut Connection, waiting: &mut VecDeque<Job>) {
    let mut together = Vec::new();
    while let Some(job) = waiting.pop_front() {
        match job {
            Job::Shared(transition) => {
                together.push(transition);
                if matches!(waiting.front(), Some(Job::Shared(_))) {
                    continue;
                }
                commit(connection, &mut together);
            }
            // A job that panics has dropped its transaction, which rolled back; the connection is as before.
            Job::Alone(job) => {
                if catch_unwind(AssertUnwindSafe(|| job(connection))).is_err() {
                    tracing::error!("a job of the store was not finished");
                }
            }
        }
    }
}

/// Runs transitions in one transaction, and answers them all when it is durable, or failed.
fn commit(connection: &mut Connection, transitions: &mut Vec<Box<dyn Transition>>) {
    let outcome = run_all(connection, transitions);
    if let Err(error) = &outcome {
        tracing::error!(%error, transitions = transitions.len(), "a transaction was not committed");
    }
    for transition in transitions.drain(..) {
        transition.answer(outcome.as_ref().err().map(|_| StoreError::NotCommitted));
    }
}

fn run_all(
    connection: &mut Connection,
    transitions: &mut [Box<dyn Transition>],
) -> Result<(), rusqlite::Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Alone, a transition needs no savepoint: what undoes it undoes the transaction.
    if let [only] = transitions {
        let stays = only.run(&transaction);
        return if stays { transaction.commit() } else { Ok(()) };
    }
    for transition in transitions {
        transaction.prepare_cached("SAVEPOINT transition")?.execute([])?;
        let stays = transition.run(&transaction);
        // A full disk or a failed read ends the whole transaction, and the neighbours' work with it.
        if transaction.is_autocommit() {
            return Err(rusqlite::Error::SqliteFailure(
                rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_ABORT_ROLLBACK),
                None,
            ));
        }
        if !stays {
            transaction.prepare_cached("ROLLBACK TO transition")?.execute([])?;
        }
        transaction.prepare_cached("RELEASE transition")?.execute([])?;
    }
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::path::Path;
    use std::process::{Command, Stdio};
    use std::sync::Arc;

    use rand::rngs::StdRng;
    use rand::{RngExt as _, SeedableRng as _};
    use rusqlite::params;

    use super::*;

    fn connect(path: &Path) -> Connection {
        let connection = Connection::open(path).unwrap();
        connection.pragma_update(None, "journal_mode", "WAL").unwrap();
        connection.pragma_update(None, "synchronous", "FULL").unwrap();
        connection
            .execute_batch("CREATE TABLE IF NOT EXISTS done (at INTEGER PRIMARY KEY, number INTEGER UNIQUE)")
            .unwrap();
        connection
    }

    fn insert(transaction: &Transaction<'_>, number: i64) -> Result<(), StoreError> {
        transaction.execute("INSERT INTO done (number) VALUES (?1)", params![number])?;
        Ok(())
    }

    fn numbers(connection: &Connection) -> Vec<i64> {
        let mut statement = connection.prepare("SELECT number FROM done ORDER BY at").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    /// Keeps the worker busy until the sender is dropped, so that what is sent meanwhile shares a commit.
    async fn hold(worker: &Arc<Worker>) -> std::sync::mpsc::Sender<()> {
        let (release, held) = std::sync::mpsc::channel::<()>();
        let (started, start) = oneshot::channel();
        let worker = Arc::clone(worker);
        tokio::spawn(async move {
            worker
                .call(move |_| {
                    let _ = started.send(());
                    let _ = held.recv();
                    Ok::<_, StoreError>(())
                })
                .await
        });
        start.await.unwrap();
        release
    }

    /// What a transition of the test does.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    enum Fate {
        Stays,
        Refused,
        Panics,
        Repeated,
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn whatever_becomes_of_a_transition_its_neighbours_in_the_commit_do_not_notice() {
        for seed in 0..20 {
            let rng = &mut StdRng::seed_from_u64(seed);
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("db");
            let worker = Arc::new(Worker::start("test", connect(&path)).unwrap());
            let release = hold(&worker).await;
            let fates: Vec<Fate> = (0..rng.random_range(1..60))
                .map(|_| [Fate::Stays, Fate::Refused, Fate::Panics, Fate::Repeated][rng.random_range(0..4)])
                .collect();
            let mut answers = Vec::new();
            for (number, fate) in fates.iter().copied().enumerate() {
                let number = i64::try_from(number).unwrap();
                let worker_of_this = Arc::clone(&worker);
                let answer = tokio::spawn(async move {
                    worker_of_this
                        .commit(move |transaction| {
                            insert(transaction, number)?;
                            match fate {
                                Fate::Stays => Ok(()),
                                Fate::Refused => Err(StoreError::Closed),
                                Fate::Panics => panic!("on purpose"),
                                Fate::Repeated => insert(transaction, number),
                            }
                        })
                        .await
                });
                // One after the other into the queue: the order in which they are sent.
                while worker.jobs.as_ref().unwrap().capacity() > QUEUE - 1 - answers.len() {
                    tokio::task::yield_now().await;
                }
                answers.push(answer);
            }
            drop(release);
            let mut stayed = Vec::new();
            for (number, (fate, answer)) in fates.into_iter().zip(answers).enumerate() {
                let answer = answer.await.unwrap();
                match fate {
                    Fate::Stays => stayed.push(i64::try_from(number).unwrap()),
                    Fate::Refused => assert!(matches!(answer, Err(StoreError::Closed)), "{answer:?}"),
                    Fate::Panics => assert!(matches!(answer, Err(StoreError::Interrupted)), "{answer:?}"),
                    Fate::Repeated => assert!(matches!(answer, Err(StoreError::Sqlite(_))), "{answer:?}"),
                }
                assert_eq!(answer.is_ok(), fate == Fate::Stays);
            }
            assert_eq!(numbers(&connect(&path)), stayed, "seed {seed}: what was answered, in the order sent");
        }
    }

    // In a write-ahead log, others see a transaction when its frames have been synchronised and its commit stands in
    // the log's index: what can be seen is durable.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nobody_is_answered_before_others_can_see_the_commit_not_even_with_a_refusal() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("db");
        let worker = Arc::new(Worker::start("test", connect(&path)).unwrap());
        let release = hold(&worker).await;
        let phones: Vec<_> = (0..200_i64)
            .map(|phone| {
                let (worker, path) = (Arc::clone(&worker), path.clone());
                tokio::spawn(async move {
                    // Two want the same number; the second is refused because of the first.
                    let answer = worker.commit(move |transaction| insert(transaction, phone / 2)).await;
                    let reader = connect(&path);
                    let seen: i64 = reader
                        .query_row("SELECT count(*) FROM done WHERE number = ?1", [phone / 2], |row| {
                            row.get(0)
                        })
                        .unwrap();
                    assert_eq!(seen, 1);
                    answer.is_ok()
                })
            })
            .collect();
        drop(release);
        let mut stored = 0;
        for phone in phones {
            stored += i32::from(phone.await.unwrap());
        }
        assert_eq!(stored, 100);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn when_the_disk_is_full_nobody_is_told_otherwise() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("db");
        let connection = connect(&path);
        connection.execute_batch("CREATE TABLE blob (number INTEGER PRIMARY KEY, content BLOB)").unwrap();
        connection.pragma_update(None, "max_page_count", 30).unwrap();
        let worker = Arc::new(Worker::start("test", connection).unwrap());
        let release = hold(&worker).await;
        let phones: Vec<_> = (0..100_i64)
            .map(|number| {
                let worker = Arc::clone(&worker);
                tokio::spawn(async move {
                    worker
                        .commit(move |transaction| {
                            let sql = "INSERT INTO blob VALUES (?1, zeroblob(?2))";
                            transaction.execute(sql, params![number, number * 100])?;
                            Ok::<_, StoreError>(number)
                        })
                        .await
                })
            })
            .collect();
        drop(release);
        let mut stored = Vec::new();
        for phone in phones {
            stored.extend(phone.await.unwrap().ok());
        }
        stored.sort_unstable();
        let reader = connect(&path);
        let mut statement = reader.prepare("SELECT number FROM blob ORDER BY number").unwrap();
        let found: Vec<i64> =
            statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        assert_eq!(found, stored);
        assert!(stored.len() < 100, "the disk was full");
    }

    /// Not a test of its own: the process that the next one kills.
    #[test]
    fn writer_that_is_killed() {
        let Some(path) = std::env::var_os("CWA_TEST_KILLED_WRITER") else { return };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        runtime.block_on(async {
            let worker = Arc::new(Worker::start("test", connect(Path::new(&path))).unwrap());
            let phones = (0..8_i64).map(|phone| {
                let worker = Arc::clone(&worker);
                tokio::spawn(async move {
                    for round in 0.. {
                        let number = round * 8 + phone;
                        worker.commit(move |transaction| insert(transaction, number)).await.unwrap();
                        let mut stdout = std::io::stdout().lock();
                        writeln!(stdout, "answered {number}").unwrap();
                        stdout.flush().unwrap();
                    }
                })
            });
            for phone in phones.collect::<Vec<_>>() {
                phone.await.unwrap();
            }
        });
    }

    #[test]
    fn what_was_answered_is_there_after_the_process_was_killed() {
        for answers in [1, 7, 40, 111, 256] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("db");
            let mut child = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "server::store::worker::tests::writer_that_is_killed", "--nocapture"])
                .env("CWA_TEST_KILLED_WRITER", &path)
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let lines = BufReader::new(child.stdout.take().unwrap()).lines();
            let mut answered = Vec::new();
            let mut killed = false;
            for line in lines {
                let Ok(line) = line else { break };
                if let Some((_, number)) = line.split_once("answered ") {
                    answered.extend(number.parse::<i64>());
                }
                if answered.len() >= answers && !killed {
                    child.kill().unwrap();
                    killed = true;
                }
            }
            child.wait().unwrap();
            let found = numbers(&connect(&path));
            assert!(answered.iter().all(|number| found.contains(number)), "after {answers} answers");
            for phone in 0..8 {
                let of_this: Vec<i64> = found.iter().copied().filter(|number| number % 8 == phone).collect();
                assert!(of_this.is_sorted(), "its order was kept");
            }
        }
    }
}
