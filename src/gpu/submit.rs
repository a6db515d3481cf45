//! Submitting work of any length in submissions that are short enough.

use super::{Gpu, Place, Recording, Share, Ticket};
use crate::{Error, Result};

/// Work on its way to the queue: cut so that no submission is expected to take longer than the device's target.
#[derive(Debug)]
pub(crate) struct Submissions<'a> {
    gpu: &'a Gpu,
    open: Option<(wgpu::CommandEncoder, Share)>,
    tickets: Vec<Ticket>,
}

impl<'a> Submissions<'a> {
    pub fn new(gpu: &'a Gpu) -> Self {
        Self { gpu, open: None, tickets: Vec::new() }
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
        loop {
            let (encoder, share) = self.open();
            if recording.encode_some(gpu, &mut place, share, encoder, label) {
                break;
            }
            self.submit();
        }
    }

    /// Submits what there is, before something is written that it must not see.
    pub fn submit(&mut self) {
        if let Some((encoder, share)) = self.open.take() {
            self.tickets.push(share.submit(self.gpu, encoder));
        }
    }

    /// Submits the rest.
    pub fn finish(mut self) -> Submitted {
        self.submit();
        Submitted(self.tickets)
    }

    fn open(&mut self) -> &mut (wgpu::CommandEncoder, Share) {
        let gpu = self.gpu;
        self.open.get_or_insert_with(|| {
            let encoder = gpu.device().create_command_encoder(&Default::default());
            (encoder, Share::of(gpu.submit_target()))
        })
    }
}

/// One piece of work that was submitted, in order.
#[derive(Debug, Default)]
pub(crate) struct Submitted(Vec<Ticket>);

impl From<Vec<Ticket>> for Submitted {
    fn from(tickets: Vec<Ticket>) -> Self {
        Self(tickets)
    }
}

impl Submitted {
    /// The last submission of it. None where there was nothing to do, or where the caller submits.
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

    /// Waits for all of it.
    pub fn wait_blocking(&mut self, gpu: &Gpu, doing: &str) -> Result<()> {
        let last = self.last();
        self.0.iter_mut().try_for_each(|ticket| ticket.wait_blocking(gpu, doing))?;
        if let Some(last) = last {
            let wait = wgpu::PollType::Wait { submission_index: Some(last), timeout: None };
            gpu.device().poll(wait).map_err(|e| Error::gpu(doing, e))?;
        }
        self.settle(gpu).map(drop)
    }
}
