//! Timestamps of what is encoded in one go, taken again and again with the same few buffers.

use std::{sync::Mutex, time::Instant};

use super::{Gpu, Readback, unpoisoned};
use crate::Result;

/// Room for the timestamps of some passes, used again once they were read.
#[derive(Debug)]
pub(super) struct Watch {
    queries: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    readback: Readback<u64>,
    passes: u32,
}

/// Passes of a share that are watched at most.
const PASSES: u32 = 32;

/// Where a pass writes when it begins and ends.
#[derive(Debug)]
pub(super) struct Stamps {
    queries: wgpu::QuerySet,
    first: u32,
}

impl Stamps {
    pub fn of_pass(&self) -> wgpu::ComputePassTimestampWrites<'_> {
        wgpu::ComputePassTimestampWrites {
            query_set: &self.queries,
            beginning_of_pass_write_index: Some(self.first),
            end_of_pass_write_index: Some(self.first + 1),
        }
    }
}

impl Watch {
    pub fn new(gpu: &Gpu) -> Self {
        let label = Some("timestamps");
        let queries = gpu.device().create_query_set(&wgpu::QuerySetDescriptor {
            label,
            ty: wgpu::QueryType::Timestamp,
            count: 2 * PASSES,
        });
        let resolved = gpu.device().create_buffer(&wgpu::BufferDescriptor {
            label,
            size: u64::from(2 * PASSES) * size_of::<u64>() as u64,
            usage: wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        });
        let readback = Readback::new(gpu, "timestamps on their way", 2 * PASSES as usize);
        Self { queries, resolved, readback, passes: 0 }
    }

    pub fn next(&mut self) -> Option<Stamps> {
        let first = 2 * self.passes;
        if self.passes == PASSES {
            return None;
        }
        self.passes += 1;
        Some(Stamps { queries: self.queries.clone(), first })
    }

    pub fn resolve(&mut self, encoder: &mut wgpu::CommandEncoder) {
        encoder.resolve_query_set(&self.queries, 0..2 * self.passes, &self.resolved, 0);
        self.readback.record_from(encoder, &self.resolved);
    }

    pub fn is_dropped(&self) -> bool {
        self.readback.is_dropped()
    }

    /// What its passes took together, if that has arrived.
    pub fn seconds(&mut self, gpu: &Gpu) -> Result<Option<f64>> {
        let Some(ticks) = self.readback.take()? else { return Ok(None) };
        let passes = std::mem::take(&mut self.passes) as usize;
        let pairs = ticks.chunks_exact(2).take(passes);
        let sum: u64 = pairs.map(|pair| pair[1].saturating_sub(pair[0])).sum();
        Ok(Some(sum as f64 * f64::from(gpu.queue().get_timestamp_period()) * 1e-9))
    }
}

/// What a device's shares are measured with.
#[derive(Debug, Default)]
pub(super) struct Watches {
    pub idle: Mutex<Vec<Watch>>,
    /// When work was last seen to be done.
    pub last_seen: Mutex<Option<Instant>>,
}

impl Watches {
    pub fn take(&self, gpu: &Gpu) -> Watch {
        unpoisoned(&self.idle).pop().unwrap_or_else(|| Watch::new(gpu))
    }
}
