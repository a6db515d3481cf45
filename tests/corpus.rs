//! Every reader of files against what the fuzzer found worth keeping (`fuzz/`, `common/corpus.rs`): files that
//! are whole, and others that are damaged in every way that it knows. No panic, no long wait, no
//! allocation that the file has not earned.
//!
//! A program of its own, since its allocator notes what everything in the process asks for.
#![cfg(feature = "files")]

#[path = "common/corpus.rs"]
mod corpus;
#[path = "../fuzz/src/lib.rs"]
mod loaders;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    collections::{HashMap, HashSet},
    fs,
    path::PathBuf,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use corpus::Input;
use flate2::{Compression, write::GzEncoder};

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

/// One test at a time: it is the largest request of the process that is noted.
static ALONE: Mutex<()> = Mutex::new(());

/// A kibibyte of deflated data is a mebibyte; a byte of a picture's file up to 64 KiB, though hardly in any
/// that is kept here.
const LARGEST_REQUEST: usize = 64 << 20;
/// For a file, on a machine that has other things to do.
const LONGEST: Duration = Duration::from_secs(20);

#[test]
fn no_file_makes_a_reader_panic_hang_or_ask_for_much_memory() {
    let _alone = ALONE.lock().unwrap();
    for (name, load) in loaders::LOADERS {
        let (mut taken, mut refused) = (0, 0);
        for (shown, bytes) in corpus::inputs(name) {
            LARGEST.store(0, Ordering::Relaxed);
            let begun = Instant::now();
            *(if load(&bytes) { &mut taken } else { &mut refused }) += 1;
            let (took, largest) = (begun.elapsed(), LARGEST.load(Ordering::Relaxed));
            assert!(took < LONGEST, "{shown} took {took:?}");
            assert!(largest < LARGEST_REQUEST, "{shown}: {largest} bytes at once");
        }
        println!("{name}: {taken} taken, {refused} refused");
        // Were none taken, nothing behind the first check would be looked at.
        assert!(taken >= 1 && refused >= 5, "{name}: {taken} taken, {refused} refused");
    }
}

/// The formats of [`loaders::LOADERS`], and the one that the program itself reads (`cli::loaders`).
fn formats() -> impl Iterator<Item = &'static str> {
    loaders::LOADERS.into_iter().map(|(name, _)| name).chain(["toml"])
}

#[test]
fn no_input_is_kept_twice_and_none_of_an_unknown_format() {
    let _alone = ALONE.lock().unwrap();
    let archived = corpus::unpacked(&fs::read(corpus::archive()).unwrap());
    for (name, _) in &archived {
        assert!(formats().any(|format| corpus::is_of(name, format)), "{name} has no reader");
    }
    for format in formats() {
        let mut seen = HashMap::new();
        for (name, bytes) in corpus::inputs(format) {
            if let Some(first) = seen.insert(bytes, name.clone()) {
                panic!("{first} and {name} are the same");
            }
        }
    }
}

/// The archive of all that are not kept under a name: the same bytes for the same files.
fn packed(mut inputs: Vec<Input>) -> Vec<u8> {
    let format = |name: &str| name.split('/').next().unwrap_or_default().to_owned();
    let named = formats().flat_map(corpus::named);
    let mut known: HashSet<_> = named.map(|(name, bytes)| (format(&name), bytes)).collect();
    inputs.sort();
    inputs.retain(|(name, bytes)| known.insert((format(name), bytes.clone())));
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::best()));
    for (name, bytes) in &inputs {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(0);
        archive.append_data(&mut header, name, &bytes[..]).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

/// With `DM_WGPU_PACK_CORPUS` the archive is written anew, of what lies in that folder, as `scripts/fuzz keep`
/// asks for it.
#[test]
fn the_archive_depends_on_its_files_alone() {
    let _alone = ALONE.lock().unwrap();
    if let Some(folder) = std::env::var_os("DM_WGPU_PACK_CORPUS").map(PathBuf::from) {
        let kept = formats().flat_map(|format| corpus::files(&folder.join(format), format));
        return fs::write(corpus::archive(), packed(kept.collect())).unwrap();
    }
    let archived = corpus::unpacked(&fs::read(corpus::archive()).unwrap());
    let mut others = archived.clone();
    others.reverse();
    // Named ones are left out, and so are doubles.
    others.extend(formats().flat_map(corpus::named));
    let (name, bytes) = &archived[0];
    others.push((format!("{name}-again"), bytes.clone()));
    let again = packed(others);
    assert!(again == packed(archived.clone()) && corpus::unpacked(&again) == archived);
}
