//! Work in pieces on several devices of one machine at once: a queue, from which a thread for each device takes the next
//! piece. A device that fails gives its piece back, and so does one that is much slower than another which has nothing left.

mod pace;
mod queue;

use std::{
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use super::{Adapter, Error, Event, Observer, Result};
use crate::Error as Failure;

use pace::{Begun, Pace, too_slow};
use queue::Queue;

/// Pieces of work.
pub(super) struct Pieces<'a> {
    /// How much each is of the whole.
    pub weights: &'a [f64],
    /// The part of each that is done, from 0 to 1.
    pub parts: Vec<f64>,
    /// Which of them are to be done.
    pub open: Vec<usize>,
    /// Whether another device goes on where one stopped; else it begins again.
    pub resumed: bool,
}

/// The work on one piece, told by its number, on the device of this number: `(device, piece, observer)`. `None` if it was
/// stopped.
pub(super) type Work<'a, T> =
    &'a (dyn Fn(usize, usize, &mut dyn Observer) -> Result<Option<T>> + Sync);

/// What happens to a piece on a device.
pub(super) enum Seen<'a, T> {
    Begun(usize),
    Ended(usize, &'a T),
    Lost(&'a Error),
}

/// Told what the device of this number begins and ends, beside the observer.
pub(super) type See<'a, T> = &'a mut dyn FnMut(&mut dyn Observer, usize, Seen<'_, T>);

/// What came of the pieces.
pub(super) struct Shared<T> {
    /// What each came to; `None` if it was not done.
    pub done: Vec<Option<T>>,
    /// Which devices did not fail.
    pub alive: Vec<bool>,
    /// The last failure of a device.
    pub failure: Option<Error>,
}

/// What a worker tells the thread that reports.
enum Told<T> {
    Begun(usize),
    Part(usize, f64),
    Ended(usize, T),
    /// The piece was given back.
    Stopped,
    Lost(Error),
    OtherAdapter(Adapter, Adapter),
    Failed(Error),
}

/// Does the open pieces on so many devices. A failure that is no device's ends all of them.
pub(super) fn share_out<T: Send>(
    devices: usize,
    mut pieces: Pieces<'_>,
    work: Work<'_, T>,
    observer: &mut dyn Observer,
    see: See<'_, T>,
) -> Result<Shared<T>> {
    let queue = Queue::new(pieces.open.iter().copied());
    let asked: Vec<_> = (0..devices).map(|_| AtomicBool::new(false)).collect();
    let mut shared = Shared {
        done: pieces.weights.iter().map(|_| None).collect(),
        alive: vec![true; devices],
        failure: None,
    };
    let (mut failed, mut others) = (None, Vec::new());
    let mut paces: Vec<_> = (0..devices).map(|_| Pace::default()).collect();
    let (sender, told) = mpsc::channel();
    let mut looked = Instant::now();
    pieces.tell(observer);
    thread::scope(|scope| {
        let queue = &queue;
        for (device, asked) in asked.iter().enumerate() {
            let sender = sender.clone();
            let begun = thread::Builder::new()
                .name(format!("device {device}"))
                .spawn_scoped(scope, move || work_on(device, queue, asked, &sender, work));
            if let Err(error) = begun {
                queue.close();
                failed.get_or_insert(Failure::gpu("begin a thread", error).into());
            }
        }
        drop(sender);
        loop {
            if observer.stops() {
                queue.close();
            }
            if looked.elapsed() > Duration::from_millis(500) {
                looked = Instant::now();
                if let Some(slow) = too_slow(&paces, &pieces, queue) {
                    paces[slow].asked = true;
                    asked[slow].store(true, Ordering::Relaxed);
                }
            }
            let (at, told) = match told.recv_timeout(Duration::from_millis(50)) {
                Ok(told) => told,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            match told {
                Told::Begun(piece) => {
                    paces[at].begun = Some(Begun { piece, first: None });
                    see(observer, at, Seen::Begun(piece));
                }
                Told::Part(piece, part) => {
                    pieces.parts[piece] = part;
                    if let Some(Begun { first: first @ None, .. }) = &mut paces[at].begun {
                        *first = Some((Instant::now(), part));
                    }
                    pieces.tell(observer);
                }
                Told::Ended(piece, result) => {
                    pieces.parts[piece] = 1.0;
                    paces[at].ended(&pieces);
                    see(observer, at, Seen::Ended(piece, &result));
                    shared.done[piece] = Some(result);
                    pieces.tell(observer);
                }
                Told::Stopped => paces[at].begun = None,
                Told::Lost(error) => {
                    paces[at] = Pace::default();
                    shared.alive[at] = false;
                    see(observer, at, Seen::Lost(&error));
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
                    failed.get_or_insert(error);
                }
            }
        }
    });
    failed.map_or(Ok(shared), Err)
}

impl Pieces<'_> {
    /// The part of the whole that is done, from 0 to 1.
    pub(super) fn done(&self) -> f64 {
        self.weight_done() / self.weights.iter().sum::<f64>().max(1.0)
    }

    fn weight_done(&self) -> f64 {
        self.weights.iter().zip(&self.parts).map(|(weight, part)| weight * part).sum()
    }

    fn tell(&self, observer: &mut dyn Observer) {
        let (done, part) = (self.weight_done(), self.done().min(1.0));
        observer.see(Event::Progress { done, part });
    }
}

/// A worker: one piece after the other, until there is none, or the device fails.
fn work_on<T>(
    device: usize,
    queue: &Queue,
    asked: &AtomicBool,
    sender: &Sender<(usize, Told<T>)>,
    work: Work<'_, T>,
) {
    while let Some(mut taken) = queue.next() {
        let piece = taken.piece;
        let mut relay = Relay { piece, sender, device, asked, queue, iterations: 1.0 };
        relay.tell(Told::Begun(piece));
        match work(device, piece, &mut relay) {
            Ok(Some(result)) => {
                taken.done = true;
                relay.tell(Told::Ended(piece, result));
            }
            Ok(None) => {
                asked.store(false, Ordering::Relaxed);
                relay.tell(Told::Stopped);
                drop(taken);
                queue.leave_to_others(piece);
            }
            Err(error) => {
                let told = of_device(error).map_or_else(Told::Failed, Told::Lost);
                if let Told::Failed(_) = told {
                    // Before the piece goes back, so that nobody takes it up.
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

/// The reports of a worker on their way to the observer, and the wish to stop on its way back.
struct Relay<'a, T> {
    piece: usize,
    sender: &'a Sender<(usize, Told<T>)>,
    device: usize,
    asked: &'a AtomicBool,
    queue: &'a Queue,
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
                self.part((f64::from(iterations) + part) / self.iterations);
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
        self.asked.load(Ordering::Relaxed) || self.queue.closed.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests;
