//! `dm-wgpu bench`: how long the work takes here, and where the time goes.

use std::{fmt::Write, ops::ControlFlow};

use dm_wgpu::{
    bench::{BenchAdapter, KernelTime, Phase, Progress, Report, TimedBy},
    project::{Adapter, words::network},
};

use super::{
    adapters::bytes,
    args::BenchArgs,
    commands::again,
    console::Console,
    events::Event,
    failure::{Failure, INTERRUPTED},
    interrupt::Interrupt,
    progress::Pieces,
};

pub fn run(args: &BenchArgs, console: Console) -> Result<u8, Failure> {
    let interrupt = Interrupt::install(console);
    interrupt.timing();
    let mut pieces: Option<Pieces> = None;
    let adapter = args.given.machine().adapter_choice()?;
    let report = args.bench().run_blocking(&adapter, &mut |progress| {
        if let Progress::Done(done) = progress {
            if let Some(pieces) = &mut pieces {
                pieces.at(done.into(), f64::from(done) / f64::from(pieces.total.max(1)));
            }
        } else if let Some(before) = pieces.take() {
            before.finish();
        }
        match progress {
            Progress::Opened(adapter) => introduce(&console, &adapter),
            Progress::Begun(what, 0) => console.say(&format!("timing {what}")),
            Progress::Begun(what, total) => {
                pieces =
                    Some(Pieces::start(&console, format!("timing {what}"), (total, what), None));
            }
            _ => {}
        }
        if interrupt.requested() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    if let Some(pieces) = pieces {
        pieces.finish();
    }
    let Some(report) = report else {
        console.interrupted(&format!("interrupted: no measurement was finished\n{}", again()));
        return Ok(INTERRUPTED);
    };
    console.result(&table(&report), &report)?;
    Ok(0)
}

fn introduce(console: &Console, adapter: &BenchAdapter) {
    let BenchAdapter { name, backend, driver, kernels, precision, .. } = adapter.clone();
    let start = Event::Start {
        version: env!("CARGO_PKG_VERSION"),
        adapter: Adapter { name, backend, driver, kernels, precision },
        adapters: Vec::new(),
        dataset: None,
    };
    console.tell(&adapter_line(adapter), &start);
}

fn adapter_line(adapter: &BenchAdapter) -> String {
    let BenchAdapter { name, backend, cpu, kernels, precision, .. } = adapter;
    let cpu = if *cpu { ", a CPU: its times say nothing about GPUs" } else { "" };
    wrapped(&format!("adapter    {name} ({backend}, {kernels} kernels, {precision}{cpu})"))
}

fn table(report: &Report) -> String {
    let Report {
        shape,
        method,
        classes,
        ipc,
        factor,
        net,
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
        let _ = write!(text, "\n{}", wrapped(&line));
    };
    line(format!(
        "work       {method}, {shape}, {classes} class{}, ipc {ipc}{}, batch-real {batch_real}, {}, \
         made-up images",
        if *classes == 1 { "" } else { "es" },
        if *factor > 1 { format!(" packed by {factor}") } else { String::new() },
        network(net, *width, *depth)
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
            || "; this backend does not report what is allocated".to_owned(),
            |allocated| format!("; {} allocated, with uploads", bytes(allocated)),
        );
        line(format!("memory     {what}: {} in buffers{allocated}", bytes(phase.peak_bytes)));
    }
    line(format!(
        "ceilings   {:.1} GFLOP/s multiplying and adding, {:.1} GB/s copying {}: this adapter, measured now",
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
    line(String::new());
    line(
        match report.timed_by {
            TimedBy::Waiting => {
                "Each dispatch was submitted and awaited alone; its time includes the way to the device and back."
            }
            _ => "Timed by the device's timestamps.",
        }
        .to_owned(),
    );
    line(
        "% is the share of the ceiling. It can exceed 100 %: GFLOP count convolutions as if done directly, and \
         Winograd's need half as many; GB counts once what must be moved, and caches serve some of it."
            .to_owned(),
    );
    text
}

/// A heading and a line for each kernel, aligned. A name that is too long has a line of its own.
fn rows(kernels: &[KernelTime]) -> Vec<String> {
    const LONGEST: usize = 34;
    let length = |name: &str| name.chars().count();
    let names = kernels.iter().map(|kernel| length(&kernel.name));
    let widest = names.filter(|&length| length <= LONGEST).max().unwrap_or(0).max("kernel".len());
    let mut rows = vec![format!(
        "{:<widest$} {:>5} {:>8} {:>6} {:>7} {:>3} {:>6} {:>4}",
        "kernel", "calls", "ms", "share", "GFLOP/s", "%", "GB/s", "%"
    )];
    for kernel in kernels {
        let rate = |rate: Option<f64>| rate.map_or_else(|| "-".to_owned(), |r| format!("{r:.1}"));
        let part = |part: Option<f64>| {
            part.map_or_else(|| "-".to_owned(), |p| format!("{:.0}", 100.0 * p))
        };
        let mut name = kernel.name.as_str();
        if length(name) > widest {
            rows.push(name.to_owned());
            name = "";
        }
        rows.push(format!(
            "{name:<widest$} {:>5} {:>8.3} {:>4.1} % {:>7} {:>3} {:>6} {:>4}",
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

/// A text in lines that a terminal of 80 columns has room for; they go on below its first line's values.
fn wrapped(text: &str) -> String {
    const COLUMNS: usize = 80;
    let labelled = text.get(..11).is_some_and(|label| label.ends_with("  "));
    let indent = if labelled { 11 } else { 0 };
    let (mut lines, mut rest) = (Vec::new(), text.to_owned());
    while rest.chars().count() > COLUMNS {
        let spaces =
            rest.char_indices().take(COLUMNS + 1).filter(|&(at, c)| c == ' ' && at > indent);
        let Some((space, _)) = spaces.last() else { break };
        let next = format!("{:indent$}{}", "", &rest[space + 1..]);
        rest.truncate(space);
        lines.push(std::mem::replace(&mut rest, next));
    }
    lines.push(rest);
    lines.join("\n")
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
    use super::{time, wrapped};

    #[test]
    fn long_lines_go_on_below() {
        let text = format!("start      {}", "word ".repeat(30));
        let lines = wrapped(text.trim_end());
        assert!(lines.lines().count() == 3 && lines.lines().all(|line| line.len() <= 80));
        assert!(lines.lines().skip(1).all(|line| line.starts_with("           word")), "{lines}");
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words(&lines), words(&text));
        for whole in ["é".repeat(80), "é".repeat(90), String::new()] {
            assert_eq!(wrapped(&whole), whole);
        }
    }

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
