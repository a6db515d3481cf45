//! Several devices of one machine at work at once: a queue of pieces, from which a thread for each device takes the next.
//! A device that fails gives its piece back.

use std::{
    collections::VecDeque,
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread,
    time::Duration,
};

use super::{Adapter, Device, Error, Event, Observer, Result};
use crate::Error as Failure;

/// What came of pieces that were shared out.
pub(super) struct Shared<T> {
    /// What each came to; `None` if it was not done.
    pub done: Vec<Option<T>>,
    /// Which devices did not fail.
    pub alive: Vec<bool>,
    /// The last failure of a device.
    pub failure: Option<Error>,
}

/// What a thread tells the one that reports.
enum Told<T> {
    Begun(usize),
    Part(usize, f64),
    Ended(usize, T),
    Lost(Error),
    OtherAdapter(Adapter, Adapter),
    Failed(Error),
}

/// The reports of a worker on its way to the observer, and the observer's wish to stop on its way back.
pub(super) struct Relay<'a, T> {
    piece: usize,
    sender: &'a Sender<(usize, Told<T>)>,
    device: usize,
    stop: &'a AtomicBool,
    iterations: f64,
}

impl<T> Relay<'_, T> {
    fn tell(&self, told: Told<T>) {
        // The other end is there as long as there are workers.
        let _ = self.sender.send((self.device, told));
    }

    fn part(&self, part: f64) {
        self.tell(Told::Part(self.piece, part.clamp(0.0, 1.0)));
    }
}

impl<T> Observer for Relay<'_, T> {
    fn see(&mut self, event: Event<'_>) {
        match event {
            Event::Iterating { total, losses, .. } => {
                self.iterations = f64::from(total.max(1));
                self.part(losses.len() as f64 / self.iterations);
            }
            Event::Moved { iterations, part, .. } => {
                self.part((f64::from(iterations) + part) / self.iterations.max(1.0));
            }
            Event::Progress { part, .. } => self.part(part),
            Event::OtherAdapter { was, is } => {
                self.tell(Told::OtherAdapter(was.clone(), is.clone()));
            }
            Event::NoCheckpoint { error, .. } => log::warn!("no checkpoint: {error}"),
            _ => {}
        }
    }

    fn stops(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// What workers take pieces from.
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    waiting: VecDeque<usize>,
    taken: usize,
    closed: bool,
}

impl Queue {
    fn new(pieces: impl Iterator<Item = usize>) -> Self {
        let state = State { waiting: pieces.collect(), taken: 0, closed: false };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next piece. If others are at work on the last ones, waits, because they may give them back.
    fn next(&self) -> Option<Taken<'_>> {
        let mut state = self.state();
        loop {
            if state.closed {
                return None;
            }
            if let Some(piece) = state.waiting.pop_front() {
                state.taken += 1;
                return Some(Taken { queue: self, piece, done: false });
            }
            if state.taken == 0 {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// From now on there is no next piece.
    fn close(&self) {
        self.state().closed = true;
        self.changed.notify_all();
    }
}

/// A piece that a worker has. Unless it is done, it goes back into the queue, whatever ends the work on it.
struct Taken<'a> {
    queue: &'a Queue,
    piece: usize,
    done: bool,
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

/// The work on one piece: on the device with this index, with a worker's observer. `None` if it was stopped.
pub(super) type Work<'a, T> =
    &'a (dyn Fn(usize, usize, &mut dyn Observer) -> Result<Option<T>> + Sync);

/// Pieces, each with its weight and the part of it that is done already.
pub(super) struct Pieces<'a> {
    pub weights: &'a [f64],
    pub parts: Vec<f64>,
    /// Which of them are to be done.
    pub open: Vec<usize>,
}

impl Pieces<'_> {
    fn tell(&self, observer: &mut dyn Observer) {
        let done: f64 =
            self.weights.iter().zip(&self.parts).map(|(weight, part)| weight * part).sum();
        let all: f64 = self.weights.iter().sum();
        observer.see(Event::Progress { done, part: (done / all.max(1.0)).min(1.0) });
    }
}

/// Does the open pieces on these devices. A failure that is no device's ends all of them. `see` is told which piece was begun
/// or ended by which device.
pub(super) fn share_out<T: Send>(
    devices: &[Device],
    mut pieces: Pieces<'_>,
    work: Work<'_, T>,
    observer: &mut dyn Observer,
    see: &mut dyn FnMut(&mut dyn Observer, usize, usize, Option<&T>),
) -> Result<Shared<T>> {
    let (queue, stop) = (Queue::new(pieces.open.iter().copied()), AtomicBool::new(false));
    let mut shared = Shared {
        done: pieces.weights.iter().map(|_| None).collect(),
        alive: vec![true; devices.len()],
        failure: None,
    };
    let (mut failed, mut others) = (None, Vec::new());
    let (sender, told) = mpsc::channel();
    pieces.tell(observer);
    thread::scope(|scope| {
        let (queue, stop) = (&queue, &stop);
        let end = || {
            stop.store(true, Ordering::Relaxed);
            queue.close();
        };
        for at in 0..devices.len() {
            let sender = sender.clone();
            let begun = thread::Builder::new()
                .name(format!("device {at}"))
                .spawn_scoped(scope, move || work_on(at, (queue, stop), &sender, work));
            if let Err(error) = begun {
                end();
                failed.get_or_insert(Failure::gpu("begin a thread", error).into());
            }
        }
        drop(sender);
        loop {
            if observer.stops() {
                end();
            }
            let (at, told) = match told.recv_timeout(Duration::from_millis(50)) {
                Ok(told) => told,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            match told {
                Told::Begun(piece) => see(observer, piece, at, None),
                Told::Part(piece, part) => {
                    pieces.parts[piece] = part;
                    pieces.tell(observer);
                }
                Told::Ended(piece, result) => {
                    see(observer, piece, at, Some(&result));
                    pieces.parts[piece] = 1.0;
                    pieces.tell(observer);
                    shared.done[piece] = Some(result);
                }
                Told::Lost(error) => {
                    shared.alive[at] = false;
                    observer.see(Event::Lost { device: &devices[at], error: &error });
                    shared.failure = Some(error);
                }
                Told::OtherAdapter(was, is) => {
                    let pair = (was, is);
                    if !others.contains(&pair) {
                        observer.see(Event::OtherAdapter { was: &pair.0, is: &pair.1 });
                        others.push(pair);
                    }
                }
                Told::Failed(error) => {
                    end();
                    failed.get_or_insert(error);
                }
            }
        }
    });
    failed.map_or(Ok(shared), Err)
}

/// A worker: one piece after the other, until there is none, or the device fails.
fn work_on<T>(
    device: usize,
    (queue, stop): (&Queue, &AtomicBool),
    sender: &Sender<(usize, Told<T>)>,
    work: Work<'_, T>,
) {
    while let Some(mut taken) = queue.next() {
        let piece = taken.piece;
        let mut relay = Relay { piece, sender, device, stop, iterations: 1.0 };
        relay.tell(Told::Begun(piece));
        match work(device, piece, &mut relay) {
            Ok(Some(result)) => {
                taken.done = true;
                relay.tell(Told::Ended(piece, result));
            }
            Ok(None) => return,
            Err(error) => {
                let told = of_device(error).map_or_else(Told::Failed, Told::Lost);
                if let Told::Failed(_) = told {
                    // Before the piece goes back, so that nobody takes it up.
                    stop.store(true, Ordering::Relaxed);
                    queue.close();
                }
                return relay.tell(told);
            }
        }
    }
}

/// Tells failures of a device, after which another one may do the work, from all others. What is left of the work is no part
/// of them: the other one takes it up.
fn of_device(error: Error) -> Result<Error, Error> {
    let is_device = |error: &Error| {
        matches!(error, Error::Library(Failure::Gpu { .. } | Failure::OutOfMemory { .. }))
    };
    match error {
        Error::Left { source, .. } if is_device(&source) => Ok(*source),
        error if is_device(&error) => Ok(error),
        error => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One device is slow, another fails at its second piece and gives it back when the others have nothing left.
    #[test]
    fn whoever_is_idle_takes_the_next_piece_and_what_is_given_back() {
        let queue = Queue::new(0..6);
        let (begun, failed) = (AtomicBool::new(false), AtomicBool::new(false));
        let (slow, idle) = thread::scope(|scope| {
            let (queue, begun, failed) = (&queue, &begun, &failed);
            let slow = scope.spawn(move || {
                let mut taken = queue.next().unwrap();
                begun.store(true, Ordering::SeqCst);
                while !failed.load(Ordering::SeqCst) {
                    thread::yield_now();
                }
                taken.done = true;
                taken.piece
            });
            while !begun.load(Ordering::SeqCst) {
                thread::yield_now();
            }
            let lost = queue.next().unwrap();
            let idle = scope.spawn(move || {
                let mut own = Vec::new();
                while let Some(mut taken) = queue.next() {
                    taken.done = true;
                    own.push(taken.piece);
                }
                own
            });
            while !queue.state().waiting.is_empty() {
                thread::yield_now();
            }
            assert!(!idle.is_finished(), "it waits for what may be given back");
            drop(lost);
            failed.store(true, Ordering::SeqCst);
            (slow.join().unwrap(), idle.join().unwrap())
        });
        assert_eq!((slow, &idle[..]), (0, &[2, 3, 4, 5, 1][..]));
        assert!(queue.next().is_none());
    }

    #[test]
    fn a_closed_queue_has_nothing_left() {
        let queue = Queue::new(0..3);
        let taken = queue.next();
        queue.close();
        drop(taken);
        assert!(queue.next().is_none());
    }
}
