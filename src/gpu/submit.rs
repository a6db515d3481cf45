//! Submitting work of any length in submissions that are short enough.

use std::ops::ControlFlow;

use super::{Gpu, Place, Recording, Share, Ticket};
use crate::Result;

/// Submissions that may be unfinished if a caller watches: enough to keep the device busy, few enough to stop soon.
pub(crate) const WAITING: usize = 2;

/// Called between submissions with the seconds that the finished ones were expected to take; says whether to go on.
pub(crate) type Between<'a> = &'a mut dyn FnMut(f64) -> ControlFlow<()>;

/// Work on its way to the queue: cut so that no submission is expected to take longer than the device's target.
pub(crate) struct Submissions<'a> {
    gpu: &'a Gpu,
    open: Option<(wgpu::CommandEncoder, Share)>,
    submitted: Submitted,
    watcher: Option<Watcher<'a>>,
}

/// A caller that watches: its callback, the work done so far, and the callback's last answer.
struct Watcher<'a> {
    between: Between<'a>,
    doing: &'a str,
    expected: f64,
    done: f64,
    outcome: Result<ControlFlow<()>>,
}

impl<'a> Submissions<'a> {
    pub fn new(gpu: &'a Gpu) -> Self {
        Self { gpu, open: None, submitted: Submitted::default(), watcher: None }
    }

    /// Waits after each submission until few are left, and calls `between`. Once that breaks, nothing more is
    /// submitted.
    pub fn watched(gpu: &'a Gpu, doing: &'a str, between: Between<'a>) -> Self {
        let outcome = Ok(ControlFlow::Continue(()));
        let watcher = Some(Watcher { between, doing, expected: 0.0, done: 0.0, outcome });
        Self { watcher, ..Self::new(gpu) }
    }

    pub fn gpu(&self) -> &'a Gpu {
        self.gpu
    }

    /// For copies and the like, which take no time to speak of.
    pub fn encoder(&mut self) -> &mut wgpu::CommandEncoder {
        &mut self.open().0
    }

    pub fn run(&mut self, recording: &Recording, label: &str) {
        let (gpu, mut place) = (self.gpu, Place::default());
        while !self.is_stopped() {
            let (encoder, share) = self.open();
            if recording.encode_some(gpu, &mut place, share, encoder, label) {
                break;
            }
            self.submit();
        }
    }

    /// Submits the work encoded so far, before something is written that this work must not see.
    pub fn submit(&mut self) {
        let Some((encoder, share)) = self.open.take() else { return };
        if self.is_stopped() {
            return;
        }
        let expected = share.watched();
        self.submitted.push(share.submit(self.gpu, encoder));
        if let Some(watcher) = &mut self.watcher {
            watcher.expected += expected;
            let waited = self.submitted.wait_for_all_but(WAITING, self.gpu, watcher.doing);
            // Never less than before, however sums are rounded.
            watcher.done = watcher.done.max(watcher.expected - self.submitted.expected());
            watcher.outcome = waited.map(|()| (watcher.between)(watcher.done));
        }
    }

    /// Whether nothing more is submitted, because the caller asked for that or the device failed.
    fn is_stopped(&self) -> bool {
        let goes_on = |w: &Watcher<'_>| matches!(w.outcome, Ok(ControlFlow::Continue(())));
        !self.watcher.as_ref().is_none_or(goes_on)
    }

    /// Submits the rest; whether nothing was left out.
    pub fn end(&mut self) -> Result<bool> {
        self.submit();
        match self.watcher.take().map(|watcher| watcher.outcome).transpose()? {
            Some(ControlFlow::Break(())) => Ok(false),
            _ => Ok(true),
        }
    }

    /// Submits the rest.
    pub fn finish(mut self) -> Submitted {
        self.submit();
        self.submitted
    }

    fn open(&mut self) -> &mut (wgpu::CommandEncoder, Share) {
        let gpu = self.gpu;
        self.open.get_or_insert_with(|| {
            let encoder = gpu.device().create_command_encoder(&Default::default());
            (encoder, Share::of(gpu.submit_target()))
        })
    }
}

impl Recording {
    /// Submits everything.
    pub fn submit(&self, gpu: &Gpu, label: &str) -> Submitted {
        let mut submissions = Submissions::new(gpu);
        submissions.run(self, label);
        submissions.finish()
    }
}

/// Pieces of work that were submitted, in order.
#[derive(Debug, Default)]
pub(crate) struct Submitted(Vec<Ticket>);

impl Submitted {
    pub fn push(&mut self, ticket: Ticket) {
        self.0.push(ticket);
    }

    /// Seconds that the work which is not known to be done was expected to take.
    pub fn expected(&self) -> f64 {
        self.0.iter().map(Ticket::expected).sum()
    }

    /// Waits until at most so many are not known to be done.
    pub fn wait_for_all_but(&mut self, at_most: usize, gpu: &Gpu, doing: &str) -> Result<()> {
        let Some(last) = self.0.len().checked_sub(at_most + 1) else { return Ok(()) };
        self.0[..=last].iter_mut().try_for_each(|ticket| ticket.wait_blocking(gpu, doing))?;
        if let Some(submission) = self.0[last].submission() {
            gpu.wait_for(Some(submission), doing)?;
        }
        self.settle(gpu).map(drop)
    }

    /// The last submission; `None` if there was nothing to do, or if the caller submits.
    pub fn last(&self) -> Option<wgpu::SubmissionIndex> {
        self.0.last().and_then(Ticket::submission)
    }

    /// Whether all of it is done. Never waits.
    pub fn settle(&mut self, gpu: &Gpu) -> Result<bool> {
        while let Some(first) = self.0.first_mut() {
            if !first.settle(gpu)? {
                return Ok(false);
            }
            self.0.remove(0);
        }
        Ok(true)
    }

    /// Completes when at most so many are not known to be done. This needs somebody to poll the device.
    pub async fn all_but(&mut self, at_most: usize, gpu: &Gpu) -> Result<()> {
        let Some(last) = self.0.len().checked_sub(at_most + 1) else { return Ok(()) };
        for ticket in &mut self.0[..=last] {
            ticket.done(gpu).await?;
        }
        self.settle(gpu).map(drop)
    }

    /// Waits for all of it.
    pub fn wait_blocking(&mut self, gpu: &Gpu, doing: &str) -> Result<()> {
        self.wait_for_all_but(0, gpu, doing)
    }
}
