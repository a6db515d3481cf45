//! What tests on a GPU share: the GPU, errors and tolerances, numbers to test with.

// Two test programs have it, and one of them does without some.
#![allow(dead_code)]

use std::sync::{
    OnceLock,
    atomic::{AtomicUsize, Ordering},
};

use dm_wgpu::{AdapterChoice, Gpu, Kernels, Precision, wgpu};

/// A device that tests use in turn.
struct Bench {
    gpu: OnceLock<Gpu>,
    families: OnceLock<Vec<Gpu>>,
    users: AtomicUsize,
}

/// A device does the work of all threads in turn, and a software device leaves a core idle whenever one of its threads
/// waits for the others. But each compiles its own kernels, so that several only pay where tests use the same few.
static BENCHES: [Bench; crate::DEVICES] = [const {
    Bench { gpu: OnceLock::new(), families: OnceLock::new(), users: AtomicUsize::new(0) }
}; crate::DEVICES];

/// What a thread works at for as long as it lives.
struct Seat(&'static Bench);

thread_local! {
    static SEAT: Seat = {
        let fewest = BENCHES.iter().min_by_key(|bench| bench.users.load(Ordering::Relaxed)).unwrap();
        fewest.users.fetch_add(1, Ordering::Relaxed);
        Seat(fewest)
    };
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.users.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The GPU of a test: the first adapter that is found, a software one too.
pub fn gpu() -> &'static Gpu {
    SEAT.with(|seat| seat.0).gpu.get_or_init(|| {
        Gpu::headless_blocking(&AdapterChoice::default()).unwrap_or_else(|error| {
            panic!(
                "no GPU to test on: {error}\n\
                 A software Vulkan will do: install Mesa's lavapipe (Debian: mesa-vulkan-drivers) \
                 and check that `vulkaninfo --summary` lists it."
            )
        })
    })
}

/// A device without features and with these limits.
pub fn device_of(required_limits: wgpu::Limits) -> Gpu {
    open(&adapter(), wgpu::Features::empty(), required_limits)
}

/// The adapter of [`gpu`], once more.
pub fn adapter() -> wgpu::Adapter {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let mut adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::PRIMARY));
    let same = |a: &wgpu::Adapter| a.get_info().name == gpu().info().name;
    adapters.swap_remove(adapters.iter().position(same).unwrap())
}

/// A device of this adapter, opened as a caller would.
pub fn open(
    adapter: &wgpu::Adapter,
    required_features: wgpu::Features,
    required_limits: wgpu::Limits,
) -> Gpu {
    let descriptor = wgpu::DeviceDescriptor {
        label: Some("modest"),
        required_features,
        required_limits,
        ..Default::default()
    };
    let (device, queue) = pollster::block_on(adapter.request_device(&descriptor)).unwrap();
    Gpu::from_parts(device, queue, adapter.get_info())
}

/// [`gpu`] once for each family of kernels that its adapter supports.
pub fn gpus() -> &'static [Gpu] {
    SEAT.with(|seat| seat.0).families.get_or_init(|| {
        let with = |kernels| gpu().clone().with_kernels(kernels).ok();
        let supported: Vec<_> = Kernels::ALL.into_iter().filter_map(with).collect();
        let names: Vec<_> = supported.iter().map(|gpu| gpu.kernels().name()).collect();
        let (info, names) = (gpu().info(), names.join(" and "));
        let (least, most) = (info.subgroup_min_size, info.subgroup_max_size);
        println!("{}: kernels {names}, subgroups of {least} to {most} lanes", info.name);
        // Plain ones need nothing; Mesa's software device has fixed subgroups and large workgroups, so
        // that every family is tested where there is no GPU.
        // At WebGPU's limits there are no subgroups.
        let least = match (is_lavapipe(), at_limits()) {
            (true, None) => Kernels::ALL.len(),
            (true, Some(_)) => 2,
            (false, _) => 1,
        };
        assert!(supported.len() >= least, "only {names}");
        supported
    })
}

/// The same adapter with f16, or none, after a line that says what it lacks.
pub fn gpu_f16() -> Option<&'static Gpu> {
    static GPU: OnceLock<Option<Gpu>> = OnceLock::new();
    let choice = || AdapterChoice::default().precision(Precision::F16);
    let opened = || match Gpu::headless_blocking(&choice()) {
        Ok(gpu) => Some(gpu),
        Err(missing) if missing.is_usage() => {
            println!("skipped: {missing}");
            None
        }
        Err(error) => panic!("{error}"),
    };
    GPU.get_or_init(opened).as_ref()
}

/// The nearest f16, of two equally near ones the even one.
pub fn rounded_to_f16(values: &[f32]) -> Vec<f32> {
    let nearest = |v: &f32| {
        // Eleven bits from the leading one on; below 2^-14 there are fewer.
        let exponent = v.abs().max((-14f32).exp2()).log2().floor();
        let unit = (exponent - 10.0).exp2();
        (v / unit).round_ties_even() * unit
    };
    values.iter().map(nearest).collect()
}

/// The limits that all devices of this process are opened at, where they are not the adapter's own.
pub fn at_limits() -> Option<String> {
    std::env::var("DM_WGPU_LIMITS").ok().filter(|limits| !limits.is_empty())
}

/// Whether the adapter is Mesa's software Vulkan.
pub fn is_lavapipe() -> bool {
    gpu().info().name.starts_with("llvmpipe")
}

/// How far results may be from their reference, by [`relative_error`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerance {
    /// Of values.
    pub values: f64,
    /// Of gradients.
    pub gradients: f64,
}

impl Tolerance {
    /// What the golden vectors' description promises of f32 arithmetic.
    pub const GOLDEN: Self = Self { values: 1e-4, gradients: 1e-3 };
    /// f64 twins against golden vectors: both sides were rounded to f32 (6e-8), and so were the
    /// parameters: half an ulp of a scale moves sampling by 1e-6 of a pixel at 32, 2e-6 at 64.
    pub const TWIN: Self = Self { values: 3e-6, gradients: 3e-6 };
    /// Golden vectors by [`Precision::F16`]. Rounding to eleven bits is off by 2^-11 at most and by 2^-12 at
    /// the root of the mean square: of two factors 3.5e-4 per product. Sums keep that, as independent errors
    /// add up no faster than the terms do; where two or three blocks are rounded it is 6e-4. Gradients are
    /// not rounded themselves, but some 5e-4 of a block's ReLUs are switched, each a jump: three blocks make
    /// √(3 · 5e-4) = 4e-2. What training or a step has moved is partly gradient, a norm's bias wholly.
    pub const F16: Self = Self { values: 2e-2, gradients: 1e-1 };
    /// Values that no gradient has moved, by [`Precision::F16`].
    pub const F16_FORWARD: f64 = 1e-3;
    /// One kernel against its twin: sums of up to some thousand terms (√1000 · 6e-8 = 2e-6), and
    /// sampling positions in f32 (a few ulp of 32 pixels, 1e-5 of a pixel).
    pub const KERNEL: Self = Self { values: 2e-5, gradients: 2e-5 };
}

/// ‖out − ref‖₂ / ‖ref‖₂, or ‖out‖₂ where the reference is all zero.
///
/// Infinite when the lengths differ or anything is NaN or infinite, so that it never passes.
pub fn relative_error<A, B>(out: &[A], reference: &[B]) -> f64
where
    A: Copy + Into<f64>,
    B: Copy + Into<f64>,
{
    if out.len() != reference.len() {
        return f64::INFINITY;
    }
    let (mut difference, mut norm) = (0.0, 0.0);
    for (out, reference) in out.iter().zip(reference) {
        let (out, reference): (f64, f64) = ((*out).into(), (*reference).into());
        difference += (out - reference).powi(2);
        norm += reference.powi(2);
    }
    let error = if norm == 0.0 { difference.sqrt() } else { (difference / norm).sqrt() };
    // An infinite norm would make a finite quotient of a reference that holds no number.
    if error.is_finite() && norm.is_finite() { error } else { f64::INFINITY }
}

/// Fails unless the error is within the limit.
#[track_caller]
pub fn assert_close<A, B>(what: &str, out: &[A], reference: &[B], limit: f64)
where
    A: Copy + Into<f64>,
    B: Copy + Into<f64>,
{
    let error = relative_error(out, reference);
    assert!(
        error <= limit,
        "{what}: relative error {error:.3e} is over {limit:.0e} ({} values, {} expected)",
        out.len(),
        reference.len()
    );
}

/// ⟨a, b⟩ in f64.
pub fn dot<A, B>(a: &[A], b: &[B]) -> f64
where
    A: Copy + Into<f64>,
    B: Copy + Into<f64>,
{
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (*a).into() * (*b).into()).sum()
}

/// ‖a‖₂ in f64.
pub fn norm<A: Copy + Into<f64>>(a: &[A]) -> f64 {
    dot(a, a).sqrt()
}

/// A small generator for test data (SplitMix64): the same numbers everywhere, for ever.
pub struct Rng(pub u64);

impl Rng {
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
    /// In [0, 1).
    pub fn uniform(&mut self) -> f64 {
        (self.word() >> 11) as f64 * (-53f64).exp2()
    }
    /// In 0..n.
    pub fn below(&mut self, n: usize) -> usize {
        (self.uniform() * n as f64) as usize
    }
    /// Standard normal numbers, rounded to f32.
    pub fn normals(&mut self, count: usize) -> Vec<f32> {
        let mut normal = || {
            let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
            (radius * (std::f64::consts::TAU * self.uniform()).cos()) as f32
        };
        (0..count).map(|_| normal()).collect()
    }
    /// Each +1 or −1.
    pub fn signs(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| if self.word() >> 63 == 0 { 1.0 } else { -1.0 }).collect()
    }
    /// Weights of a convolution as the random networks have them: uniform in ±1/√fan_in.
    pub fn weights(&mut self, outputs: usize, inputs: usize) -> Vec<f32> {
        let bound = 1.0 / (9.0 * inputs as f64).sqrt();
        let mut weight = || ((2.0 * self.uniform() - 1.0) * bound) as f32;
        (0..outputs * inputs * 9).map(|_| weight()).collect()
    }
}
