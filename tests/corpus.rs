//! Every reader of files against what the fuzzer found worth keeping (`fuzz/`, `tests/corpus/`): files that
//! are whole, and others that are damaged in every way that it knows. No panic, no long wait, no
//! allocation that the file has not earned.

#[path = "../fuzz/src/lib.rs"]
mod loaders;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

/// The system's allocator, noting the largest request.
struct Noting;

static LARGEST: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Noting = Noting;

// SAFETY: every call is the system's own.
unsafe impl GlobalAlloc for Noting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Ordering::Relaxed);
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        LARGEST.fetch_max(size, Ordering::Relaxed);
        unsafe { System.realloc(pointer, layout, size) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// A kibibyte of deflated data is a mebibyte; a byte of a picture's file up to 64 KiB, though hardly in any
/// that is kept here.
const LARGEST_REQUEST: usize = 64 << 20;
/// For a file, on a machine that has other things to do.
const LONGEST: Duration = Duration::from_secs(20);

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

fn files(of: &str) -> Vec<PathBuf> {
    let folder = corpus().join(of);
    let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn every_reader_survives_every_file() {
    for (name, load) in loaders::LOADERS {
        let (mut taken, mut refused) = (0, 0);
        for path in files(name) {
            let bytes = fs::read(&path).unwrap();
            LARGEST.store(0, Ordering::Relaxed);
            let begun = Instant::now();
            *(if load(&bytes) { &mut taken } else { &mut refused }) += 1;
            let (took, largest) = (begun.elapsed(), LARGEST.load(Ordering::Relaxed));
            let shown = path.display();
            assert!(took < LONGEST, "{shown} took {took:?}");
            assert!(largest < LARGEST_REQUEST, "{shown}: {largest} bytes at once");
        }
        println!("{name}: {taken} taken, {refused} refused");
        // Were none taken, nothing behind the first check would be looked at.
        assert!(taken >= 1 && refused >= 5, "{name}: {taken} taken, {refused} refused");
    }
}
