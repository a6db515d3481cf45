//! Ctrl-C: once stops after the iteration and saves, twice leaves at once.

use std::{
    path::PathBuf,
    sync::{
        Arc,
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

/// Whether the user wants an end.
#[derive(Clone)]
pub struct Interrupt(Arc<AtomicU8>);

impl Interrupt {
    /// Takes over Ctrl-C (and requests to terminate). Leaving takes `made` along where empty.
    pub fn install(made: Vec<PathBuf>, quiet: bool) -> Self {
        let state = Arc::new(AtomicU8::new(PREPARING));
        let shared = Arc::clone(&state);
        let installed = ctrlc::set_handler(move || {
            let next =
                shared.compare_exchange(WORKING, STOPPING, Ordering::SeqCst, Ordering::SeqCst);
            if next.is_ok() {
                if !quiet {
                    // On a line of its own: the progress bar has the current one.
                    say::err("\nstopping and saving what there is; Ctrl-C again leaves at once");
                }
                return;
            }
            folder::remove_empty(&made);
            std::process::exit(INTERRUPTED.into());
        });
        if let Err(error) = installed {
            log::warn!("Ctrl-C will not save anything: {error}");
        }
        Self(state)
    }

    /// From here on there is something to save.
    pub fn working(&self) {
        self.0.store(WORKING, Ordering::SeqCst);
    }

    pub fn requested(&self) -> bool {
        self.0.load(Ordering::SeqCst) == STOPPING
    }
}
