//! Devices with less than most have.

use dm_wgpu::{
    Condensation, Error, Evaluation, EvaluationSettings, Gpu, Kernels, Loss, TrainingSet, testing,
    wgpu,
};

use crate::{
    common::{assert_close, device_of, gpu},
    condense::run,
    glyphs, quick,
};

#[test]
fn webgpus_default_limits_suffice() {
    // As a caller may have it: WebGPU's default limits and no feature at all.
    let modest = device_of(wgpu::Limits::default());
    assert_eq!(modest.kernels(), Kernels::Tiles, "they need no feature");
    let error = modest.clone().with_kernels(Kernels::Lanes).unwrap_err();
    assert!(matches!(error, Error::Missing { name: "kernels", .. }), "{error}");
    assert!(error.to_string().ends_with("possible: plain and tiles"), "{error}");
    let dataset = glyphs();
    let settings = quick(&dataset, 2);
    for kernels in [Kernels::Plain, Kernels::Tiles] {
        let with = |gpu: &Gpu| gpu.clone().with_kernels(kernels).unwrap();
        let (set, losses) = run(&with(&modest), &dataset, settings.clone());
        let (expected, expected_losses) = run(&with(gpu()), &dataset, settings.clone());
        // The same kernels, but other limits may cut batches elsewhere.
        assert_close("images", &set.images, &expected.images, 1e-5);
        let of = |losses: &[Loss]| losses.iter().map(|l| l.loss).collect::<Vec<_>>();
        assert_close("losses", &of(&losses), &of(&expected_losses), 1e-5);
    }
}

#[test]
fn a_device_below_webgpus_limits_is_refused() {
    let gpu = device_of(wgpu::Limits::downlevel_defaults());
    assert_eq!(gpu.kernels(), Kernels::Plain);
    let dataset = glyphs();
    let settings = quick(&dataset, 4);
    let evaluation = EvaluationSettings::for_dataset(&dataset);
    for error in [
        Condensation::check(&gpu, &dataset, &settings).unwrap_err(),
        Condensation::new(&gpu, dataset.clone(), settings).unwrap_err(),
        Evaluation::check(&gpu, &dataset, None, &evaluation).unwrap_err(),
        Evaluation::new(&gpu, dataset.clone(), TrainingSet::Whole, evaluation).unwrap_err(),
    ] {
        assert!(matches!(error, Error::Adapter(_)), "{error}");
        let limit =
            "allows 4 storage buffers a shader stage (max_storage_buffers_per_shader_stage)";
        assert!(error.to_string().contains(limit), "{error}");
    }
    let all = wgpu::Limits::default();
    for limits in [
        wgpu::Limits { max_compute_workgroups_per_dimension: 64, ..all.clone() },
        wgpu::Limits { max_uniform_buffers_per_shader_stage: 0, ..all.clone() },
        wgpu::Limits { max_bind_groups: 1, ..all.clone() },
        wgpu::Limits { max_bindings_per_bind_group: 4, ..all },
    ] {
        let error = Condensation::new(&device_of(limits), dataset.clone(), quick(&dataset, 4));
        assert!(matches!(error, Err(Error::Adapter(_))), "{error:?}");
    }
}

#[test]
fn a_device_with_small_workgroups_gets_plain_kernels() {
    let limits = wgpu::Limits::default();
    for (limits, missing) in [
        (
            wgpu::Limits { max_compute_workgroup_storage_size: 8192, ..limits.clone() },
            "has no 16384 bytes of workgroup memory, but 8192 bytes; possible: plain",
        ),
        (
            wgpu::Limits { max_compute_invocations_per_workgroup: 128, ..limits.clone() },
            "has no workgroups of 256 invocations; possible: plain",
        ),
    ] {
        let small = device_of(limits);
        assert_eq!(small.kernels(), Kernels::Plain);
        let error = small.with_kernels(Kernels::Tiles).unwrap_err().to_string();
        assert!(error.contains(missing), "{error}");
    }
}

/// Several threads compile: what one of them finds wrong is an error of what is prepared, and the next attempt begins anew.
#[test]
fn a_kernel_that_does_not_compile_is_an_error_whichever_thread_compiles_it() {
    let dataset = glyphs();
    let modest = device_of(wgpu::Limits::default());
    let prepared = || Condensation::new(&modest, dataset.clone(), quick(&dataset, 1)).map(drop);
    // Which thread comes to it is chance.
    for attempt in 0..8 {
        let altered = testing::spoil(&modest, "sgd ", |wgsl| wgsl.replace("fn main", "fn main)"));
        assert_eq!(altered, 1);
        let error = prepared().expect_err(&format!("attempt {attempt}"));
        assert!(matches!(error, Error::Gpu { .. }) && error.to_string().contains("sgd"), "{error}");
    }
    prepared().unwrap();
}
