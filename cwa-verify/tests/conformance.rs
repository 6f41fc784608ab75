//! The suite for stores, over the store in memory.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

use cwa_verify::MemoryStore;
use cwa_verify::conformance::{Harness, Racer};

struct InMemory;

impl Harness for InMemory {
    type Store = MemoryStore;

    async fn empty_store(&self) -> MemoryStore {
        MemoryStore::new()
    }

    async fn race<T: Send + 'static>(&self, racers: Vec<Racer<T>>) -> Vec<T> {
        let threads: Vec<_> =
            racers.into_iter().map(|racer| std::thread::spawn(|| pollster::block_on(racer))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    }
}

cwa_verify::conformance_tests!(InMemory, pollster::block_on);
