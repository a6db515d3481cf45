//! Work in pieces on several devices of one machine at once: a queue, from which a thread for each device takes the next
//! piece. A device that fails gives its piece back, and so does one that is much slower than another which has nothing left.

use std::{
    collections::VecDeque,
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use super::{Adapter, Error, Event, Observer, Result};
use crate::Error as Failure;

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
            let (at, told) = match told.recv_timeout(Duration::from_millis(50)) {
                Ok(told) => told,
                Err(RecvTimeoutError::Timeout) => {
                    if let Some(slow) = too_slow(&paces, &pieces, queue) {
                        paces[slow].asked = true;
                        asked[slow].store(true, Ordering::Relaxed);
                    }
                    continue;
                }
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
    fn tell(&self, observer: &mut dyn Observer) {
        let done = self.weights.iter().zip(&self.parts).map(|(weight, part)| weight * part);
        let (done, all) = (done.sum::<f64>(), self.weights.iter().sum::<f64>());
        observer.see(Event::Progress { done, part: (done / all.max(1.0)).min(1.0) });
    }
}

/// How fast a device is.
#[derive(Default)]
struct Pace {
    begun: Option<Begun>,
    /// The weight of what it has done before, and the seconds.
    before: (f64, f64),
    /// Whether it was asked to give its piece back, once for all.
    asked: bool,
}

/// The piece that a device has, and when it was first told of, with the part that was done then: before that, kernels are
/// compiled.
struct Begun {
    piece: usize,
    first: Option<(Instant, f64)>,
}

impl Pace {
    /// The weight of what it has done in all, and the seconds.
    fn all(&self, pieces: &Pieces<'_>) -> (f64, f64) {
        let (weight, seconds) = self.before;
        match &self.begun {
            Some(Begun { piece, first: Some((when, part)) }) => {
                let more = (pieces.parts[*piece] - part).max(0.0) * pieces.weights[*piece];
                (weight + more, seconds + when.elapsed().as_secs_f64())
            }
            _ => (weight, seconds),
        }
    }

    fn ended(&mut self, pieces: &Pieces<'_>) {
        self.before = self.all(pieces);
        self.begun = None;
    }
}

/// A device whose piece is better taken over by one that has nothing left: that would be done in less than half of the
/// time, and `SPARED` seconds are gained.
fn too_slow(paces: &[Pace], pieces: &Pieces<'_>, queue: &Queue) -> Option<usize> {
    const SPARED: f64 = 5.0;
    let rate =
        |pace: &Pace| Some(pace.all(pieces)).map(|(weight, seconds)| weight / seconds.max(1e-9));
    let idle = paces.iter().filter(|pace| pace.begun.is_none() && pace.before.0 > 0.0);
    let fastest = idle.filter_map(rate).max_by(f64::total_cmp)?;
    if !queue.state().waiting.is_empty() {
        return None;
    }
    let gained = |pace: &Pace| {
        let Begun { piece, first } = pace.begun.as_ref().filter(|_| !pace.asked)?;
        let (when, _) = first.as_ref()?;
        let (weight, left) = (pieces.weights[*piece], 1.0 - pieces.parts[*piece]);
        let own = left * weight / rate(pace)?.max(1e-9);
        let other = weight * if pieces.resumed { left } else { 1.0 } / fastest;
        let seen = when.elapsed().as_secs_f64() >= SPARED;
        (seen && own > 2.0 * other + SPARED).then_some(own - other)
    };
    let all = paces.iter().enumerate().filter_map(|(at, pace)| Some((at, gained(pace)?)));
    all.max_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(at, _)| at)
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

/// What workers take pieces from.
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    /// Whether there is no next piece any more, and work is to stop.
    closed: AtomicBool,
}

struct State {
    waiting: VecDeque<usize>,
    /// Pieces that workers have.
    taken: usize,
    /// Workers that wait for a piece.
    idle: usize,
}

impl Queue {
    fn new(pieces: impl Iterator<Item = usize>) -> Self {
        let state = State { waiting: pieces.collect(), taken: 0, idle: 0 };
        Self { state: Mutex::new(state), changed: Condvar::new(), closed: AtomicBool::new(false) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next piece. If others are at work on the last ones, waits, because they may give them back.
    fn next(&self) -> Option<Taken<'_>> {
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
    fn leave_to_others(&self, piece: usize) {
        let mut state = self.state();
        while state.waiting.contains(&piece)
            && state.idle > 0
            && !self.closed.load(Ordering::Relaxed)
        {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// From now on there is no next piece, and whoever has one is to stop.
    fn close(&self) {
        let state = self.state();
        self.closed.store(true, Ordering::Relaxed);
        drop(state);
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What happened: the pieces that each device began, and those that it ended.
    #[derive(Debug, Default, PartialEq)]
    struct Course {
        begun: Vec<(usize, usize)>,
        ended: Vec<(usize, usize)>,
        lost: Vec<usize>,
    }

    fn course(
        devices: usize,
        weights: &[f64],
        resumed: bool,
        work: Work<'_, usize>,
    ) -> (Result<Shared<usize>>, Course) {
        let mut course = Course::default();
        let open = (0..weights.len()).collect();
        let pieces = Pieces { weights, parts: vec![0.0; weights.len()], open, resumed };
        let shared = share_out(devices, pieces, work, &mut (), &mut |_, device, seen| match seen {
            Seen::Begun(piece) => course.begun.push((device, piece)),
            Seen::Ended(piece, result) => course.ended.push((*result, piece)),
            Seen::Lost(_) => course.lost.push(device),
        });
        (shared, course)
    }

    /// Goes on in steps of a hundredth that take so long, from the part that is done; stops when it is asked to.
    fn steps(done: &Mutex<u32>, each: Duration, observer: &mut dyn Observer) -> bool {
        let mut done = done.lock().unwrap();
        observer.see(Event::Progress { done: 0.0, part: f64::from(*done) / 100.0 });
        while *done < 100 && !observer.stops() {
            thread::sleep(each);
            *done += 1;
            observer.see(Event::Progress { done: 0.0, part: f64::from(*done) / 100.0 });
        }
        *done == 100
    }

    fn broken() -> Error {
        Failure::gpu("go on", "it was lost").into()
    }

    #[test]
    fn whoever_is_idle_takes_the_next_piece() {
        // The first device has its piece until all others are done.
        let left = Mutex::new(5);
        let work = |device: usize, piece: usize, _: &mut dyn Observer| {
            while piece == 0 && *left.lock().unwrap() > 0 {
                thread::sleep(Duration::from_millis(1));
            }
            if piece > 0 {
                *left.lock().unwrap() -= 1;
            }
            Ok(Some(device))
        };
        let (shared, course) = course(2, &[1.0; 6], true, &work);
        let done = shared.unwrap().done;
        let slow = done[0].unwrap();
        assert_eq!(done, [slow, 1 - slow, 1 - slow, 1 - slow, 1 - slow, 1 - slow].map(Some));
        assert_eq!((course.ended.len(), &course.lost[..]), (6, &[][..]));
    }

    #[test]
    fn what_a_failing_device_had_is_done_by_others() {
        // It fails when the other has nothing left to do.
        let others = Mutex::new(0);
        let work = |device: usize, _: usize, _: &mut dyn Observer| {
            if device == 1 {
                while *others.lock().unwrap() < 3 {
                    thread::sleep(Duration::from_millis(1));
                }
                return Err(broken().with(crate::project::Left::Images("x".into())));
            }
            thread::sleep(Duration::from_millis(10));
            *others.lock().unwrap() += 1;
            Ok(Some(device))
        };
        let (shared, course) = course(2, &[1.0; 4], true, &work);
        let shared = shared.unwrap();
        assert_eq!((shared.done, shared.alive), (vec![Some(0); 4], vec![true, false]));
        assert_eq!((course.begun.len(), course.lost), (5, vec![1]));

        let (shared, all) = super::tests::course(2, &[1.0; 4], true, &|_, _, _| Err(broken()));
        let shared = shared.unwrap();
        assert_eq!((shared.alive, all.lost.len(), all.ended.len()), (vec![false; 2], 2, 0));
        assert!(shared.failure.is_some());
    }

    #[test]
    fn other_failures_end_all_work() {
        let begun = Mutex::new(0);
        let work = |_: usize, piece: usize, observer: &mut dyn Observer| {
            *begun.lock().unwrap() += 1;
            if piece == 0 {
                return Err(Error::Busy("x".into()));
            }
            while !observer.stops() {
                thread::sleep(Duration::from_millis(1));
            }
            Ok(None)
        };
        let (shared, course) = course(2, &[1.0; 9], true, &work);
        assert!(matches!(shared, Err(Error::Busy(_))));
        assert!(*begun.lock().unwrap() <= 2 && course.ended.is_empty());
    }

    #[test]
    fn a_slow_device_gives_its_last_piece_to_one_that_is_idle() {
        let done: Vec<_> = (0..3).map(|_| Mutex::new(0)).collect();
        let work = |device: usize, piece: usize, observer: &mut dyn Observer| {
            let each = Duration::from_millis([200, 2][device]);
            Ok(steps(&done[piece], each, observer).then_some(device))
        };
        let begun = Instant::now();
        let (shared, all) = course(2, &[1.0; 3], true, &work);
        // Alone it would have taken 20 seconds for its piece.
        assert!(begun.elapsed() < Duration::from_secs(15));
        let slow = all.begun.iter().find(|(device, _)| *device == 0).unwrap().1;
        assert_eq!(shared.unwrap().done, [Some(1); 3]);
        assert_eq!(all.begun.last(), Some(&(1, slow)));
        assert_eq!(all.begun.len(), 4);
    }

    #[test]
    fn a_piece_is_taken_over_only_if_that_gains_time() {
        let weights = [4.0, 4.0];
        let pieces = |part, resumed| Pieces {
            weights: &weights,
            parts: vec![part, 1.0],
            open: Vec::new(),
            resumed,
        };
        let ago = |seconds| Instant::now().checked_sub(Duration::from_secs(seconds)).unwrap();
        let told = |part: f64, seconds: u64, (weight, of_idle): (f64, f64), resumed| {
            let begun = Some(Begun { piece: 0, first: Some((ago(seconds), 0.0)) });
            let paces = [
                Pace { begun, ..Pace::default() },
                Pace { before: (weight, of_idle), ..Pace::default() },
            ];
            too_slow(&paces, &pieces(part, resumed), &Queue::new(0..0))
        };
        // Half of it took 20 seconds: 20 are left, and the other takes 2, or 4 from the start.
        assert_eq!(told(0.5, 20, (4.0, 4.0), true), Some(0));
        assert_eq!(told(0.5, 20, (4.0, 4.0), false), Some(0));
        assert_eq!(told(0.5, 20, (4.0, 10.0), false), None, "it would begin again");
        assert_eq!(told(0.5, 20, (4.0, 16.0), true), None, "hardly faster");
        assert_eq!(told(0.9, 20, (4.0, 4.0), true), None, "soon done");
        assert_eq!(told(0.0, 4, (4.0, 4.0), true), None, "too early to say");
        assert_eq!(told(0.0, 20, (4.0, 4.0), true), Some(0), "it does nothing at all");
        assert_eq!(told(0.5, 20, (0.0, 0.0), true), None, "nothing is known of the other");
    }
}
