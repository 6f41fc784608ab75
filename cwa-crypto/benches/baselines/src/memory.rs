//! An allocator that counts, so that "bytes per stored identifier" leaves nothing out.

use core::sync::atomic::{AtomicUsize, Ordering};
use std::alloc::{GlobalAlloc, Layout, System};

/// The system's allocator, and the number of bytes that are allocated from it, now and at most.
#[derive(Debug)]
#[non_exhaustive]
pub struct CountingAllocator;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

impl CountingAllocator {
    /// The allocator of a program: `#[global_allocator] static A: CountingAllocator = CountingAllocator::new();`.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }

    /// How many bytes are allocated now, as they were asked for: without what the system adds to each block.
    #[must_use]
    pub fn live_bytes() -> usize {
        LIVE.load(Ordering::Relaxed)
    }

    /// What `work` gives, and how many bytes more than before were allocated at most while it was done.
    pub fn peak_of<T>(work: impl FnOnce() -> T) -> (T, usize) {
        let before = Self::live_bytes();
        PEAK.store(before, Ordering::Relaxed);
        let done = work();
        (done, PEAK.load(Ordering::Relaxed).saturating_sub(before))
    }

    fn add(bytes: usize) {
        let live = LIVE.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        // Most allocations are not the largest yet; then nothing is written that other threads look at.
        if live > PEAK.load(Ordering::Relaxed) {
            PEAK.fetch_max(live, Ordering::Relaxed);
        }
    }
}

impl Default for CountingAllocator {
    fn default() -> Self {
        Self::new()
    }
}

// SAFETY: every call goes to `System` with the arguments given, and its answer is returned unchanged; counting touches
// no memory that is handed out, and neither allocates nor panics.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc`, which is `System`'s too.
        let block = unsafe { System.alloc(layout) };
        if !block.is_null() {
            Self::add(layout.size());
        }
        block
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as in `alloc`.
        let block = unsafe { System.alloc_zeroed(layout) };
        if !block.is_null() {
            Self::add(layout.size());
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: every block comes from `System` by the methods here, so the caller's contract is `System`'s.
        unsafe { System.dealloc(block, layout) };
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: as in `dealloc`.
        let moved = unsafe { System.realloc(block, layout, new_size) };
        if !moved.is_null() {
            LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
            Self::add(new_size);
        }
        moved
    }
}
