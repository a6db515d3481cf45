//! Timestamps of passes, recorded by the device.

use std::{
    sync::Mutex,
    task::{Context, Poll},
};

use super::{Gpu, Readback, unpoisoned};
use crate::{Result, clock::Instant};

/// Room for the timestamps of some passes, to be used again once they were read.
#[derive(Debug)]
pub(super) struct Watch {
    queries: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    readback: Readback<u64>,
    room: u32,
    passes: u32,
}

impl Watch {
    pub fn new(gpu: &Gpu, passes: u32) -> Self {
        let (label, count) = (Some("timestamps"), 2 * passes);
        let queries = gpu.device().create_query_set(&wgpu::QuerySetDescriptor {
            label,
            ty: wgpu::QueryType::Timestamp,
            count,
        });
        let resolved = gpu.device().create_buffer(&wgpu::BufferDescriptor {
            label,
            size: u64::from(count) * size_of::<u64>() as u64,
            usage: wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        });
        let readback = Readback::new(gpu, "timestamps on their way", count as usize);
        Self { queries, resolved, readback, room: passes, passes: 0 }
    }

    /// The timestamps that the next pass writes, if there is room for them.
    pub fn next(&mut self) -> Option<wgpu::ComputePassTimestampWrites<'_>> {
        let first = 2 * self.passes;
        (self.passes < self.room).then(|| {
            self.passes += 1;
            wgpu::ComputePassTimestampWrites {
                query_set: &self.queries,
                beginning_of_pass_write_index: Some(first),
                end_of_pass_write_index: Some(first + 1),
            }
        })
    }

    /// Must be called after the last pass; there must have been at least one.
    pub fn end(&mut self, encoder: &mut wgpu::CommandEncoder) {
        encoder.resolve_query_set(&self.queries, 0..2 * self.passes, &self.resolved, 0);
        self.readback.record_from(encoder, &self.resolved);
    }

    /// Whether nothing will arrive any more: the encoder is gone and was not submitted.
    pub fn is_dropped(&self) -> bool {
        self.readback.is_dropped()
    }

    /// Ready unless they are still on their way; then the waiting task is woken when they have arrived.
    pub fn poll_arrived(&self, context: &mut Context<'_>) -> Poll<()> {
        self.readback.poll_arrived(context)
    }

    /// The seconds of each pass, if they have arrived.
    pub fn seconds(&mut self, gpu: &Gpu) -> Result<Option<Vec<f64>>> {
        Ok(self.readback.take()?.map(|ticks| self.durations(gpu, &ticks)))
    }

    /// Waits for the seconds of each pass.
    pub fn seconds_blocking(
        &mut self,
        gpu: &Gpu,
        submission: wgpu::SubmissionIndex,
    ) -> Result<Vec<f64>> {
        let ticks = self.readback.take_blocking(gpu, submission)?;
        Ok(self.durations(gpu, &ticks))
    }

    fn durations(&mut self, gpu: &Gpu, ticks: &[u64]) -> Vec<f64> {
        let passes = std::mem::take(&mut self.passes) as usize;
        let period = f64::from(gpu.queue().get_timestamp_period()) * 1e-9;
        let pairs = ticks.chunks_exact(2).take(passes);
        pairs.map(|pair| pair[1].saturating_sub(pair[0]) as f64 * period).collect()
    }
}

/// The most passes of a share that are measured.
const PASSES: u32 = 128;

/// The timestamp queries with which a device's shares are measured.
#[derive(Debug, Default)]
pub(super) struct Watches {
    pub idle: Mutex<Vec<Watch>>,
    /// When work was last seen to be done.
    pub last_seen: Mutex<Option<Instant>>,
}

impl Watches {
    pub fn take(&self, gpu: &Gpu) -> Watch {
        unpoisoned(&self.idle).pop().unwrap_or_else(|| Watch::new(gpu, PASSES))
    }
}
