//! Finding adapters and choosing one.

use std::time::Duration;

use super::{Kernels, Precision, blocking};
use crate::{Error, Result, setters::with_setters};

with_setters! {
    /// Which adapter to take; the default is the best there is. Every field can be read, and set by the method of its name:
    ///
    /// ```no_run
    /// use dm_wgpu::{AdapterChoice, Gpu, Kernels};
    ///
    /// let choice = AdapterChoice::default().adapter(Some("radeon".into())).kernels(Some(Kernels::Plain));
    /// let gpu = Gpu::headless_blocking(&choice)?;
    /// # Ok::<(), dm_wgpu::Error>(())
    /// ```
    #[derive(Debug, Clone, Default)]
    pub struct AdapterChoice {
        /// Part of a name (any case), or an index into [`adapters_blocking`]'s list. [`each_blocking`](Self::each_blocking)
        /// says what stands for several adapters.
        pub adapter: Option<String>,
        /// `vulkan`, `metal`, `dx12` or `gl`; in a browser `webgpu`.
        pub backend: Option<String>,
        /// The family of kernels, instead of the one that suits the adapter.
        pub kernels: Option<Kernels>,
        /// What convolutions round their factors to.
        pub precision: Precision,
        /// The longest time that a submission should take, see
        /// [`Gpu::with_submit_target`](super::Gpu::with_submit_target).
        pub submit_target: Option<Duration>,
        /// Bytes that the buffers of a run may take, see [`Gpu::with_memory_budget`](super::Gpu::with_memory_budget).
        pub memory_budget: Option<u64>,
    }
}

impl AdapterChoice {
    /// The word that stands for all adapters.
    pub const ALL: &str = "all";

    /// Choices of one adapter each, for programs that work on several at once. This choice alone, unless it names several:
    /// indices or parts of names joined by comma, or [`ALL`](Self::ALL), which stands for every GPU that computes, once
    /// each: one that several APIs show is taken by the first of them in [`adapters_blocking`]'s list. Without any GPU, it
    /// stands for the CPUs that act as one. [Hidden](AdapterReport::hidden) ones are taken only if they are named.
    ///
    /// # Errors
    /// [`Error::Setting`] for an adapter that is not there or is named twice.
    pub fn each_blocking(&self) -> Result<Vec<Self>> {
        blocking("look for adapters", self.each())
    }

    async fn each(&self) -> Result<Vec<Self>> {
        let one = |index: usize| Self { adapter: Some(index.to_string()), ..self.clone() };
        let Some(wanted) = self.several() else { return Ok(vec![self.clone()]) };
        let mut found = enumerate(self.backend.as_deref()).await?;
        if is_all(wanted) {
            let infos: Vec<_> = found.iter().map(wgpu::Adapter::get_info).collect();
            let all: Vec<_> = all(&infos).into_iter().map(one).collect();
            // If there is none, opening any says what to do about it.
            return Ok(if all.is_empty() {
                vec![Self { adapter: None, ..self.clone() }]
            } else {
                all
            });
        }
        found.extend(hidden(self.backend.as_deref()).await?);
        let named = || found.iter().map(|adapter| adapter.get_info().name);
        // A name may have a comma in it.
        if picked(Some(wanted), named()).is_some() {
            return Ok(vec![self.clone()]);
        }
        let mut indices = Vec::new();
        for piece in wanted.split(',') {
            let Some(index) = picked(Some(piece), named()).filter(|_| !piece.trim().is_empty())
            else {
                let why = format!(
                    "{:?} is neither in an adapter's name nor its index; there are: {}",
                    piece.trim(),
                    listed(&found)
                );
                return Err(Error::setting("adapter", wanted, why));
            };
            if indices.contains(&index) {
                let why = format!("{index} is named twice; there are: {}", listed(&found));
                return Err(Error::setting("adapter", wanted, why));
            }
            indices.push(index);
        }
        Ok(indices.into_iter().map(one).collect())
    }

    /// What was asked for, if it may stand for several adapters.
    fn several(&self) -> Option<&str> {
        self.adapter.as_deref().filter(|wanted| is_all(wanted) || wanted.contains(','))
    }
}

fn is_all(wanted: &str) -> bool {
    wanted.trim().eq_ignore_ascii_case(AdapterChoice::ALL)
}

/// Which of these adapters are all: every GPU once, or without any GPU, every CPU.
fn all(infos: &[wgpu::AdapterInfo]) -> Vec<usize> {
    use wgpu::DeviceType::Cpu;
    let cpus = infos.iter().all(|info| info.device_type == Cpu);
    // As another API or another driver shows it again.
    let same = |a: &wgpu::AdapterInfo, b: &wgpu::AdapterInfo| {
        let of_other_api = a.backend != b.backend && (a.vendor, a.device) == (b.vendor, b.device);
        let at_one_place =
            !a.device_pci_bus_id.is_empty() && a.device_pci_bus_id == b.device_pci_bus_id;
        of_other_api || (at_one_place && !cpus)
    };
    let mut taken: Vec<usize> = Vec::new();
    for (index, info) in infos.iter().enumerate() {
        let again = taken.iter().any(|&earlier| same(&infos[earlier], info));
        if (cpus || info.device_type != Cpu) && !again {
            taken.push(index);
        }
    }
    taken
}

/// What an adapter reports about itself.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AdapterReport {
    /// wgpu's description: name, driver, type, backend, subgroup sizes.
    pub info: wgpu::AdapterInfo,
    /// Its limits.
    pub limits: wgpu::Limits,
    /// Optional features it has.
    pub features: wgpu::Features,
    /// The sizes and types of cooperative matrices it has.
    pub matrices: Vec<wgpu::CooperativeMatrixProperties>,
    /// Whether it is used only if it is named, because its Vulkan driver does not claim to conform to the standard. An
    /// example is Mesa's Dozen, through which WSL2 reaches the GPU.
    pub hidden: bool,
}

/// Every adapter that can compute, best first: discrete, integrated, virtual, CPU; then [hidden](AdapterReport::hidden)
/// ones. A number in [`AdapterChoice::adapter`] is an index into this list. An empty list is not an error.
///
/// ```
/// for (number, adapter) in dm_wgpu::adapters_blocking(None)?.iter().enumerate() {
///     println!("{number}: {} ({})", adapter.info.name, adapter.info.backend);
/// }
/// # Ok::<(), dm_wgpu::Error>(())
/// ```
///
/// # Errors
/// [`Error::Setting`] for a backend that is not known.
pub fn adapters_blocking(backend: Option<&str>) -> Result<Vec<AdapterReport>> {
    blocking("look for adapters", adapters(backend))
}

/// As [`adapters_blocking`], for programs that must not block.
///
/// # Errors
/// As [`adapters_blocking`].
pub async fn adapters(backend: Option<&str>) -> Result<Vec<AdapterReport>> {
    let found = enumerate(backend).await?;
    let hidden = hidden(backend).await?;
    let report = |(adapter, hidden): (&wgpu::Adapter, bool)| AdapterReport {
        info: adapter.get_info(),
        limits: adapter.limits(),
        features: adapter.features(),
        matrices: adapter.cooperative_matrix_properties(),
        hidden,
    };
    let found = found.iter().map(|adapter| (adapter, false));
    Ok(found.chain(hidden.iter().map(|adapter| (adapter, true))).map(report).collect())
}

pub(super) async fn choose(choice: &AdapterChoice) -> Result<wgpu::Adapter> {
    let mut found = enumerate(choice.backend.as_deref()).await?;
    let named = |adapter: &wgpu::Adapter| adapter.get_info().name;
    if choice.adapter.as_deref().is_some_and(is_all) {
        let why = format!("one adapter is needed here; there are: {}", listed(&found));
        return Err(Error::setting("adapter", AdapterChoice::ALL, why));
    }
    let mut index = picked(choice.adapter.as_deref(), found.iter().map(named));
    if index.is_none() {
        // They are looked for only now, because that takes time.
        let hidden = hidden(choice.backend.as_deref()).await?;
        if found.is_empty() && !hidden.is_empty() && choice.adapter.is_none() {
            let names = hidden.iter().map(named).collect::<Vec<_>>().join(", ");
            return Err(Error::Adapter(format!(
                "the only adapter is hidden, as its Vulkan driver does not claim to conform to the standard: \
                 {names}. Name it to take it nevertheless"
            )));
        }
        found.extend(hidden);
        index = picked(choice.adapter.as_deref(), found.iter().map(named));
    }
    if found.is_empty() {
        let others = enumerate(None).await?;
        return Err(match &choice.backend {
            Some(backend) if !others.is_empty() => Error::setting(
                "backend",
                format!("{backend:?}"),
                format!("no adapter has this API; without it there are: {}", listed(&others)),
            ),
            _ => Error::Adapter(NONE_FOUND.to_owned()),
        });
    }
    let Some(index) = index else {
        let wanted = choice.adapter.as_deref().unwrap_or_default();
        return Err(Error::setting(
            "adapter",
            format!("{wanted:?}"),
            match choice.several() {
                None => format!("no adapter has this name or index; there are: {}", listed(&found)),
                Some(_) => format!("one adapter is needed here; there are: {}", listed(&found)),
            },
        ));
    };
    Ok(found.swap_remove(index))
}

/// Which of the adapters with these names is wanted: the first, or the one that is named or numbered.
fn picked(wanted: Option<&str>, mut names: impl ExactSizeIterator<Item = String>) -> Option<usize> {
    match wanted.map(str::trim) {
        None => (names.len() > 0).then_some(0),
        Some(wanted) => match wanted.parse::<usize>() {
            Ok(index) => (index < names.len()).then_some(index),
            Err(_) => {
                let wanted = wanted.to_lowercase();
                names.position(|name| name.to_lowercase().contains(&wanted))
            }
        },
    }
}

/// For messages: every adapter with its index.
fn listed(found: &[wgpu::Adapter]) -> String {
    let name = |(i, a): (usize, &wgpu::Adapter)| format!("{i} ({})", a.get_info().name);
    found.iter().enumerate().map(name).collect::<Vec<_>>().join(", ")
}

async fn enumerate(backend: Option<&str>) -> Result<Vec<wgpu::Adapter>> {
    let found = match named(backend)? {
        Some(backends) => of_backends(backends, wgpu::InstanceFlags::empty()).await,
        // OpenGL lists the same cards again, is the slowest for compute, and its libraries write to
        // stderr on machines without a display. So it is used only if there is nothing else.
        None => {
            let flags = wgpu::InstanceFlags::empty();
            match of_backends(wgpu::Backends::PRIMARY, flags).await {
                found if found.is_empty() => of_backends(wgpu::Backends::GL, flags).await,
                found => found,
            }
        }
    };
    Ok(found)
}

/// The adapters that wgpu shows only if it is asked to, because their Vulkan drivers claim no conformance.
async fn hidden(backend: Option<&str>) -> Result<Vec<wgpu::Adapter>> {
    let backends = named(backend)?.unwrap_or(wgpu::Backends::VULKAN) & wgpu::Backends::VULKAN;
    if backends.is_empty() {
        return Ok(Vec::new());
    }
    let flag = wgpu::InstanceFlags::ALLOW_UNDERLYING_NONCOMPLIANT_ADAPTER;
    let mut all = of_backends(backends, flag).await;
    let shown = of_backends(backends, wgpu::InstanceFlags::empty()).await;
    let shown: Vec<_> = shown.iter().map(wgpu::Adapter::get_info).collect();
    let same = |a: &wgpu::AdapterInfo, b: &wgpu::AdapterInfo| {
        (&a.name, a.vendor, a.device, &a.driver, &a.device_pci_bus_id)
            == (&b.name, b.vendor, b.device, &b.driver, &b.device_pci_bus_id)
    };
    all.retain(|adapter| !shown.iter().any(|one| same(one, &adapter.get_info())));
    Ok(all)
}

/// The backends that a name stands for.
fn named(backend: Option<&str>) -> Result<Option<wgpu::Backends>> {
    Ok(Some(match backend.map(|b| b.trim().to_ascii_lowercase()).as_deref() {
        None => return Ok(None),
        Some("vulkan" | "vk") => wgpu::Backends::VULKAN,
        Some("metal" | "mtl") => wgpu::Backends::METAL,
        Some("dx12" | "d3d12") => wgpu::Backends::DX12,
        Some("gl" | "gles" | "opengl") => wgpu::Backends::GL,
        Some("webgpu") if cfg!(target_arch = "wasm32") => wgpu::Backends::BROWSER_WEBGPU,
        Some(other) => {
            let possible = match cfg!(target_arch = "wasm32") {
                true => "in a browser webgpu is possible",
                false => "vulkan, metal, dx12 and gl are possible",
            };
            return Err(Error::setting("backend", format!("{other:?}"), possible));
        }
    }))
}

async fn of_backends(backends: wgpu::Backends, flags: wgpu::InstanceFlags) -> Vec<wgpu::Adapter> {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = backends;
    // Debug builds would turn this on. Shaders then hold their source and a line number for each instruction, which is
    // found by counting lines from the top; that took a fifth of the time of a short run.
    descriptor.flags.remove(wgpu::InstanceFlags::DEBUG);
    descriptor.flags = descriptor.flags.with_env() | flags;
    let instance = wgpu::Instance::new(descriptor);
    let mut found = instance.enumerate_adapters(backends).await;
    found.retain(|a| {
        let capabilities = a.get_downlevel_capabilities();
        capabilities.flags.contains(wgpu::DownlevelFlags::COMPUTE_SHADERS)
    });
    // A stable sort: equals keep the driver's order.
    found.sort_by_key(|a| rank(&a.get_info()));
    found
}

fn rank(info: &wgpu::AdapterInfo) -> u8 {
    use wgpu::DeviceType::{Cpu, DiscreteGpu, IntegratedGpu, Other, VirtualGpu};
    match info.device_type {
        DiscreteGpu => 0,
        IntegratedGpu => 1,
        VirtualGpu => 2,
        Other => 3,
        Cpu => 4,
    }
}

#[cfg(target_arch = "wasm32")]
const NONE_FOUND: &str = "the browser offers no graphics adapter";
#[cfg(not(target_arch = "wasm32"))]
const NONE_FOUND: &str = "\
no graphics adapter that can compute was found. Install a driver:
  Debian, Ubuntu   apt install mesa-vulkan-drivers    (also brings a software device)
  Fedora           dnf install mesa-vulkan-drivers
  NVIDIA on Linux  the vendor's driver, with its Vulkan part
  macOS            Metal comes with macOS 10.15 or later
  Windows          the graphics vendor's driver; DirectX 12 comes with Windows 10
`dm-wgpu adapters` then lists it.";

#[cfg(test)]
mod tests {
    use super::{all, picked};

    fn info(
        device_type: wgpu::DeviceType,
        backend: wgpu::Backend,
        device: u32,
        place: &str,
    ) -> wgpu::AdapterInfo {
        wgpu::AdapterInfo {
            name: String::new(),
            vendor: 1,
            device,
            device_type,
            device_pci_bus_id: place.into(),
            driver: String::new(),
            driver_info: String::new(),
            backend,
            subgroup_min_size: 4,
            subgroup_max_size: 4,
            transient_saves_memory: None,
            limit_bucket: None,
        }
    }

    #[test]
    fn all_is_each_gpu_once() {
        use wgpu::{
            Backend::{Dx12, Vulkan},
            DeviceType::{Cpu, DiscreteGpu, IntegratedGpu},
        };
        // Two cards alike, each by two APIs, one of them also by another driver; a third that only one API shows.
        let cards = [
            info(DiscreteGpu, Vulkan, 7, "0000:01:00.0"),
            info(DiscreteGpu, Vulkan, 7, "0000:02:00.0"),
            info(DiscreteGpu, Vulkan, 7, "0000:02:00.0"),
            info(DiscreteGpu, Dx12, 7, ""),
            info(DiscreteGpu, Dx12, 7, ""),
            info(IntegratedGpu, Dx12, 8, ""),
            info(Cpu, Vulkan, 9, ""),
        ];
        assert_eq!(all(&cards), [0, 1, 5]);
        let cpus = [info(Cpu, Vulkan, 9, ""), info(Cpu, Vulkan, 9, ""), info(Cpu, Vulkan, 3, "")];
        assert_eq!(all(&cpus), [0, 1, 2], "these may be several all the same");
        assert!(all(&[]).is_empty());
    }

    #[test]
    fn an_adapter_is_picked_by_name_or_number() {
        let pick = |wanted: Option<&str>| {
            picked(wanted, ["Radeon", "llvmpipe"].map(str::to_owned).into_iter())
        };
        assert_eq!(pick(None), Some(0));
        assert_eq!((pick(Some("LLVM")), pick(Some(" 1 "))), (Some(1), Some(1)));
        assert_eq!((pick(Some("2")), pick(Some("dozen"))), (None, None));
        assert_eq!(
            picked(None, std::iter::empty::<String>().collect::<Vec<_>>().into_iter()),
            None
        );
    }
}
