//! The queue from which devices take pieces of work, and into which they give them back.

use std::{
    collections::VecDeque,
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// What workers take pieces from.
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    /// Whether there is no next piece any more, and work is to stop.
    pub(super) closed: AtomicBool,
}

pub(super) struct State {
    pub(super) waiting: VecDeque<usize>,
    /// Pieces that workers have.
    taken: usize,
    /// Workers that wait for a piece.
    idle: usize,
}

impl Queue {
    pub(super) fn new(pieces: impl Iterator<Item = usize>) -> Self {
        let state = State { waiting: pieces.collect(), taken: 0, idle: 0 };
        Self { state: Mutex::new(state), changed: Condvar::new(), closed: AtomicBool::new(false) }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next piece. If others are at work on the last ones, waits, because they may give them back.
    pub(super) fn next(&self) -> Option<Taken<'_>> {
        let mut state = self.state();
        loop {
            if self.closed.load(Ordering::Relaxed) {
                return None;
            }
            if let Some(piece) = state.waiting.pop_front() {
                state.taken += 1;
                self.changed.notify_all();
                return Some(Taken { queue: self, piece, done: false });
            }
            if state.taken == 0 {
                return None;
            }
            state.idle += 1;
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }

    /// Waits until somebody else has taken this piece, if anybody waits for one.
    pub(super) fn leave_to_others(&self, piece: usize) {
        let mut state = self.state();
        while state.waiting.contains(&piece)
            && state.idle > 0
            && !self.closed.load(Ordering::Relaxed)
        {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// From now on there is no next piece, and workers that have one stop.
    pub(super) fn close(&self) {
        let state = self.state();
        self.closed.store(true, Ordering::Relaxed);
        drop(state);
        self.changed.notify_all();
    }
}

/// A piece that a worker has. Unless it is done, it goes back into the queue, whatever ends the work on it.
pub(super) struct Taken<'a> {
    queue: &'a Queue,
    pub(super) piece: usize,
    pub(super) done: bool,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let mut state = self.queue.state();
        state.taken -= 1;
        if !self.done {
            state.waiting.push_front(self.piece);
        }
        drop(state);
        self.queue.changed.notify_all();
    }
}
