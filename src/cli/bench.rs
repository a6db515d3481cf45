//! `dm-wgpu bench`: how long the work takes here, and where the time goes.

use std::fmt::Write;

use dm_wgpu::bench::{BenchAdapter, KernelTime, Phase, Progress, Report, TimedBy};

use super::{
    adapters::bytes,
    args::BenchArgs,
    failure::Failure,
    progress::{Console, Pieces},
    say,
};

pub fn run(args: &BenchArgs) -> Result<u8, Failure> {
    let console = Console::new(args.quiet);
    let mut pieces: Option<Pieces> = None;
    let report = args.bench().run_blocking(&args.adapter_choice(), &mut |progress| {
        if let Progress::Done(done) = progress {
            if let Some(pieces) = &mut pieces {
                pieces.at(done);
            }
            return;
        }
        if let Some(before) = pieces.take() {
            before.finish();
        }
        match progress {
            Progress::Opened(adapter) => console.say(&adapter_line(&adapter)),
            Progress::Begun(what, 0) => console.say(&format!("timing {what}")),
            Progress::Begun(what, total) => {
                pieces = Some(Pieces::start(&console, format!("timing {what}"), total));
            }
            _ => {}
        }
    })?;
    let text = if args.json {
        serde_json::to_string(&report)
            .map_err(|error| Failure::Failed(format!("the results as JSON: {error}")))?
    } else {
        table(&report)
    };
    say::out(&text).map_err(|error| Failure::Failed(format!("stdout: {error}")))?;
    Ok(0)
}

fn adapter_line(adapter: &BenchAdapter) -> String {
    let BenchAdapter { name, backend, cpu, kernels, precision, .. } = adapter;
    let cpu = if *cpu { ", a CPU: its times say nothing about GPUs" } else { "" };
    format!("adapter    {name} ({backend}, {kernels} kernels, {precision}{cpu})")
}

fn table(report: &Report) -> String {
    let Report {
        shape,
        classes,
        ipc,
        width,
        depth,
        batch_real,
        iteration,
        epoch,
        ceiling,
        start,
        ..
    } = report;
    let mut text = adapter_line(&report.adapter);
    let mut line = |line: String| {
        // Writing to a String can't fail.
        let _ = write!(text, "\n{line}");
    };
    line(format!(
        "work       {shape}, {classes} class{}, ipc {ipc}, batch {batch_real}, width {width}, \
         depth {depth}, made-up images",
        if *classes == 1 { "" } else { "es" }
    ));
    line(String::new());
    line("               median     fastest     slowest       first   preparing".to_owned());
    for (what, phase) in [("iteration", iteration), ("epoch", epoch)] {
        let Phase { median_ms, min_ms, max_ms, first_ms, prepare_ms, .. } = phase;
        let times = [median_ms, min_ms, max_ms, first_ms, prepare_ms].map(|ms| time(*ms));
        let times: Vec<_> = times.iter().map(|time| format!("{time:>12}")).collect();
        line(format!("{what:<9}{}", times.concat()));
    }
    let were = if iteration.timed == 1 { "was" } else { "were" };
    line(format!("{} of each {were} timed.", iteration.timed));
    line(String::new());
    line(format!(
        "start      {} from opening the adapter ({}) to the end of the first iteration",
        time(start.total_ms),
        time(start.open_ms)
    ));
    for (what, phase) in [("iteration", iteration), ("epoch", epoch)] {
        line(format!(
            "compiling  {what}: {} new pipelines in {}, then {} at first use (first minus median)",
            phase.pipelines,
            time(phase.compile_ms),
            time(phase.first_use_ms)
        ));
    }
    for (what, phase) in [("iteration", iteration), ("epoch", epoch)] {
        let allocated = phase.allocated_bytes.map_or_else(
            || "; this backend does not tell what is allocated".to_owned(),
            |allocated| format!("; {} allocated, with uploads", bytes(allocated)),
        );
        line(format!("memory     {what}: {} in buffers{allocated}", bytes(phase.peak_bytes)));
    }
    line(format!(
        "ceilings   {:.1} GFLOP/s multiplying and adding, {:.1} GB/s copying {}: this adapter, just now",
        ceiling.gflops,
        ceiling.gbytes_per_s,
        bytes(ceiling.copied_bytes)
    ));
    for (what, kernels, phase) in
        [("iteration", &report.kernels, iteration), ("epoch", &report.epoch_kernels, epoch)]
    {
        let sum: f64 = kernels.iter().map(|kernel| kernel.ms).sum();
        line(String::new());
        line(format!(
            "kernels of one {what}: {} together, {:.0} % of the median",
            time(sum),
            100.0 * sum / phase.median_ms
        ));
        for row in rows(kernels) {
            line(row);
        }
    }
    line(match report.timed_by {
        TimedBy::Waiting => {
            "Each dispatch was submitted alone and waited for; the way there and back is in its time."
        }
        _ => "Timed by the device's timestamps.",
    }
    .to_owned());
    line(
        "% is the part of the ceiling. GB are those that must be moved, each counted once; what caches \
         serve can be over 100 %."
            .to_owned(),
    );
    text
}

/// A heading and a line a kernel, aligned.
fn rows(kernels: &[KernelTime]) -> Vec<String> {
    let name = |kernel: &KernelTime| kernel.name.chars().count();
    let widest = kernels.iter().map(name).max().unwrap_or(0).max("kernel".len());
    let mut rows = vec![format!(
        "{:<widest$}  {:>5}  {:>9}  {:>7}  {:>8}  {:>4}  {:>7}  {:>4}",
        "kernel", "calls", "ms", "share", "GFLOP/s", "%", "GB/s", "%"
    )];
    for kernel in kernels {
        let rate = |rate: Option<f64>| rate.map_or_else(|| "-".to_owned(), |r| format!("{r:.1}"));
        let part = |part: Option<f64>| {
            part.map_or_else(|| "-".to_owned(), |p| format!("{:.0}", 100.0 * p))
        };
        rows.push(format!(
            "{:<widest$}  {:>5}  {:>9.3}  {:>5.1} %  {:>8}  {:>4}  {:>7}  {:>4}",
            kernel.name,
            kernel.calls,
            kernel.ms,
            100.0 * kernel.share,
            rate(kernel.gflops),
            part(kernel.of_gflops),
            rate(kernel.gbytes_per_s),
            part(kernel.of_gbytes_per_s),
        ));
    }
    rows
}

/// `1.23 s`, `456 ms`, `7.89 ms`.
fn time(ms: f64) -> String {
    match ms {
        ms if ms >= 9_995.0 => format!("{:.1} s", ms / 1000.0),
        ms if ms >= 999.5 => format!("{:.2} s", ms / 1000.0),
        ms if ms >= 99.95 => format!("{ms:.0} ms"),
        ms if ms >= 9.995 => format!("{ms:.1} ms"),
        ms => format!("{ms:.2} ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::time;

    #[test]
    fn times_have_three_digits() {
        for (ms, text) in [
            (0.0, "0.00 ms"),
            (1.234, "1.23 ms"),
            (9.996, "10.0 ms"),
            (99.96, "100 ms"),
            (999.6, "1.00 s"),
            (9_996.0, "10.0 s"),
            (61_000.0, "61.0 s"),
        ] {
            assert_eq!(time(ms), text);
        }
    }
}
