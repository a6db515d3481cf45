//! A run as a guest in somebody else's program: on their device, in their command encoders.

mod common;
mod reference;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use common::{Rng, gpu};
use dm_wgpu::{Condensation, Dataset, DatasetInfo, Gpu, Init, Picture, Settings, data, wgpu};

fn settings(dataset: &Dataset) -> Settings {
    Settings {
        ipc: 2,
        iterations: 5,
        width: 8,
        batch_real: 8,
        memory_budget: 1 << 30,
        ..Settings::for_dataset(dataset)
    }
}

fn bits(run: &mut Condensation) -> Vec<u32> {
    let set = run.images_blocking().unwrap();
    set.images.iter().map(|value| value.to_bits()).collect()
}

fn encoder() -> wgpu::CommandEncoder {
    gpu().device().create_command_encoder(&Default::default())
}

fn submit(encoder: wgpu::CommandEncoder) {
    gpu().queue().submit([encoder.finish()]);
}

#[test]
fn an_encoded_step_is_a_submitted_one() {
    let dataset = Arc::new(data::glyphs(0).unwrap());
    // With room for the training set on the device, and with each chunk of a few images sent.
    for memory_budget in [1 << 30, 1 << 20] {
        let settings = Settings { memory_budget, ..settings(&dataset) };
        let mut submitted = Condensation::new(gpu(), dataset.clone(), settings.clone()).unwrap();
        while !submitted.is_done() {
            submitted.step().unwrap();
        }
        let mut encoded = Condensation::new(gpu(), dataset.clone(), settings).unwrap();
        // One alone, two together, one by its own submission, one more.
        for group in [1, 2] {
            let mut encoder = encoder();
            for _ in 0..group {
                encoded.encode_step(&mut encoder).unwrap();
            }
            submit(encoder);
        }
        encoded.step().unwrap();
        let mut last = encoder();
        encoded.encode_step(&mut last).unwrap();
        submit(last);
        assert!(encoded.is_done());
        assert_eq!(bits(&mut encoded), bits(&mut submitted));
        assert_eq!(encoded.take_losses().unwrap(), submitted.take_losses().unwrap());
    }
}

#[test]
fn a_learning_rate_holds_from_the_next_step_on() {
    let dataset = Arc::new(data::glyphs(0).unwrap());
    let new = || Condensation::new(gpu(), dataset.clone(), settings(&dataset)).unwrap();
    let mut one = new();
    one.step().unwrap();
    let after_one = bits(&mut one);
    // Submitted, then encoded into one encoder: the first moves by the old rate, the second by none.
    let mut two = new();
    two.step().unwrap();
    two.set_lr_img(1e-30).unwrap();
    two.step().unwrap();
    assert_eq!(bits(&mut two), after_one);
    let mut together = new();
    let mut encoder = encoder();
    together.encode_step(&mut encoder).unwrap();
    together.set_lr_img(1e-30).unwrap();
    together.encode_step(&mut encoder).unwrap();
    submit(encoder);
    assert_eq!(bits(&mut together), after_one);

    assert!(together.set_lr_img(0.0).unwrap_err().is_usage());
    assert_eq!(together.settings().lr_img, 1e-30);
    together.set_lr_img(1.0).unwrap();
    let checkpoint = together.checkpoint_blocking().unwrap();
    together.step().unwrap();
    let moved = bits(&mut together);
    assert_ne!(moved, after_one);
    let mut resumed = Condensation::resume(gpu(), dataset.clone(), checkpoint).unwrap();
    resumed.step().unwrap();
    assert_eq!(bits(&mut resumed), moved, "checkpoints have the new one");
}

#[test]
fn an_iteration_encoded_little_by_little_is_a_submitted_one() {
    let dataset = Arc::new(data::glyphs(0).unwrap());
    for memory_budget in [1 << 30, 1 << 20] {
        let settings = Settings { memory_budget, ..settings(&dataset) };
        let mut submitted = Condensation::new(gpu(), dataset.clone(), settings.clone()).unwrap();
        while !submitted.is_done() {
            submitted.step().unwrap();
        }
        // The smallest pieces of one iteration, then what is left of the next by its own submission, then
        // some milliseconds at a time, then all that is left at once.
        let mut encoded = Condensation::new(gpu(), dataset.clone(), settings.clone()).unwrap();
        let mut calls = 0;
        let mut some = |run: &mut Condensation, budget| {
            let mut encoder = encoder();
            run.encode_some(&mut encoder, budget).unwrap();
            submit(encoder);
            let wait = wgpu::PollType::Wait { submission_index: None, timeout: None };
            gpu().device().poll(wait).unwrap();
            calls += 1;
            calls
        };
        while encoded.iteration() == 0 {
            some(&mut encoded, Duration::ZERO);
        }
        let pieces = some(&mut encoded, Duration::ZERO);
        assert!(pieces > 20, "an iteration in {pieces} pieces");
        encoded.step().unwrap();
        assert_eq!(encoded.iteration(), 2);
        while encoded.iteration() < 3 {
            some(&mut encoded, Duration::from_millis(2));
        }
        some(&mut encoded, Duration::MAX);
        assert!(encoded.is_done());
        assert_eq!(encoded.iteration(), settings.iterations, "and none beyond");
        assert_eq!(bits(&mut encoded), bits(&mut submitted));
        assert_eq!(encoded.take_losses().unwrap(), submitted.take_losses().unwrap());
        let mut last = encoder();
        assert_eq!(encoded.encode_some(&mut last, Duration::MAX).unwrap(), Duration::ZERO);
    }
}

#[test]
fn what_the_gpu_has_not_done_is_not_added_to() {
    let dataset = Arc::new(data::glyphs(0).unwrap());
    let mut run = Condensation::new(gpu(), dataset.clone(), settings(&dataset)).unwrap();
    let budget = Duration::from_micros(100);
    let mut some = || {
        let mut encoder = encoder();
        let expected = run.encode_some(&mut encoder, budget).unwrap();
        (encoder, expected)
    };
    let waiting: Vec<_> = (0..3).map(|_| some()).collect();
    assert!(waiting.iter().all(|(_, expected)| !expected.is_zero()));
    assert!(some().1.is_zero(), "three frames are not submitted yet");
    waiting.into_iter().for_each(|(encoder, _)| submit(encoder));
    gpu().device().poll(wgpu::PollType::Wait { submission_index: None, timeout: None }).unwrap();
    assert!(!some().1.is_zero());
}

#[test]
fn losses_arrive_without_waiting() {
    let dataset = Arc::new(data::glyphs(0).unwrap());
    let mut run = Condensation::new(gpu(), dataset.clone(), settings(&dataset)).unwrap();
    let mut encoder = encoder();
    run.encode_step(&mut encoder).unwrap();
    assert_eq!(run.take_losses().unwrap(), [], "nothing was submitted yet");
    assert_eq!(run.in_flight(), 1);
    submit(encoder);
    let mut losses = Vec::new();
    while losses.is_empty() {
        losses = run.take_losses().unwrap();
        std::thread::yield_now();
    }
    assert_eq!((losses[0].iteration, run.in_flight()), (0, 0));
}

/// Frames that can't be shown are not submitted.
#[test]
fn what_a_dropped_encoder_held_is_repeated() {
    let dataset = Arc::new(data::glyphs(0).unwrap());
    // On a device that writes down when work is done, and on one where that is only seen.
    for gpu in [gpu(), &common::device_of(wgpu::Limits::default())] {
        let new = || Condensation::new(gpu, dataset.clone(), settings(&dataset)).unwrap();
        let mut whole = new();
        while !whole.is_done() {
            whole.step().unwrap();
        }
        let mut run = new();
        let mut frame = 0;
        while !run.is_done() {
            frame += 1;
            let mut encoder = gpu.device().create_command_encoder(&Default::default());
            // Parts of an iteration, and several.
            let budget = if frame < 40 { Duration::from_micros(300) } else { Duration::MAX };
            run.encode_some(&mut encoder, budget).unwrap();
            // Two of three, of which some were finished.
            match frame % 3 {
                0 => drop(gpu.queue().submit([encoder.finish()])),
                1 => drop(encoder),
                _ => drop(encoder.finish()),
            }
            gpu.device().poll(wgpu::PollType::wait_indefinitely()).unwrap();
            run.take_losses().unwrap();
        }
        let mut dropped = gpu.device().create_command_encoder(&Default::default());
        let iterations = run.iteration();
        run.encode_step(&mut dropped).unwrap();
        run.set_lr_img(0.5).unwrap();
        run.encode_step(&mut dropped).unwrap();
        drop(dropped);
        let checkpoint = run.checkpoint_blocking().unwrap();
        assert_eq!(checkpoint.iteration(), iterations);
        run.set_lr_img(whole.settings().lr_img).unwrap();
        assert!(bits(&mut run) == bits(&mut whole), "after {frame} frames");
    }
}

#[test]
fn a_dropped_encoder_before_one_that_was_submitted_is_told() {
    let dataset = Arc::new(data::glyphs(0).unwrap());
    let mut run = Condensation::new(gpu(), dataset.clone(), settings(&dataset)).unwrap();
    let [mut dropped, mut later] = [encoder(), encoder()];
    run.encode_step(&mut dropped).unwrap();
    run.encode_step(&mut later).unwrap();
    drop(dropped);
    submit(later);
    let error = run.take_losses().unwrap_err().to_string();
    assert!(error.contains("dropped, not submitted"), "{error}");
}

/// Nobody knows whether the caller has submitted it, or will.
#[test]
fn a_step_does_not_build_on_a_part_in_the_callers_hands() {
    let dataset = Arc::new(data::glyphs(0).unwrap());
    let new = || Condensation::new(gpu(), dataset.clone(), settings(&dataset)).unwrap();
    let (mut run, mut whole) = (new(), new());
    let mut part = encoder();
    run.encode_some(&mut part, Duration::from_micros(300)).unwrap();
    assert_eq!(run.iteration(), 0);
    run.step().unwrap();
    submit(part);
    run.step().unwrap();
    (0..2).for_each(|_| whole.step().unwrap());
    assert!(bits(&mut run) == bits(&mut whole));
    assert_eq!(run.take_losses().unwrap(), whole.take_losses().unwrap());
}

/// One image a class, pixels of noise.
fn noise(classes: usize, channels: usize, size: usize) -> Dataset {
    let rng = &mut Rng(3);
    let info = DatasetInfo {
        name: "noise".into(),
        class_names: (0..classes).map(|class| class.to_string()).collect(),
        channels,
        size,
        mean: [0.5, 0.4, 0.6][..channels].to_vec(),
        std: [0.2, 0.25, 0.3][..channels].to_vec(),
    };
    let pixels = (0..classes * channels * size * size).map(|_| rng.below(256) as u8).collect();
    let labels = (0..classes as u32).collect();
    Dataset::new(info, (pixels, labels), (vec![], vec![])).unwrap()
}

/// Width, height, and the four bytes of each texel.
fn texels(gpu: &Gpu, picture: &Picture) -> (usize, usize, Vec<[u8; 4]>) {
    let texture = picture.texture();
    let (width, height) = (texture.width(), texture.height());
    let pitch = (4 * width).next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT);
    let buffer = gpu.device().create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: u64::from(pitch * height),
        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    let mut encoder = gpu.device().create_command_encoder(&Default::default());
    picture.encode(&mut encoder);
    let layout = wgpu::TexelCopyBufferLayout { bytes_per_row: Some(pitch), ..Default::default() };
    encoder.copy_texture_to_buffer(
        texture.as_image_copy(),
        wgpu::TexelCopyBufferInfo { buffer: &buffer, layout },
        texture.size(),
    );
    gpu.queue().submit([encoder.finish()]);
    buffer.map_async(wgpu::MapMode::Read, .., |result| result.unwrap());
    let wait = wgpu::PollType::Wait { submission_index: None, timeout: None };
    gpu.device().poll(wait).unwrap();
    let bytes = buffer.get_mapped_range(..).unwrap().to_vec();
    let rows = bytes.chunks(pitch as usize).flat_map(|row| row[..4 * width as usize].chunks(4));
    let texels = rows.map(|texel| texel.try_into().unwrap()).collect();
    (width as usize, height as usize, texels)
}

#[test]
fn the_picture_shows_every_image() {
    let limits = wgpu::Limits { max_texture_dimension_2d: 64, ..wgpu::Limits::default() };
    let small = common::device_of(limits);
    // On the small one, classes go on to the right: three rows of 16, nine of 6.
    for (gpu, classes, channels, size, init) in [
        (gpu(), 5, 1, 10, Init::Real),
        (&small, 5, 3, 16, Init::Real),
        (&small, 19, 1, 6, Init::Noise),
    ] {
        let dataset = Arc::new(noise(classes, channels, size));
        let ipc = if init == Init::Real { 1 } else { 3 };
        let settings = Settings { ipc, depth: 1, init, ..settings(&dataset) };
        let mut run = Condensation::new(gpu, dataset.clone(), settings).unwrap();
        run.step().unwrap();
        let picture = run.picture().unwrap();
        let (width, height, texels) = texels(gpu, &picture);
        assert!(gpu.info() != small.info() || width.max(height) <= 64);
        let set = run.images_blocking().unwrap();
        let wide = |values: &[f32]| values.iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
        let expected = reference::picture(
            &wide(&set.images),
            (channels, size),
            (&wide(dataset.mean()), &wide(dataset.std())),
            (width, height),
            |image| {
                let (x, y) = picture.corner(image);
                (x as usize, y as usize)
            },
        );
        let visible = expected.iter().filter(|texel| texel[3] == 1.0).count();
        assert_eq!(visible, classes * ipc * size * size, "images overlap");
        for (found, expected) in texels.iter().flatten().zip(expected.iter().flatten()) {
            // Adapters may round halves either way.
            let apart = (f64::from(*found) - expected * 255.0).abs();
            assert!(apart <= 0.501, "{found} for {}", expected * 255.0);
        }
    }
}

#[test]
fn the_images_are_there_as_a_buffer() {
    let dataset = Arc::new(noise(3, 1, 8));
    let settings = Settings { ipc: 1, depth: 1, ..settings(&dataset) };
    let mut run = Condensation::new(gpu(), dataset, settings).unwrap();
    let bytes = run.images_buffer().size() as usize;
    assert_eq!(bytes, 4 * run.images_blocking().unwrap().images.len());
}

#[test]
fn a_picture_too_large_is_refused() {
    let limits = wgpu::Limits { max_texture_dimension_2d: 64, ..wgpu::Limits::default() };
    let dataset = Arc::new(noise(2, 1, 70));
    let settings = Settings { ipc: 1, depth: 1, ..settings(&dataset) };
    let run = Condensation::new(&common::device_of(limits), dataset, settings).unwrap();
    let error = run.picture().unwrap_err().to_string();
    assert!(error.contains("64 texels a side"), "{error}");
}

/// What a program's main loop does: polls now and then until the future completes.
fn complete<T>(future: impl Future<Output = T>) -> T {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                gpu().poll().unwrap();
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        let value = pollster::block_on(future);
        done.store(true, Ordering::SeqCst);
        value
    })
}

#[test]
fn futures_complete_when_the_device_is_polled() {
    let dataset = Arc::new(data::glyphs(0).unwrap());
    let mut run = Condensation::new(gpu(), dataset.clone(), settings(&dataset)).unwrap();
    run.step().unwrap();
    let early = run.images();
    for _ in 0..3 {
        run.step().unwrap();
    }
    let early = complete(early).unwrap();
    complete(run.finished(1)).unwrap();
    assert!(run.in_flight() <= 1);
    complete(run.finished(0)).unwrap();
    let losses = run.take_losses().unwrap();
    assert_eq!(losses.iter().map(|l| l.iteration).collect::<Vec<_>>(), [0, 1, 2, 3]);

    let late = complete(run.images()).unwrap();
    assert_eq!(late, run.images_blocking().unwrap());
    let mut other = Condensation::new(gpu(), dataset.clone(), settings(&dataset)).unwrap();
    other.step().unwrap();
    assert_eq!(early, other.images_blocking().unwrap(), "as they were when asked for");
}

#[test]
fn a_future_of_a_dropped_encoder_ends() {
    let dataset = Arc::new(data::glyphs(0).unwrap());
    let mut run = Condensation::new(gpu(), dataset.clone(), settings(&dataset)).unwrap();
    let mut later = encoder();
    run.encode_step(&mut later).unwrap();
    let outcome = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(50));
            drop(later);
        });
        complete(run.finished(0))
    });
    assert!(outcome.unwrap_err().to_string().contains("dropped, not submitted"));
}

#[test]
fn two_runs_share_a_device() {
    let dataset = Arc::new(data::glyphs(0).unwrap());
    let alike = |seed| Settings { seed, iterations: 3, ..settings(&dataset) };
    let alone = |seed| {
        let mut run = Condensation::new(gpu(), dataset.clone(), alike(seed)).unwrap();
        (0..3).for_each(|_| run.step().unwrap());
        bits(&mut run)
    };
    let mut runs =
        [1, 2].map(|seed| Condensation::new(gpu(), dataset.clone(), alike(seed)).unwrap());
    for _ in 0..3 {
        let mut encoder = encoder();
        runs.iter_mut().for_each(|run| run.encode_step(&mut encoder).unwrap());
        submit(encoder);
    }
    let [one, two] = &mut runs;
    assert_eq!((bits(one), bits(two)), (alone(1), alone(2)));
}

#[test]
fn a_run_dropped_in_flight_leaves_nothing() {
    let gpu = common::device_of(wgpu::Limits::default());
    let dataset = Arc::new(data::glyphs(0).unwrap());
    let drop_one = || {
        let mut run = Condensation::new(&gpu, dataset.clone(), settings(&dataset)).unwrap();
        let picture = run.picture().unwrap();
        for _ in 0..2 {
            run.step().unwrap();
            let mut encoder = gpu.device().create_command_encoder(&Default::default());
            run.encode_step(&mut encoder).unwrap();
            picture.encode(&mut encoder);
            gpu.queue().submit([encoder.finish()]);
        }
        // Of an encoder that is never submitted too.
        let mut encoder = gpu.device().create_command_encoder(&Default::default());
        run.encode_step(&mut encoder).unwrap();
        drop(run);
        drop(encoder);
        let wait = wgpu::PollType::Wait { submission_index: None, timeout: None };
        gpu.device().poll(wait).unwrap();
        gpu.device().generate_allocator_report().map(|report| report.total_allocated_bytes)
    };
    let Some(first) = drop_one() else {
        println!("SKIPPED: this backend does not tell what is allocated");
        return;
    };
    for _ in 0..3 {
        assert_eq!(drop_one(), Some(first));
    }
}

#[test]
fn a_lost_device_is_an_error_and_a_checkpoint_goes_on_elsewhere() {
    let dataset = Arc::new(data::glyphs(0).unwrap());
    let lost = common::device_of(wgpu::Limits::default());
    // It is expected, and by default wgpu ends the program at it.
    lost.device().on_uncaptured_error(Arc::new(|error| println!("expected: {error}")));
    let mut run = Condensation::new(&lost, dataset.clone(), settings(&dataset)).unwrap();
    run.step().unwrap();
    let checkpoint = run.checkpoint_blocking().unwrap();
    lost.device().destroy();
    let outcome = run.step().and_then(|()| run.images_blocking().map(drop));
    let error = outcome.unwrap_err();
    assert!(matches!(error, dm_wgpu::Error::Gpu { .. }), "{error}");

    let found = common::device_of(wgpu::Limits::default());
    let mut run = Condensation::resume(&found, dataset.clone(), checkpoint).unwrap();
    while !run.is_done() {
        run.step().unwrap();
    }
    let mut whole = Condensation::new(&found, dataset.clone(), settings(&dataset)).unwrap();
    while !whole.is_done() {
        whole.step().unwrap();
    }
    assert_eq!(bits(&mut run), bits(&mut whole));
}

/// Two devices of one adapter that can have pipeline caches.
fn caching_devices() -> Option<[Gpu; 2]> {
    let (adapter, features) = (common::adapter(), wgpu::Features::PIPELINE_CACHE);
    if !adapter.features().contains(features) {
        assert!(!common::is_lavapipe(), "Mesa has it");
        println!("SKIPPED: this adapter has no pipeline caches");
        return None;
    }
    Some([(); 2].map(|()| common::open(&adapter, features, wgpu::Limits::default())))
}

fn pipeline_cache(gpu: &Gpu) -> wgpu::PipelineCache {
    let descriptor =
        wgpu::PipelineCacheDescriptor { label: Some("caller's"), data: None, fallback: false };
    // SAFETY: it begins empty.
    unsafe { gpu.device().create_pipeline_cache(&descriptor) }
}

#[test]
fn a_callers_pipeline_cache_changes_nothing_but_time() {
    let Some([with, without]) = caching_devices() else { return };
    let dataset = Arc::new(data::glyphs(0).unwrap());
    let made = |gpu: &Gpu| {
        let mut run = Condensation::new(gpu, dataset.clone(), settings(&dataset)).unwrap();
        run.step().unwrap();
        bits(&mut run)
    };
    let cache = pipeline_cache(&with);
    let held = || cache.get_data().map_or(0, |data| data.len());
    let empty = held();
    let images = made(&with.clone().with_pipeline_cache(cache.clone()));
    let filled = held();
    println!("{empty} bytes became {filled}");
    // Mesa's software device takes caches and leaves them empty.
    assert!(filled > empty || common::is_lavapipe(), "{empty} bytes became {filled}");
    made(&with);
    assert_eq!(held(), filled, "pipelines are shared, so nothing was compiled again");
    assert_eq!(images, made(&without));
}

// Which also shows, where the driver leaves caches empty, that every kernel's pipeline is given it.
#[test]
fn a_pipeline_cache_of_another_device_is_refused() {
    let Some([gpu, other]) = caching_devices() else { return };
    let dataset = Arc::new(data::glyphs(0).unwrap());
    let gpu = gpu.with_pipeline_cache(pipeline_cache(&other));
    let made = Condensation::new(&gpu, dataset.clone(), settings(&dataset));
    let error = made.map(drop).unwrap_err();
    assert!(matches!(error, dm_wgpu::Error::Gpu { .. }), "{error}");
    assert!(error.to_string().contains("caller's"), "{error}");
}
