//! What a device goes through: several runs, one dropped, its own loss, a pipeline cache.

use std::sync::Arc;

use dm_wgpu::{Condensation, Gpu, wgpu};

use super::{encoder, finish, settings, submit};
use crate::{
    common::{self, gpu},
    glyphs, run_bits,
};

#[test]
fn two_runs_share_a_device() {
    let dataset = glyphs();
    let alike = |seed| settings(&dataset).seed(seed).iterations(3);
    let alone = |seed| {
        let mut run = Condensation::new(gpu(), dataset.clone(), alike(seed)).unwrap();
        (0..3).for_each(|_| run.step().unwrap());
        run_bits(&mut run)
    };
    let mut runs =
        [1, 2].map(|seed| Condensation::new(gpu(), dataset.clone(), alike(seed)).unwrap());
    for _ in 0..3 {
        let mut encoder = encoder();
        runs.iter_mut().for_each(|run| run.encode_step(&mut encoder).unwrap());
        submit(encoder);
    }
    let [one, two] = &mut runs;
    assert_eq!((run_bits(one), run_bits(two)), (alone(1), alone(2)));
}

#[test]
fn a_run_dropped_in_flight_frees_its_memory() {
    let gpu = common::device_of(wgpu::Limits::default());
    let dataset = glyphs();
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
    // What waits to be uploaded while kernels are compiled is cut otherwise.
    drop_one();
    let Some(first) = drop_one() else {
        println!("SKIPPED: this backend does not tell what is allocated");
        return;
    };
    for _ in 0..3 {
        assert_eq!(drop_one(), Some(first));
    }
}

#[test]
fn a_lost_device_is_an_error_and_its_checkpoint_resumes_on_another() {
    let dataset = glyphs();
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
    finish(&mut run);
    let mut whole = Condensation::new(&found, dataset.clone(), settings(&dataset)).unwrap();
    finish(&mut whole);
    assert_eq!(run_bits(&mut run), run_bits(&mut whole));
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
    let dataset = glyphs();
    let made = |gpu: &Gpu| {
        let mut run = Condensation::new(gpu, dataset.clone(), settings(&dataset)).unwrap();
        run.step().unwrap();
        run_bits(&mut run)
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
    let dataset = glyphs();
    let gpu = gpu.with_pipeline_cache(pipeline_cache(&other));
    let made = Condensation::new(&gpu, dataset.clone(), settings(&dataset));
    let error = made.map(drop).unwrap_err();
    assert!(matches!(error, dm_wgpu::Error::Gpu { .. }), "{error}");
    assert!(error.to_string().contains("caller's"), "{error}");
}
