//! What an adapter can do at most.

use super::Ceiling;
use crate::{
    Gpu, Result,
    gpu::{Buffer, Clock, Recording},
    kernels::{copy, multiply_add},
};

/// Enough to fill any GPU several times over. A few fill a CPU, and there each further workgroup
/// adds time that is not arithmetic.
fn invocations(gpu: &Gpu) -> usize {
    if gpu.caps().cpu { 1 << 12 } else { 1 << 19 }
}

/// Long enough that the clock's resolution and the cost of a submission do not matter.
const LONG: f64 = 0.03;
/// The best of so many.
const TRIES: usize = 10;

/// Multiply-adds that take long enough, and the best way to time kernels on this device.
pub(super) fn clock(gpu: &Gpu) -> Result<(Recording, Clock)> {
    let result = Buffer::zeros(gpu, "multiply-add result", invocations(gpu));
    let mut loops = 1;
    loop {
        let mut probe = Recording::default();
        probe.push(multiply_add(gpu, loops, &result));
        if best(gpu, &probe, Clock::Waiting, 2)?.seconds >= LONG || loops >= 1 << 20 {
            let clock = Clock::of(gpu, &probe)?;
            return Ok((probe, clock));
        }
        loops *= 2;
    }
}

pub(super) fn measure(
    gpu: &Gpu,
    arithmetic: &Recording,
    clock: Clock,
    budget: u64,
) -> Result<Ceiling> {
    let of = |amount: Option<u64>, seconds: f64| amount.unwrap_or(0) as f64 / seconds / 1e9;
    let fastest = best(gpu, arithmetic, clock, TRIES)?;
    let gflops = of(fastest.flops, fastest.seconds);

    let copied_bytes = (256 << 20).min(gpu.max_binding()).min(budget / 2);
    let values = (copied_bytes as usize / size_of::<[f32; 4]>()).max(1);
    let [from, to] = ["copied from", "copied to"].map(|label| Buffer::zeros(gpu, label, values));
    let mut traffic = Recording::default();
    traffic.push(copy(gpu, &from, &to));
    let fastest = best(gpu, &traffic, clock, TRIES)?;
    Ok(Ceiling { gflops, gbytes_per_s: of(fastest.bytes, fastest.seconds), copied_bytes })
}

struct Fastest {
    seconds: f64,
    flops: Option<u64>,
    bytes: Option<u64>,
}

/// The fastest of some replays of a single dispatch.
fn best(gpu: &Gpu, recording: &Recording, clock: Clock, tries: usize) -> Result<Fastest> {
    let mut best = Fastest { seconds: f64::INFINITY, flops: None, bytes: None };
    // One more: the first may compile, or find its memory untouched.
    for _ in 0..=tries {
        for timed in clock.time(gpu, &[recording])? {
            if timed.seconds < best.seconds {
                let (flops, bytes) = (timed.cost.flops, timed.cost.bytes);
                best = Fastest { seconds: timed.seconds, flops, bytes };
            }
        }
    }
    Ok(best)
}
