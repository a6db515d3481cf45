//! Device, typed buffers, pipelines, recording and submitting. Knows nothing of networks.

mod adapter;
mod buffer;
mod caps;
mod compile;
mod dispatch;
mod estimate;
mod first_group;
#[cfg(not(target_arch = "wasm32"))]
mod jit;
mod kernel;
mod memory;
mod pace;
mod params;
mod precision;
mod profile;
mod record;
mod requirements;
mod scopes;
mod share;
mod submit;
mod texels;
mod waiting;
mod watch;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

pub use adapter::{AdapterChoice, AdapterReport, adapters, adapters_blocking};
use buffer::Tags;
pub(crate) use buffer::{Buffer, Readback, staging_belt};
pub use caps::Kernels;
pub(crate) use caps::{Caps, TILES_BYTES};
pub(crate) use dispatch::{Dispatch, dispatch, fold};
pub(crate) use kernel::Kernel;
pub use kernel::Slot;
#[cfg(feature = "testing")]
pub(crate) use kernel::compile_as;
pub(crate) use memory::{Memory, Stored, Table, most};
pub(crate) use pace::Cost;
#[doc(hidden)]
pub use params::Field;
pub(crate) use params::{Fields, params};
pub use precision::Precision;
pub(crate) use precision::{MATRICES_BYTES, Matrices};
pub(crate) use profile::{Clock, Timed};
pub(crate) use record::{Place, Recording};
#[cfg(feature = "testing")]
pub use requirements::{BINDINGS, INVOCATIONS, STORAGE_BUFFERS, WORKGROUP_BYTES};
pub use requirements::{preferred_features, preferred_limits};
pub(crate) use share::{Share, Ticket, duration};
pub(crate) use submit::{Between, Submissions, Submitted, WAITING};
pub(crate) use texels::{Staging, Texels, Values};
pub(crate) use waiting::blocking;

use crate::{Error, Result, Text};
use first_group::FirstGroups;
use kernel::Pipeline;
use watch::Watches;

/// A device to run on: this crate's own, or the caller's.
///
/// Cloning is cheap; clones share one device and one cache of compiled pipelines.
#[derive(Clone, Debug)]
pub struct Gpu {
    shared: Arc<Shared>,
    caps: Caps,
    /// The caller's cache of compiled pipelines.
    cache: Option<wgpu::PipelineCache>,
    /// The adapter, if its driver may compile a kernel when it first runs.
    #[cfg(not(target_arch = "wasm32"))]
    compiles_late: Option<wgpu::Adapter>,
    submit_target: Duration,
    memory_budget: u64,
}

/// Well below the time that drivers allow a submission: Windows resets a GPU after two seconds, and everything else
/// that is drawn on the same GPU waits as long.
const SUBMIT_TARGET: Duration = Duration::from_millis(100);

#[cfg_attr(not(target_arch = "wasm32"), derive(Debug))]
struct Shared {
    device: wgpu::Device,
    queue: wgpu::Queue,
    info: wgpu::AdapterInfo,
    pipelines: Mutex<HashMap<String, Arc<Pipeline>>>,
    first_groups: FirstGroups,
    tags: Tags,
    watches: Watches,
    /// The first error that nothing caught, on a device of our own.
    fault: Arc<Mutex<Option<String>>>,
    made: Mutex<Made>,
    /// How many further checks shall report that no memory is left.
    #[cfg(feature = "testing")]
    pretended: std::sync::atomic::AtomicU32,
    /// Checks that the browser has not answered yet, each with the name of its work.
    #[cfg(target_arch = "wasm32")]
    unanswered: Mutex<Vec<(String, Unanswered)>>,
}

/// What an error scope will have caught.
#[cfg(target_arch = "wasm32")]
type Unanswered = std::pin::Pin<Box<dyn Future<Output = Option<wgpu::Error>>>>;

// A future has no such form.
#[cfg(target_arch = "wasm32")]
impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("device", &self.device).finish_non_exhaustive()
    }
}

/// What was made on a device since the last call of `take_made`.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Made {
    /// Bytes of buffers that shaders can bind.
    pub bytes: u64,
    /// Bytes of those buffers that a [`Table`] counts, too.
    pub declared: u64,
    pub pipelines: u32,
    /// Time in which those were made. Some drivers compile at the first dispatch only.
    pub compiling: Duration,
}

impl Gpu {
    /// The default [`memory_budget`](Self::memory_budget), in bytes.
    pub const MEMORY_BUDGET: u64 = 512 << 20;

    /// Uses a device that the caller made. `info` is the adapter's report, on which the choice of kernels depends.
    ///
    /// No feature is required and WebGPU's default limits suffice; with [`wgpu::Features::SUBGROUP`] some adapters get
    /// faster kernels. A device below those limits is refused, with the limit's name, when work is first prepared on
    /// it.
    pub fn from_parts(device: wgpu::Device, queue: wgpu::Queue, info: wgpu::AdapterInfo) -> Self {
        Self::assemble(device, queue, info, Arc::default())
    }

    fn assemble(
        device: wgpu::Device,
        queue: wgpu::Queue,
        info: wgpu::AdapterInfo,
        fault: Arc<Mutex<Option<String>>>,
    ) -> Self {
        let (pipelines, made) = Default::default();
        let caps = Caps::of(&info, device.features(), &device.limits());
        let (first_groups, watches) = (FirstGroups::default(), Watches::default());
        let tags = Tags::new(&device);
        let shared = Shared {
            device,
            queue,
            info,
            pipelines,
            first_groups,
            tags,
            watches,
            fault,
            made,
            #[cfg(feature = "testing")]
            pretended: Default::default(),
            #[cfg(target_arch = "wasm32")]
            unanswered: Mutex::default(),
        };
        let (submit_target, memory_budget) = (SUBMIT_TARGET, Self::MEMORY_BUDGET);
        Self {
            shared: Arc::new(shared),
            caps,
            cache: None,
            #[cfg(not(target_arch = "wasm32"))]
            compiles_late: None,
            submit_target,
            memory_budget,
        }
    }

    /// Opens an adapter without a window. Blocks until the device is there.
    ///
    /// # Errors
    /// [`Error::Adapter`] when there is none that fits; its message says what to install, or which limit is too
    /// low. [`Error::Setting`] if the named adapter does not exist, [`Error::Missing`] for kernels that the adapter
    /// can't run.
    pub fn headless_blocking(choice: &AdapterChoice) -> Result<Self> {
        blocking("open an adapter", Self::headless(choice))
    }

    /// Opens an adapter without a window.
    ///
    /// The environment variable `DM_WGPU_LIMITS` makes a good adapter behave like a modest one: with `webgpu` the
    /// device is opened at WebGPU's default limits without optional features, with `downlevel` at wgpu's
    /// [`downlevel_defaults`](wgpu::Limits::downlevel_defaults), which do not suffice.
    ///
    /// # Errors
    /// As [`headless_blocking`](Self::headless_blocking).
    pub async fn headless(choice: &AdapterChoice) -> Result<Self> {
        let adapter = adapter::choose(choice).await?;
        let info = adapter.get_info();
        let properties = adapter.cooperative_matrix_properties();
        let (features, limits) = requirements::offered(&adapter)?;
        requirements::suffices(&info.name, &limits)?;
        requirements::tell(&info.name);
        let mut required_features = requirements::useful(features);
        let mut required_limits = requirements::limits(&limits);
        let mut experimental_features = wgpu::ExperimentalFeatures::disabled();
        if choice.precision == Precision::F16 {
            Matrices::of(&info, features, &limits, &properties)
                .map_err(|missing| no_f16(&info, missing))?;
            required_features |= Precision::F16.features();
            required_limits.max_compute_workgroup_storage_size = MATRICES_BYTES as u32;
            experimental_features = precision::experimental();
        }
        let (device, queue) = adapter
            .request_device(&wgpu::DeviceDescriptor {
                label: Some("dm-wgpu"),
                required_features,
                required_limits,
                experimental_features,
                ..Default::default()
            })
            .await
            .map_err(|e| Error::Adapter(format!("{} refused to open: {e}", info.name)))?;
        // wgpu's default handler panics. This one keeps the error, and the next call that collects results returns it.
        let fault = Arc::new(Mutex::new(None));
        let seen = fault.clone();
        device.on_uncaptured_error(Arc::new(move |e: wgpu::Error| {
            log::error!("{e}");
            unpoisoned(&seen).get_or_insert(e.to_string());
        }));
        let mut gpu = Self::assemble(device, queue, info, fault);
        #[cfg(not(target_arch = "wasm32"))]
        if gpu.caps.cpu {
            gpu.compiles_late = Some(adapter);
        }
        if choice.precision == Precision::F16 {
            gpu = gpu.with_f16(&properties)?;
        }
        if let Some(kernels) = choice.kernels {
            gpu = gpu.with_kernels(kernels)?;
        }
        gpu.submit_target = choice.submit_target.unwrap_or(gpu.submit_target);
        gpu.memory_budget = choice.memory_budget.unwrap_or(gpu.memory_budget);
        let info = gpu.info();
        let driver = format!("{} {}", info.driver, info.driver_info);
        let kernels = gpu.kernels().name();
        log::info!("{} ({}), driver {}, {kernels} kernels", info.name, info.backend, driver.trim());
        Ok(gpu)
    }

    /// What the adapter reports about itself: name, driver, type.
    pub fn info(&self) -> &wgpu::AdapterInfo {
        &self.shared.info
    }

    /// The device, for callers who share it.
    pub fn device(&self) -> &wgpu::Device {
        &self.shared.device
    }

    /// The queue to which work is submitted.
    pub fn queue(&self) -> &wgpu::Queue {
        &self.shared.queue
    }

    /// The family of kernels that this device uses.
    pub fn kernels(&self) -> Kernels {
        self.caps.kernels
    }

    /// The capabilities on which the choice of kernels depends.
    pub(crate) fn caps(&self) -> &Caps {
        &self.caps
    }

    /// The same device, on which pipelines are compiled with a cache of yours from now on, beside those of
    /// your own. Filled from a file, it avoids compiling where the driver keeps no such file itself, as on Android.
    /// Desktop drivers and Mesa's software device keep one.
    ///
    /// The device needs [`wgpu::Features::PIPELINE_CACHE`], which only Vulkan has;
    /// [`preferred_features`] does not contain it, since it has no effect without a cache. Results do not depend on the
    /// cache.
    ///
    /// ```no_run
    /// # fn open(
    /// #     device: dm_wgpu::wgpu::Device, queue: dm_wgpu::wgpu::Queue, info: dm_wgpu::wgpu::AdapterInfo,
    /// # ) -> Result<(), Box<dyn std::error::Error>> {
    /// use dm_wgpu::{Gpu, wgpu};
    ///
    /// let path = wgpu::util::pipeline_cache_key(&info).unwrap_or_default();
    /// let data = std::fs::read(&path).ok();
    /// let descriptor = wgpu::PipelineCacheDescriptor {
    ///     label: Some("of my program"),
    ///     data: data.as_deref(),
    ///     fallback: true, // what another driver left is no error
    /// };
    /// // SAFETY: the file is this program's own, written from `get_data` below.
    /// let cache = unsafe { device.create_pipeline_cache(&descriptor) };
    /// let gpu = Gpu::from_parts(device, queue, info).with_pipeline_cache(cache.clone());
    /// // … make the runs …
    /// std::fs::write(&path, cache.get_data().unwrap_or_default())?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_pipeline_cache(mut self, cache: wgpu::PipelineCache) -> Self {
        self.cache = Some(cache);
        self
    }

    /// The same device with [`Precision::F16`]: convolutions by cooperative matrices where they fit, by
    /// [`kernels`](Self::kernels) elsewhere, which are then no longer [`Kernels::Lanes`]. `properties` is what the
    /// adapter answers to [`cooperative_matrix_properties`](wgpu::Adapter::cooperative_matrix_properties); a device
    /// of your own must have been opened with [`Precision::features`] and 32 KiB of workgroup memory.
    ///
    /// # Errors
    /// [`Error::Missing`] that names the feature or the matrices that are missing.
    pub fn with_f16(mut self, properties: &[wgpu::CooperativeMatrixProperties]) -> Result<Self> {
        let found = Matrices::of(
            self.info(),
            self.device().features(),
            &self.device().limits(),
            properties,
        );
        let found = found.map_err(|missing| no_f16(self.info(), missing))?;
        self.caps = self.caps.with_matrices(found);
        Ok(self)
    }

    /// The same device with submissions that should take at most about so long (100 ms by default). Work is cut by
    /// times that were measured before, down to slices of single dispatches; the result is the same to the bit. During
    /// a long submission, everything else that is drawn on that GPU waits, and some drivers abort submissions that take
    /// seconds.
    ///
    /// Shorter ones cost more: some tenths of a millisecond each on a CPU. However short the target, a
    /// submission is at least a 256th of one dispatch.
    ///
    /// It applies to this library's own submissions. Callers with encoders of their own give
    /// [`encode_some`](crate::Condensation::encode_some) a time instead.
    pub fn with_submit_target(mut self, target: Duration) -> Self {
        self.submit_target = target;
        self
    }

    /// The longest time that a submission should take.
    pub fn submit_target(&self) -> Duration {
        self.submit_target
    }

    /// The same device with a budget of so many bytes ([`MEMORY_BUDGET`](Self::MEMORY_BUDGET) by default) for the
    /// buffers of each run that is made on it: of a [`Condensation`](crate::Condensation), a
    /// [`Selection`](crate::Selection) or an [`Evaluation`](crate::Evaluation). Batches are cut to fit, which changes
    /// no bit of the result. A run that does not fit even in the smallest pieces is refused.
    ///
    /// The driver's own memory, compiled kernels, and data that waits to be copied come on top.
    ///
    /// ```no_run
    /// # fn condense(gpu: &dm_wgpu::Gpu) {
    /// // Two runs side by side have half each.
    /// let half = gpu.clone().with_memory_budget(gpu.memory_budget() / 2);
    /// # }
    /// ```
    pub fn with_memory_budget(mut self, bytes: u64) -> Self {
        self.memory_budget = bytes;
        self
    }

    /// Bytes that the buffers of a run may take together.
    pub fn memory_budget(&self) -> u64 {
        self.memory_budget
    }

    /// What the factors of convolutions are rounded to.
    pub fn precision(&self) -> Precision {
        if self.caps.matrices.is_some() { Precision::F16 } else { Precision::F32 }
    }

    /// The largest part of a buffer that one binding can give to a shader, in bytes.
    pub(crate) fn max_binding(&self) -> u64 {
        let limits = self.shared.device.limits();
        let most = self.caps.lanes().map_or(u64::MAX, |_| Texels::MOST_BYTES);
        (limits.max_storage_buffer_binding_size).min(limits.max_buffer_size).min(most)
    }

    /// An error that names the limit, if the device is too limited for this library.
    pub(crate) fn suffices(&self) -> Result<()> {
        requirements::suffices(&self.info().name, &self.device().limits())
    }

    fn note(&self, change: impl FnOnce(&mut Made)) {
        change(&mut unpoisoned(&self.shared.made));
    }

    /// What was made since the last call.
    pub(crate) fn take_made(&self) -> Made {
        std::mem::take(&mut unpoisoned(&self.shared.made))
    }

    /// Bytes that wgpu has allocated on the device at this moment, including data that waits to be
    /// copied there. Only some backends report this.
    pub(crate) fn allocated(&self) -> Option<u64> {
        self.device().generate_allocator_report().map(|report| report.total_allocated_bytes)
    }

    /// Waits for everything submitted so far.
    pub(crate) fn wait_blocking(&self, doing: &str) -> Result<()> {
        self.wait_for(None, doing)?;
        self.check(doing)
    }

    /// Notices finished work, which completes the futures that wait for it. Never waits.
    ///
    /// # Errors
    /// [`Error::Gpu`] if the device was lost.
    pub fn poll(&self) -> Result<()> {
        let doing = "look for finished work";
        self.device().poll(wgpu::PollType::Poll).map_err(|e| Error::gpu(doing, e))?;
        self.check(doing)
    }

    /// The bind group of a slice of a grid that begins with this workgroup.
    fn first_group(&self, first: u32) -> wgpu::BindGroup {
        self.shared.first_groups.bind_group(self.device(), first)
    }

    /// The keys of all pipelines: names with constants.
    #[cfg(feature = "testing")]
    pub(crate) fn compiled(&self) -> Vec<String> {
        self.pipelines().keys().cloned().collect()
    }

    fn pipelines(&self) -> MutexGuard<'_, HashMap<String, Arc<Pipeline>>> {
        unpoisoned(&self.shared.pipelines)
    }
}

fn no_f16(info: &wgpu::AdapterInfo, missing: Text) -> Error {
    Error::Missing {
        name: "precision",
        given: Precision::F16.name(),
        adapter: info.name.clone(),
        missing,
        possible: "f32 is possible".into(),
    }
}

/// Locks data that is never left half-changed, so a poisoned lock can be ignored.
fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
