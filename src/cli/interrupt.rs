//! Ctrl-C: once stops after the iteration (or piece of an evaluation) and saves, twice leaves at once.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
};

use super::{folder, say};

/// What shells expect of a program that was interrupted.
pub const INTERRUPTED: u8 = 130;

/// There is nothing yet that would be worth saving: the first Ctrl-C leaves.
const PREPARING: u8 = 0;
/// The first Ctrl-C asks the loop to stop.
const WORKING: u8 = 1;
/// It was asked to; the next one leaves.
const STOPPING: u8 = 2;
/// As working, but what there is has been saved.
const MEASURING: u8 = 3;

/// Nothing will be saved: there are only times.
const TIMING: u8 = 4;

/// Whether the user wants an end.
#[derive(Clone)]
pub struct Interrupt {
    state: Arc<AtomicU8>,
    made: Arc<Mutex<Vec<PathBuf>>>,
    unfinished: Arc<Mutex<Option<PathBuf>>>,
}

impl Interrupt {
    /// Takes over Ctrl-C (and requests to terminate).
    pub fn install(quiet: bool) -> Self {
        let state = Arc::new(AtomicU8::new(PREPARING));
        let made = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&state);
        let folders = Arc::clone(&made);
        let unfinished = Arc::new(Mutex::new(None::<PathBuf>));
        let file = Arc::clone(&unfinished);
        let installed = ctrlc::set_handler(move || {
            let stop = |state| matches!(state, WORKING | MEASURING | TIMING).then_some(STOPPING);
            if let Ok(before) = shared.fetch_update(Ordering::SeqCst, Ordering::SeqCst, stop) {
                let doing = match before {
                    MEASURING => "stopping the evaluation",
                    TIMING => "stopping after this piece",
                    _ => "stopping and saving what there is",
                };
                if !quiet {
                    // On a line of its own: the progress bar has the current one.
                    say::err(&format!("\n{doing}; Ctrl-C again leaves at once"));
                }
                return;
            }
            // Held until the end, so that no other takes its place meanwhile.
            let file = file.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(file) = &*file {
                let _ = std::fs::remove_file(file);
            }
            folder::remove_empty(&folders.lock().unwrap_or_else(PoisonError::into_inner));
            std::process::exit(INTERRUPTED.into());
        });
        if let Err(error) = installed {
            log::warn!("Ctrl-C will not save anything: {error}");
        }
        Self { state, made, unfinished }
    }

    /// Leaving takes these folders along where they are empty, the last one first.
    pub fn takes_along(&self, folders: impl IntoIterator<Item = PathBuf>) {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).extend(folders);
    }

    /// Leaving removes this file, which is not whole yet, in place of the one before.
    pub fn removes(&self, unfinished: Option<&Path>) {
        let mut file = self.unfinished.lock().unwrap_or_else(PoisonError::into_inner);
        if file.as_deref() != unfinished {
            *file = unfinished.map(Path::to_path_buf);
        }
    }

    /// From here on there is something to save.
    pub fn working(&self) {
        self.enter(WORKING);
    }

    /// From here on there is only something to measure.
    pub fn measuring(&self) {
        self.enter(MEASURING);
    }

    /// From here on there is only something to time.
    pub fn timing(&self) {
        self.enter(TIMING);
    }

    /// A wish for an end stays one.
    fn enter(&self, phase: u8) {
        let enter = |state| (state != STOPPING).then_some(phase);
        let _ = self.state.fetch_update(Ordering::SeqCst, Ordering::SeqCst, enter);
    }

    pub fn requested(&self) -> bool {
        self.state.load(Ordering::SeqCst) == STOPPING
    }
}
