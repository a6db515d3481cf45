//! Ctrl-C, and the signals that ask a program to end. The first saves the finished iterations, a second one ends the
//! program at once.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
};

use dm_wgpu::project::{files::holds_a_run, remove_empty};

use super::{
    commands::{again, go_on},
    console::Console,
    say,
};

/// There is nothing to save yet: the first Ctrl-C ends the program.
const PREPARING: u8 = 0;
/// The first Ctrl-C asks the loop to stop.
const WORKING: u8 = 1;
/// The loop was asked to stop; the next Ctrl-C ends the program.
const STOPPING: u8 = 2;
/// Like `WORKING`, but everything is saved already.
const MEASURING: u8 = 3;

/// A benchmark runs: nothing will be saved.
const TIMING: u8 = 4;

/// Whether the user wants the program to end.
#[derive(Clone)]
pub struct Interrupt {
    state: Arc<AtomicU8>,
    made: Arc<Mutex<Vec<PathBuf>>>,
    unfinished: Arc<Mutex<Option<PathBuf>>>,
    /// The run's folder, once it can be resumed there.
    resumable: Arc<Mutex<Option<PathBuf>>>,
}

impl Interrupt {
    /// Handles Ctrl-C, SIGTERM (from `docker stop` and batch systems) and SIGHUP (from a lost connection).
    pub fn install(console: Console) -> Self {
        let state = Arc::new(AtomicU8::new(PREPARING));
        let made = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&state);
        let folders = Arc::clone(&made);
        let unfinished = Arc::new(Mutex::new(None::<PathBuf>));
        let file = Arc::clone(&unfinished);
        let resumable = Arc::new(Mutex::new(None::<PathBuf>));
        let resumed = Arc::clone(&resumable);
        let installed = on_request_to_end(move |insists| {
            let stop = |state| matches!(state, WORKING | MEASURING | TIMING).then_some(STOPPING);
            if let Ok(before) = shared.fetch_update(Ordering::SeqCst, Ordering::SeqCst, stop) {
                let doing = match before {
                    MEASURING => "stopping the evaluation",
                    TIMING => "stopping after this piece",
                    _ => "stopping and saving the finished iterations",
                };
                if !console.quiet() {
                    // On a line of its own: the progress bar has the current one.
                    say::err(&format!("\n{doing}; Ctrl-C again ends the program at once"));
                }
                return;
            }
            if !insists && shared.load(Ordering::SeqCst) == STOPPING {
                return;
            }
            // Held until the end, so that no other file takes its place meanwhile.
            let file = file.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(file) = &*file {
                let _ = std::fs::remove_file(file);
            }
            remove_empty(&folders.lock().unwrap_or_else(PoisonError::into_inner));
            let resumed = resumed.lock().unwrap_or_else(PoisonError::into_inner);
            // Without its record, the run has left nothing.
            let last = match resumed.as_deref().filter(|folder| holds_a_run(folder)) {
                Some(folder) => {
                    format!(
                        "interrupted; the run's folder holds what was saved last\n{}",
                        go_on(folder)
                    )
                }
                None => format!("interrupted before there were results\n{}", again()),
            };
            console.leaves(&last);
        });
        if let Err(error) = installed {
            log::warn!("Ctrl-C and SIGTERM will not save anything: {error}");
        }
        Self { state, made, unfinished, resumable }
    }

    /// Ending at once removes those of these folders that are empty, the last one first.
    pub fn takes_along(&self, folders: impl IntoIterator<Item = PathBuf>) {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).extend(folders);
    }

    /// Ending at once removes this unfinished file, instead of the one that was named before.
    pub fn removes(&self, unfinished: Option<&Path>) {
        let mut file = self.unfinished.lock().unwrap_or_else(PoisonError::into_inner);
        if file.as_deref() != unfinished {
            *file = unfinished.map(Path::to_path_buf);
        }
    }

    /// From here on, the run in this folder can be resumed, unless a series to which it belongs was named before.
    pub fn resumes(&self, folder: &Path) {
        let mut resumable = self.resumable.lock().unwrap_or_else(PoisonError::into_inner);
        resumable.get_or_insert_with(|| folder.to_path_buf());
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

    /// Changes the phase, unless the user has asked for an end.
    fn enter(&self, phase: u8) {
        let enter = |state| (state != STOPPING).then_some(phase);
        let _ = self.state.fetch_update(Ordering::SeqCst, Ordering::SeqCst, enter);
    }

    pub fn requested(&self) -> bool {
        self.state.load(Ordering::SeqCst) == STOPPING
    }
}

/// Calls `stop`, on a thread of its own, for each signal that asks the program to end. The argument is whether a second
/// such signal ends it at once: a second Ctrl-C does, but a closing terminal may send SIGHUP twice. SIGHUP stays
/// ignored if it was ignored when the program began, so that `nohup` keeps the program alive after the terminal is
/// gone.
#[cfg(unix)]
fn on_request_to_end(mut stop: impl FnMut(bool) + Send + 'static) -> io::Result<()> {
    use signal_hook::{
        consts::{SIGHUP, SIGINT, SIGTERM},
        iterator::Signals,
    };
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    if !is_ignored(SIGHUP) {
        signals.add_signal(SIGHUP)?;
    }
    let listen = move || signals.forever().for_each(|signal| stop(signal == SIGINT));
    std::thread::Builder::new().name("signals".into()).spawn(listen).map(drop)
}

#[cfg(not(unix))]
fn on_request_to_end(mut stop: impl FnMut(bool) + Send + 'static) -> io::Result<()> {
    ctrlc::set_handler(move || stop(true)).map_err(io::Error::other)
}

#[cfg(unix)]
#[allow(unsafe_code)]
fn is_ignored(signal: libc::c_int) -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: without a new action this only writes the present one to where there is room for it.
    let asked = unsafe { libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) };
    // SAFETY: all zeros are an action as well.
    asked == 0 && unsafe { action.assume_init() }.sa_sigaction == libc::SIG_IGN
}

/// Turns exceeding `ulimit -f` into an error, like a full disk, instead of a signal that ends the program.
pub fn survive_file_limits() {
    #[cfg(unix)]
    {
        let seen = Arc::default();
        if let Err(error) = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, seen) {
            log::debug!("a limit on file sizes would end the program: {error}");
        }
    }
}
