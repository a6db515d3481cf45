//! Devices with no memory left: work goes on in smaller pieces to the same bits, or ends with its images safe.
//!
//! A test pretends; each has a device of its own, since that is what pretends. And what is counted is what is made.

use std::{sync::Arc, time::Duration};

use dm_wgpu::{
    AdapterChoice, Condensation, Dataset, DatasetInfo, Error, Evaluation, EvaluationSettings, Gpu,
    Selection, SelectionSettings, Selector, Settings, TrainingSet,
    testing::{self, Declared, run_out_of_memory},
    wgpu,
};

use crate::{
    common::{Rng, device_of, gpu_f16, gpus},
    glyphs, run_bits,
};

fn settings(dataset: &Dataset) -> Settings {
    crate::quick(dataset, 4)
}

fn device() -> Gpu {
    device_of(wgpu::Limits::default())
}

/// The images' bits after all iterations, each of which `advance` takes.
fn finish(run: &mut Condensation, mut advance: impl FnMut(&mut Condensation)) -> Vec<u32> {
    while !run.is_done() {
        advance(run);
    }
    run_bits(run)
}

fn step(run: &mut Condensation) {
    run.step().unwrap();
    run.wait_blocking(2).unwrap();
}

#[test]
fn a_run_begins_in_smaller_pieces() {
    let (gpu, dataset) = (device(), glyphs());
    let new = || Condensation::new(&gpu, dataset.clone(), settings(&dataset));
    let whole = finish(&mut new().unwrap(), step);
    // 80 real and 20 synthetic images, then half as many, and again.
    for times in [1, 3] {
        run_out_of_memory(&gpu, times);
        let mut run = new().unwrap();
        assert!(finish(&mut run, step) == whole, "other images after {times} refusals");
    }
    run_out_of_memory(&gpu, u32::MAX);
    let error = new().unwrap_err();
    assert!(matches!(error, Error::OutOfMemory { .. }), "{error}");
    assert!(!error.is_usage());
    run_out_of_memory(&gpu, 0);
    assert!(finish(&mut new().unwrap(), step) == whole);
}

#[test]
fn a_step_is_repeated_in_smaller_pieces() {
    let (gpu, dataset) = (device(), glyphs());
    let new = || Condensation::new(&gpu, dataset.clone(), settings(&dataset)).unwrap();
    let mut whole = new();
    let images = finish(&mut whole, step);
    let losses = whole.take_losses().unwrap();

    let mut run = new();
    let cut = finish(&mut run, |run| {
        run_out_of_memory(&gpu, run.iteration() % 3);
        step(run);
    });
    assert!(cut == images, "other images");
    assert_eq!(run.take_losses().unwrap(), losses);

    // In the middle of an iteration too.
    let mut run = new();
    let mut calls = 0;
    let cut = finish(&mut run, |run| {
        calls += 1;
        run_out_of_memory(&gpu, u32::from(calls == 6 || calls == 50));
        let mut encoder = gpu.device().create_command_encoder(&Default::default());
        run.encode_some(&mut encoder, Duration::from_micros(200)).unwrap();
        gpu.queue().submit([encoder.finish()]);
        let wait = wgpu::PollType::Wait { submission_index: None, timeout: None };
        gpu.device().poll(wait).unwrap();
    });
    assert!(calls > 50, "{calls} calls");
    assert!(cut == images, "other images");
    assert_eq!(run.take_losses().unwrap(), losses);
}

#[test]
fn the_images_survive_where_smaller_pieces_do_not_help() {
    let (gpu, dataset) = (device(), glyphs());
    let new = || Condensation::new(&gpu, dataset.clone(), settings(&dataset)).unwrap();
    let whole = finish(&mut new(), step);
    let mut run = new();
    (0..2).for_each(|_| step(&mut run));
    run_out_of_memory(&gpu, u32::MAX);
    for _ in 0..2 {
        let error = run.step().unwrap_err();
        assert!(matches!(error, Error::OutOfMemory { .. }), "{error}");
    }
    run_out_of_memory(&gpu, 0);
    let checkpoint = run.checkpoint_blocking().unwrap();
    assert_eq!(checkpoint.iteration(), 2);
    let mut resumed = Condensation::resume(&gpu, dataset.clone(), checkpoint).unwrap();
    assert!(finish(&mut resumed, step) == whole);
    // And the run goes on once there is memory again.
    assert!(finish(&mut run, step) == whole);
}

#[test]
fn an_evaluation_trains_fewer_networks_at_a_time() {
    let (gpu, dataset) = (device(), glyphs());
    let mut run = Condensation::new(&gpu, dataset.clone(), settings(&dataset)).unwrap();
    step(&mut run);
    let set = run.images_blocking().unwrap();
    let settings = EvaluationSettings::for_dataset(&dataset).nets(3).epochs(2).width(8);
    let new = || {
        let train = TrainingSet::Synthetic(set.clone());
        Evaluation::new(&gpu, dataset.clone(), train, settings.clone())
    };
    let accuracy = new().unwrap().accuracy_blocking().unwrap();
    run_out_of_memory(&gpu, 1);
    let mut fewer = new().unwrap();
    assert_eq!(fewer.total(), 2 * 3, "two networks, then one");
    assert_eq!(fewer.accuracy_blocking().unwrap(), accuracy);
    run_out_of_memory(&gpu, 1);
    assert!(matches!(new().unwrap().step(), Ok(())), "it was used up by the preparation");
    run_out_of_memory(&gpu, u32::MAX);
    assert!(matches!(new(), Err(Error::OutOfMemory { .. })));
}

/// Images of noise in two classes.
pub fn noise(channels: usize, size: usize) -> Arc<Dataset> {
    let info = DatasetInfo {
        name: format!("noise {channels}x{size}"),
        class_names: vec!["a".into(), "b".into()],
        channels,
        size,
        mean: vec![0.5; channels],
        std: vec![0.25; channels],
    };
    let mut rng = Rng(7);
    let mut split = |images: usize| {
        let pixels = (0..images * channels * size * size).map(|_| rng.word() as u8).collect();
        (pixels, (0..images as u32).map(|image| image % 2).collect())
    };
    Arc::new(Dataset::new(info, split(40), split(10)).unwrap())
}

/// Makes an owner of buffers and holds its table against what the device noted, and against what wgpu says that it
/// has allocated.
fn check<T>(what: &str, gpu: &Gpu, make: impl FnOnce() -> T, table: impl FnOnce(&T) -> Declared) {
    // What was dropped lives on until what was written to it is submitted and done.
    gpu.queue().submit([]);
    gpu.device().poll(wgpu::PollType::wait_indefinitely()).unwrap();
    testing::take_made(gpu);
    let made = make();
    let (declared, all) = testing::take_made(gpu);
    let table = table(&made);
    let bytes: u64 = table.iter().map(|(_, bytes)| bytes).sum();
    assert_eq!(bytes, declared, "{what}: {table:#?}");
    assert!(bytes <= gpu.memory_budget(), "{what}: {bytes} of {}", gpu.memory_budget());
    let Some(report) = gpu.device().generate_allocator_report() else {
        println!("{what}: {bytes} bytes; this backend does not tell what is allocated");
        return;
    };
    // What no kernel binds is gone by now. Drivers round up, to what they map.
    let mut left = table.clone();
    for (name, size) in report.allocations.iter().map(|a| (a.name.as_str(), a.size)) {
        let fits = |(label, bytes): &(String, u64)| {
            label == name && (*bytes..=bytes + 4096 + bytes / 16).contains(&size)
        };
        // The nearest, lest it takes the place of a smaller one of the same name.
        let nearest = (0..left.len()).filter(|&at| fits(&left[at])).max_by_key(|&at| left[at].1);
        match nearest {
            Some(at) => _ = left.swap_remove(at),
            // The parameters of kernels, and what wgpu itself keeps or is about to copy.
            None => assert!(
                name.contains("wgpu internal")
                    || (size <= 4096 && table.iter().all(|(label, _)| label != name)),
                "{what}: {size} bytes of {name} are in no table: {table:#?}"
            ),
        }
    }
    let idle: u64 = left.iter().map(|(_, bytes)| bytes).sum();
    println!("{what}: {bytes} bytes of {all} in {} buffers, {idle} unused", table.len());
}

/// A line a buffer, for each owner, several networks, shapes, pieces and families of kernels.
#[test]
fn tables_have_what_is_allocated() {
    let nets = [(1, 28, 20, 3), (1, 28, 128, 1), (3, 32, 16, 2), (3, 20, 9, 2), (3, 64, 8, 4)];
    for shared in gpus().iter().chain(gpu_f16()) {
        // What others allocate at the same time is not in it.
        let (kernels, precision) = (Some(shared.kernels()), shared.precision());
        let choice = AdapterChoice::default().kernels(kernels).precision(precision);
        let gpu = Gpu::headless_blocking(&choice).unwrap();
        for (channels, size, width, depth) in nets {
            let dataset = match (channels, size) {
                (1, 28) => glyphs(),
                _ => noise(channels, size),
            };
            let settings =
                Settings::for_dataset(&dataset).ipc(3).width(width).depth(depth).batch_real(12);
            let choice = SelectionSettings::for_dataset(&dataset, Selector::Herding)
                .width(width)
                .depth(depth);
            let judged =
                EvaluationSettings::for_dataset(&dataset).nets(3).width(width).depth(depth);
            let mut set = None;
            // All at once, less, and next to nothing.
            for budget in [1 << 30, 12 << 20, 5 << 20, 2 << 20] {
                let gpu = &gpu.clone().with_memory_budget(budget);
                let what = format!(
                    "{}, {} of {} in {budget} bytes, {width} channels, depth {depth}",
                    gpu.kernels().name(),
                    gpu.precision().name(),
                    dataset.name(),
                );
                if Condensation::check(gpu, &dataset, &settings).is_ok() {
                    let make =
                        || Condensation::new(gpu, dataset.clone(), settings.clone()).unwrap();
                    let table = |run: &Condensation| testing::condensation_memory(run).unwrap();
                    check(&format!("condensing, {what}"), gpu, make, table);
                    set.get_or_insert_with(|| make().images_blocking().unwrap());
                }
                if Selection::check(gpu, &dataset, &choice).is_ok() {
                    let make = || Selection::new(gpu, dataset.clone(), choice.clone()).unwrap();
                    let table = |run: &Selection| testing::selection_memory(run).unwrap();
                    check(&format!("choosing, {what}"), gpu, make, table);
                }
                let sets = set.clone().map(TrainingSet::Synthetic);
                for train in sets.into_iter().chain([TrainingSet::Whole]) {
                    let make =
                        || Evaluation::new(gpu, dataset.clone(), train.clone(), judged.clone());
                    match make().map(drop) {
                        Ok(()) => check(
                            &format!("evaluating, {what}"),
                            gpu,
                            || make().unwrap(),
                            testing::evaluation_memory,
                        ),
                        Err(error) => assert!(error.to_string().contains("at least"), "{error}"),
                    }
                }
            }
        }
    }
}

/// Beyond what a budget has: nothing that could be bound.
#[test]
fn what_no_binding_can_show_is_refused() {
    let limits = wgpu::Limits::default();
    let gpu = device_of(wgpu::Limits { max_storage_buffer_binding_size: 1 << 20, ..limits });
    let dataset = glyphs();
    let wide = settings(&dataset).width(256);
    let error = Condensation::check(&gpu, &dataset, &wide).unwrap_err();
    assert!(error.is_usage(), "{error}");
    let said =
        "the buffer of conv weights 1: it takes 2359296 bytes, this adapter binds at most 1048576";
    assert!(error.to_string().starts_with(said), "{error}");
    Condensation::check(&gpu, &dataset, &settings(&dataset)).unwrap();
}
