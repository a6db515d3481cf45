//! Shares of expected seconds that work is encoded into, and tickets that measure how long it took.

use std::{
    future::poll_fn,
    sync::{Arc, Mutex},
    task::{Poll, Waker, ready},
    time::Duration,
};

use super::{Gpu, kernel::Pipeline, unpoisoned, watch::Watch};
use crate::{Error, Result, clock::Instant};

/// A share: how many seconds of work may be encoded in one go, and what was encoded.
#[derive(Debug)]
pub(crate) struct Share {
    allowed: f64,
    expected: f64,
    watched: Vec<Watched>,
    watch: Option<Watch>,
    begun: Instant,
    watching: bool,
}

/// A part of a share whose time is measured.
#[derive(Debug)]
struct Watched {
    pipeline: Arc<Pipeline>,
    factor: f64,
    seconds: f64,
}

impl Share {
    /// Room for so much work, but at least for one smallest piece.
    pub fn of(allowed: Duration) -> Self {
        Self {
            allowed: allowed.as_secs_f64(),
            expected: 0.0,
            watched: Vec::new(),
            watch: None,
            begun: Instant::now(),
            watching: true,
        }
    }

    /// Room for any amount of work.
    pub fn unbounded() -> Self {
        Self::of(Duration::MAX)
    }

    pub fn room(&self) -> f64 {
        self.allowed - self.expected
    }

    pub fn is_untouched(&self) -> bool {
        self.expected == 0.0
    }

    pub fn has_room(&self) -> bool {
        self.is_untouched() || self.room() > 0.0
    }

    /// The time that the encoded work is expected to take.
    pub fn expected(&self) -> Duration {
        duration(self.expected)
    }

    /// The same, for the part of it that is measured.
    pub fn watched(&self) -> f64 {
        self.watched.iter().map(|watched| watched.seconds).sum()
    }

    pub(super) fn take(&mut self, pipeline: &Arc<Pipeline>, seconds: f64) {
        self.expected += seconds;
        if self.watching {
            let factor = pipeline.pace.factor();
            self.watched.push(Watched { pipeline: pipeline.clone(), factor, seconds });
        }
    }

    /// A pass that records its time, if the device can.
    pub(super) fn begin_pass<'a>(
        &mut self,
        gpu: &Gpu,
        encoder: &'a mut wgpu::CommandEncoder,
        label: &str,
    ) -> wgpu::ComputePass<'a> {
        let mut timestamp_writes = None;
        if gpu.device().features().contains(wgpu::Features::TIMESTAMP_QUERY) {
            let watch = self.watch.get_or_insert_with(|| gpu.shared.watches.take(gpu));
            timestamp_writes = watch.next();
            // Passes beyond the room for timestamps are not measured.
            self.watching = timestamp_writes.is_some();
        }
        let label = Some(label);
        encoder.begin_compute_pass(&wgpu::ComputePassDescriptor { label, timestamp_writes })
    }

    /// Ends a share whose encoder the caller submits.
    pub fn end(self, encoder: &mut wgpu::CommandEncoder) -> Ticket {
        let how = match self.watch {
            Some(mut watch) => {
                watch.end(encoder);
                How::Stamped(watch)
            }
            None => {
                let seen = Arc::new(Mutex::new((Seen::Pending, None)));
                let notice = Notice(seen.clone());
                encoder.on_submitted_work_done(move || notice.is(Seen::Done(Instant::now())));
                How::Seen(seen)
            }
        };
        let (watched, begun, how) = (self.watched, self.begun, Some(how));
        Ticket { watched, begun, at_least: 0.0, submission: None, how }
    }

    /// Ends a share and submits it.
    pub fn submit(self, gpu: &Gpu, mut encoder: wgpu::CommandEncoder) -> Ticket {
        let mut ticket = self.end(&mut encoder);
        ticket.submission = Some(gpu.queue().submit([encoder.finish()]));
        ticket
    }
}

/// Work that was encoded, and how its time will be known.
#[derive(Debug)]
pub(crate) struct Ticket {
    watched: Vec<Watched>,
    begun: Instant,
    /// Seconds after which it was last seen unfinished.
    at_least: f64,
    /// `None` if the caller submits.
    submission: Option<wgpu::SubmissionIndex>,
    /// `None` once it was read.
    how: Option<How>,
}

#[derive(Debug)]
enum How {
    /// The device records the time.
    Stamped(Watch),
    /// Polling the device shows when the work is done.
    Seen(Arc<Mutex<Sight>>),
}

/// What was observed, and who waits for it.
type Sight = (Seen, Option<Waker>);

#[derive(Debug, Clone, Copy)]
enum Seen {
    Pending,
    Done(Instant),
    /// The encoder is gone and was never submitted.
    Dropped,
}

/// A waiting task is woken in any case.
#[derive(Debug)]
struct Notice(Arc<Mutex<Sight>>);

impl Notice {
    fn is(&self, what: Seen) {
        let waiting = {
            let mut sight = unpoisoned(&self.0);
            sight.0 = what;
            sight.1.take()
        };
        if let Some(waker) = waiting {
            waker.wake();
        }
    }
}

impl Drop for Notice {
    fn drop(&mut self) {
        let pending = matches!(unpoisoned(&self.0).0, Seen::Pending);
        if pending {
            self.is(Seen::Dropped);
        }
    }
}

impl Ticket {
    /// The submission, unless the caller submits.
    pub fn submission(&self) -> Option<wgpu::SubmissionIndex> {
        self.submission.clone()
    }

    /// Whether its work is done; if so, the paces are corrected. Never waits.
    pub fn settle(&mut self, gpu: &Gpu) -> Result<bool> {
        self.look(gpu, false)
    }

    /// Whether it will never be done: its encoder is gone and was not submitted.
    pub fn is_dropped(&self) -> bool {
        match &self.how {
            None => false,
            Some(How::Stamped(watch)) => watch.is_dropped(),
            Some(How::Seen(seen)) => matches!(unpoisoned(seen).0, Seen::Dropped),
        }
    }

    /// Waits for it, if waiting is how its time is measured.
    pub fn wait_blocking(&mut self, gpu: &Gpu, doing: &str) -> Result<()> {
        if let (Some(How::Seen(_)), Some(submission)) = (&self.how, self.submission.clone()) {
            gpu.wait_for(Some(submission), doing)?;
            self.look(gpu, true)?;
        }
        Ok(())
    }

    /// Completes when its work is done, and corrects the paces. This needs somebody to poll the device.
    pub async fn done(&mut self, gpu: &Gpu) -> Result<()> {
        poll_fn(|context| {
            match &self.how {
                None => {}
                Some(How::Stamped(watch)) => ready!(watch.poll_arrived(context)),
                Some(How::Seen(seen)) => {
                    let mut sight = unpoisoned(seen);
                    if matches!(sight.0, Seen::Pending) {
                        sight.1 = Some(context.waker().clone());
                        return Poll::Pending;
                    }
                }
            }
            Poll::Ready(())
        })
        .await;
        self.settle(gpu).map(drop)
    }

    fn look(&mut self, gpu: &Gpu, waited: bool) -> Result<bool> {
        let expected = self.expected();
        let seconds = match &mut self.how {
            None => return Ok(true),
            Some(How::Stamped(watch)) => match watch.seconds(gpu)? {
                Some(seconds) => seconds.iter().sum(),
                None => return Ok(false),
            },
            Some(How::Seen(seen)) => match unpoisoned(seen).0 {
                Seen::Pending => {
                    let before = *unpoisoned(&gpu.shared.watches.last_seen);
                    self.at_least = since(before, self.begun, Instant::now());
                    return Ok(false);
                }
                Seen::Dropped => {
                    let dropped = "its command encoder was dropped, not submitted";
                    return Err(Error::gpu("look for finished work", dropped));
                }
                Seen::Done(at) => {
                    // It began when it was encoded, or when the work before it was done.
                    let before = unpoisoned(&gpu.shared.watches.last_seen).replace(at);
                    let most = since(before, self.begun, at);
                    if waited { most } else { within(expected, self.at_least, most) }
                }
            },
        };
        if let Some(How::Stamped(watch)) = self.how.take() {
            unpoisoned(&gpu.shared.watches.idle).push(watch);
        }
        self.learn(seconds, expected);
        Ok(true)
    }

    /// Seconds that the measured part of it was expected to take.
    pub fn expected(&self) -> f64 {
        self.watched.iter().map(|watched| watched.seconds).sum()
    }

    fn learn(&mut self, seconds: f64, expected: f64) {
        if !(expected > 0.0 && seconds > 0.0) {
            return;
        }
        log::trace!("{:.2} ms, expected {:.2} ms", 1e3 * seconds, 1e3 * expected);
        self.watched.sort_by_key(|watched| Arc::as_ptr(&watched.pipeline));
        self.watched.dedup_by(|a, b| Arc::ptr_eq(&a.pipeline, &b.pipeline));
        for Watched { pipeline, factor, .. } in self.watched.drain(..) {
            pipeline.pace.learn(factor, seconds / expected);
        }
    }
}

/// So many seconds, or as many as there can be.
pub(crate) fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

/// Seconds that work took until `at`. It began when it was encoded, or when the work before it was done.
fn since(before: Option<Instant>, encoded: Instant, at: Instant) -> f64 {
    let begun = before.map_or(encoded, |before| before.max(encoded));
    at.saturating_duration_since(begun).as_secs_f64()
}

/// The time that is assumed for work that was seen unfinished and later done, if nobody knows since when.
fn within(expected: f64, at_least: f64, most: f64) -> f64 {
    expected.clamp(at_least.min(most), most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_observations_bound_the_measured_time() {
        assert_eq!(within(4.0, 0.0, 16.0), 4.0, "done by the next frame: nothing new");
        assert_eq!(within(4.0, 0.0, 3.0), 3.0, "faster than expected");
        assert_eq!(within(4.0, 16.0, 33.0), 16.0, "not done in the first frame");
        assert_eq!(within(4.0, 20.0, 16.0), 16.0);
        let now = Instant::now();
        let later = now + Duration::from_secs(2);
        assert_eq!(since(None, now, later), 2.0);
        assert_eq!(since(Some(now + Duration::from_secs(1)), now, later), 1.0, "it had to wait");
        assert_eq!(since(Some(now), later, later), 0.0);
    }

    #[test]
    fn a_share_has_room_for_one_piece_at_least() {
        let mut share = Share::of(Duration::ZERO);
        assert!(share.has_room() && share.is_untouched() && share.room() <= 0.0);
        share.expected = 1e-9;
        assert!(!share.has_room());
        assert!(Share::unbounded().room() > 1e9);
    }
}
