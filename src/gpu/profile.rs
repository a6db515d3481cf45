//! Timing kernels one by one, on a path of its own: recordings are replayed for it. Runs, which
//! submit recordings as a whole, are not affected.

use super::{Cost, Dispatch, Gpu, Recording, watch::Watch};
use crate::{Result, clock::Instant};

/// How long one dispatch took.
#[derive(Debug)]
pub(crate) struct Timed<'a> {
    pub name: &'a str,
    pub cost: Cost,
    pub seconds: f64,
}

/// How dispatches are timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Clock {
    /// The device records when each begins and ends.
    Timestamps,
    /// Each is submitted alone and waited for, which adds the time of a round trip.
    Waiting,
}

const DOING: &str = "time kernels";

/// Dispatches whose timestamps come back together; WebGPU allows 4096 queries in a set.
const AT_ONCE: usize = 256;

impl Clock {
    /// Timestamps, if the device has them and they agree with waiting for `probe`, which should
    /// take some milliseconds.
    pub fn of(gpu: &Gpu, probe: &Recording) -> Result<Self> {
        if !gpu.device().features().contains(wgpu::Features::TIMESTAMP_QUERY) {
            return Ok(Self::Waiting);
        }
        let total = |clock: Self| -> Result<f64> {
            Ok(clock.time(gpu, &[probe])?.iter().map(|timed| timed.seconds).sum())
        };
        // This compiles the kernel, on drivers that compile at the first use.
        total(Self::Waiting)?;
        let (stamped, waited) = (total(Self::Timestamps)?, total(Self::Waiting)?);
        log::debug!("a probe took {stamped} s by timestamps, {waited} s by waiting");
        let sensible = (0.5 * waited..=1.5 * waited).contains(&stamped);
        Ok(if sensible { Self::Timestamps } else { Self::Waiting })
    }

    /// Runs the recordings once more, in order, and times each dispatch.
    pub fn time<'a>(self, gpu: &Gpu, recordings: &[&'a Recording]) -> Result<Vec<Timed<'a>>> {
        let dispatches: Vec<_> = recordings.iter().flat_map(|r| r.dispatches()).collect();
        gpu.wait_blocking(DOING)?;
        let mut seconds = Vec::with_capacity(dispatches.len());
        for some in dispatches.chunks(AT_ONCE) {
            seconds.extend(match self {
                Self::Timestamps => stamped(gpu, some)?,
                Self::Waiting => waited(gpu, some)?,
            });
        }
        let timed = |(dispatch, seconds): (&'a Dispatch, f64)| Timed {
            name: &dispatch.label,
            cost: dispatch.cost,
            seconds,
        };
        Ok(dispatches.into_iter().zip(seconds).map(timed).collect())
    }
}

fn waited(gpu: &Gpu, dispatches: &[&Dispatch]) -> Result<Vec<f64>> {
    let time = |dispatch: &&Dispatch| {
        let mut encoder = gpu.device().create_command_encoder(&Default::default());
        dispatch.encode(&mut encoder.begin_compute_pass(&Default::default()));
        dispatch.encode_copies(&mut encoder);
        let commands = encoder.finish();
        let begun = Instant::now();
        gpu.queue().submit([commands]);
        gpu.wait_blocking(DOING)?;
        Ok(begun.elapsed().as_secs_f64())
    };
    dispatches.iter().map(time).collect()
}

/// A pass for each: timestamps at the edges of passes are what every backend has.
fn stamped(gpu: &Gpu, dispatches: &[&Dispatch]) -> Result<Vec<f64>> {
    let mut watch = Watch::new(gpu, dispatches.len() as u32);
    let mut encoder = gpu.device().create_command_encoder(&Default::default());
    for dispatch in dispatches {
        let mut timestamp_writes = watch.next();
        let mut end = timestamp_writes.clone();
        if !dispatch.copies.is_empty() {
            // Another pass, which is empty, ends when they do.
            timestamp_writes.iter_mut().for_each(|stamps| stamps.end_of_pass_write_index = None);
            end.iter_mut().for_each(|stamps| stamps.beginning_of_pass_write_index = None);
        }
        let pass = |timestamp_writes| wgpu::ComputePassDescriptor { label: None, timestamp_writes };
        dispatch.encode(&mut encoder.begin_compute_pass(&pass(timestamp_writes)));
        if !dispatch.copies.is_empty() {
            dispatch.encode_copies(&mut encoder);
            encoder.begin_compute_pass(&pass(end));
        }
    }
    watch.end(&mut encoder);
    let submission = gpu.queue().submit([encoder.finish()]);
    watch.seconds_blocking(gpu, submission)
}
