//! Timing something that is done again and again, whole and kernel by kernel.

use std::time::Duration;

use super::{Ceiling, KernelTime, Phase, Stop};
use crate::{
    Condensation, Evaluation, Gpu, Result,
    clock::Instant,
    gpu::{Clock, Recording, Timed},
};

/// Pieces that are not timed, after the first.
pub(super) const WARM_UP: u32 = 2;

/// What is done piece by piece.
pub(super) trait Work {
    /// Submits a piece.
    fn submit(&mut self) -> Result<()>;
    /// Waits until at most so many are in flight.
    fn wait(&mut self, at_most: u32) -> Result<()>;
}

impl Work for Condensation {
    fn submit(&mut self) -> Result<()> {
        self.step()
    }
    fn wait(&mut self, at_most: u32) -> Result<()> {
        self.wait_blocking(at_most)?;
        // If the work failed, its times would mean nothing.
        self.take_losses().map(drop)
    }
}

impl Work for Evaluation {
    fn submit(&mut self) -> Result<()> {
        self.step()
    }
    fn wait(&mut self, at_most: u32) -> Result<()> {
        self.wait_blocking(at_most)
    }
}

/// Prepares the work, does the first piece, warms up, and times `timed` pieces.
pub(super) fn watch<W: Work>(
    gpu: &Gpu,
    prepare: impl FnOnce() -> Result<W>,
    timed: u32,
    done: &mut dyn FnMut(u32) -> Result<(), Stop>,
) -> Result<(Phase, W), Stop> {
    done(0)?;
    gpu.take_made();
    let mut allocated = None;
    let begun = Instant::now();
    let mut work = prepare()?;
    let prepare_ms = ms(begun.elapsed());
    allocated = allocated.max(gpu.allocated());

    let begun = Instant::now();
    work.submit()?;
    allocated = allocated.max(gpu.allocated());
    work.wait(0)?;
    let first_ms = ms(begun.elapsed());
    done(1)?;

    let mut times = Vec::new();
    work.submit()?;
    let mut before = Instant::now();
    for piece in 1..=WARM_UP + timed {
        // There is always one more in flight, also after the last that is timed.
        work.submit()?;
        allocated = allocated.max(gpu.allocated());
        work.wait(1)?;
        let now = Instant::now();
        if piece > WARM_UP {
            times.push(ms(now - before));
        }
        before = now;
        done(1 + piece)?;
    }
    work.wait(0)?;
    let made = gpu.take_made();
    times.sort_by(f64::total_cmp);
    let median_ms = median(&times);
    let phase = Phase {
        timed,
        median_ms,
        min_ms: times.first().copied().unwrap_or_default(),
        max_ms: times.last().copied().unwrap_or_default(),
        prepare_ms,
        first_ms,
        pipelines: made.pipelines,
        compile_ms: ms(made.compiling),
        first_use_ms: (first_ms - median_ms).max(0.0),
        peak_bytes: made.bytes,
        allocated_bytes: allocated,
    };
    Ok((phase, work))
}

/// Dispatches of one kernel, before it is known what the adapter can do at most.
pub(super) struct Sum {
    name: String,
    calls: usize,
    seconds: f64,
    flops: Option<u64>,
    bytes: Option<u64>,
}

/// Replays one piece, kernel by kernel; short ones several times.
pub(super) fn profile(
    gpu: &Gpu,
    clock: Clock,
    recordings: &[&Recording],
    piece_ms: f64,
) -> Result<Vec<Sum>> {
    let replays = (1000.0 / piece_ms.max(1.0)).clamp(1.0, 5.0) as usize;
    let mut sums: Vec<Sum> = Vec::new();
    for replay in 0..replays {
        for Timed { name, cost, seconds } in clock.time(gpu, recordings)? {
            let seconds = seconds / replays as f64;
            match sums.iter_mut().find(|sum| sum.name == name) {
                Some(sum) => {
                    sum.seconds += seconds;
                    if replay == 0 {
                        sum.calls += 1;
                        sum.flops = sum.flops.zip(cost.flops).map(|(a, b)| a + b);
                        sum.bytes = sum.bytes.zip(cost.bytes).map(|(a, b)| a + b);
                    }
                }
                None => sums.push(Sum {
                    name: name.to_owned(),
                    calls: 1,
                    seconds,
                    flops: cost.flops,
                    bytes: cost.bytes,
                }),
            }
        }
    }
    Ok(sums)
}

/// The longest first, each beside what the adapter can do at most.
pub(super) fn beside(ceiling: &Ceiling, sums: Vec<Sum>) -> Vec<KernelTime> {
    let total: f64 = sums.iter().map(|sum| sum.seconds).sum();
    let mut kernels: Vec<_> = sums
        .into_iter()
        .map(|Sum { name, calls, seconds, flops, bytes }| {
            let rate = |amount: Option<u64>| {
                amount.filter(|_| seconds > 0.0).map(|amount| amount as f64 / seconds / 1e9)
            };
            let (gflops, gbytes_per_s) = (rate(flops), rate(bytes));
            KernelTime {
                name,
                calls,
                ms: seconds * 1e3,
                share: if total > 0.0 { seconds / total } else { 0.0 },
                of_gflops: gflops.map(|rate| rate / ceiling.gflops),
                of_gbytes_per_s: gbytes_per_s.map(|rate| rate / ceiling.gbytes_per_s),
                gflops,
                gbytes_per_s,
            }
        })
        .collect();
    kernels.sort_by(|a, b| b.ms.total_cmp(&a.ms));
    kernels
}

pub(super) fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Of values in order.
fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => sorted[middle],
        _ => (sorted[middle - 1] + sorted[middle]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(&[1.0, 2.0, 9.0]), 2.0);
        assert_eq!(median(&[1.0, 2.0, 4.0, 9.0]), 3.0);
        assert_eq!(median(&[]), 0.0);
    }

    #[test]
    fn kernels_are_put_beside_the_ceiling() {
        let ceiling = Ceiling { gflops: 100.0, gbytes_per_s: 10.0, copied_bytes: 0 };
        let sum = |name: &str, seconds, flops, bytes| Sum {
            name: name.to_owned(),
            calls: 1,
            seconds,
            flops,
            bytes,
        };
        let kernels = beside(
            &ceiling,
            vec![
                sum("short", 0.25, None, Some(5_000_000_000)),
                sum("long", 0.75, Some(15_000_000_000), None),
            ],
        );
        assert_eq!(kernels[0].name, "long");
        assert_eq!((kernels[0].ms, kernels[0].share), (750.0, 0.75));
        assert_eq!((kernels[0].gflops, kernels[0].of_gflops), (Some(20.0), Some(0.2)));
        assert_eq!((kernels[0].gbytes_per_s, kernels[0].of_gbytes_per_s), (None, None));
        assert_eq!((kernels[1].gbytes_per_s, kernels[1].of_gbytes_per_s), (Some(20.0), Some(2.0)));
    }
}
