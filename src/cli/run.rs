//! One condensation from the arguments to the files in its folder.

use std::sync::Arc;

use dm_wgpu::{
    Condensation, Dataset, Gpu, Settings, SyntheticSet,
    report::{self, Measurement},
    wgpu::{AdapterInfo, DeviceType},
};

use super::{
    args::RunArgs,
    dataset,
    failure::Failure,
    folder::OutputFolder,
    interrupt::{INTERRUPTED, Interrupt},
    progress::{Console, Downloads, Steps, number},
    record::{Adapter, Outcome, Record},
    say,
};

/// Iterations that the GPU may be behind: enough to keep it busy, few enough to stop soon.
const IN_FLIGHT: u32 = 2;

/// What the loop leaves.
struct Condensed {
    set: SyntheticSet,
    losses: Vec<Measurement>,
    seconds: f64,
}

/// Runs and gives the exit code.
pub fn run(args: &RunArgs) -> Result<u8, Failure> {
    let console = Console::new(args.quiet);
    let run_name = format!("{}-ipc{}-seed{}", args.dataset(), args.ipc, args.seed);
    let mut folder = OutputFolder::reserve(args.out.as_deref(), &run_name)?;
    let interrupt = Interrupt::install(folder.made().to_vec(), console.quiet());

    // The quick check first: without an adapter nothing needs to be downloaded.
    let gpu = Gpu::headless_blocking(&args.adapter_choice())?;
    let mut downloads = Downloads::new(&console);
    let loaded = dataset::load(args.dataset(), args.data_dir.as_deref(), &mut |progress| {
        downloads.progress(progress);
    });
    downloads.finish();
    let dataset = Arc::new(loaded.map_err(Failure::of_data)?);
    let settings = args.settings(&dataset);
    settings.check(&dataset)?;
    console.say(&introduction(&dataset, gpu.info(), &settings, &folder));

    let mut condensation = Condensation::new(&gpu, Arc::clone(&dataset), settings.clone())?;
    let condensed = condense(&mut condensation, &settings, &console, &interrupt)?;
    let (Some(first), Some(last)) = (condensed.losses.first(), condensed.losses.last()) else {
        console.say("interrupted before the first iteration: nothing was saved");
        return Ok(INTERRUPTED);
    };
    let record = Record {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        dataset: dataset.name().to_owned(),
        adapter: Adapter::of(gpu.info()),
        outcome: Outcome {
            completed_iterations: condensation.iteration(),
            first_loss: first.loss,
            last_loss: last.loss,
            seconds: condensed.seconds,
        },
        settings,
    };
    save(&condensed, &record, args, &folder)?;
    folder.keep();
    if !console.quiet() {
        say::out(&summary(&record, condensed.set.labels.len(), &folder))
            .map_err(|error| Failure::Failed(format!("stdout: {error}")))?;
    }
    let interrupted = record.outcome.completed_iterations < record.settings.iterations;
    Ok(if interrupted { INTERRUPTED } else { 0 })
}

/// All iterations, or as many as there were before Ctrl-C.
fn condense(
    condensation: &mut Condensation,
    settings: &Settings,
    console: &Console,
    interrupt: &Interrupt,
) -> Result<Condensed, Failure> {
    interrupt.working();
    let mut losses = Vec::new();
    let mut steps = Steps::start(console, settings.iterations);
    let mut take = |condensation: &mut Condensation, steps: &mut Steps| {
        for arrived in condensation.take_losses()? {
            steps.arrived(arrived.loss);
            losses.push(Measurement {
                iteration: arrived.iteration,
                loss: arrived.loss,
                seconds: steps.seconds(),
            });
        }
        Ok::<_, Failure>(())
    };
    while condensation.iteration() < settings.iterations && !interrupt.requested() {
        condensation.step()?;
        take(condensation, &mut steps)?;
        condensation.wait_blocking(IN_FLIGHT)?;
    }
    let set = condensation.images_blocking()?;
    // The last ones, and with them whether the images are numbers at all.
    take(condensation, &mut steps)?;
    let seconds = steps.seconds();
    steps.finish();
    Ok(Condensed { set, losses, seconds })
}

/// Everything into the folder, what matters most first: it stays there even if the rest fails.
fn save(
    condensed: &Condensed,
    record: &Record,
    args: &RunArgs,
    folder: &OutputFolder,
) -> Result<(), Failure> {
    let place = |name: &str| folder.path().join(name);
    let data = place("synthetic.safetensors");
    condensed.set.save(&data)?;
    let rest = || {
        report::write_metrics(&condensed.losses, &place("metrics.csv"))?;
        record.write(args, &place("run.toml"))?;
        report::write_grid(&condensed.set, &place("grid.png"))?;
        report::write_images(&condensed.set, &place("images"))?;
        Ok::<_, Failure>(())
    };
    rest().map_err(|failure| {
        Failure::Failed(format!("{failure}; the synthetic images are safe in {}", data.display()))
    })
}

fn introduction(
    dataset: &Dataset,
    adapter: &AdapterInfo,
    settings: &Settings,
    folder: &OutputFolder,
) -> String {
    let cpu = match adapter.device_type {
        DeviceType::Cpu => ", a CPU: expect this to be slow",
        _ => "",
    };
    let Settings { ipc, iterations, init, width, depth, batch_real, lr_img, augment, seed, .. } =
        settings;
    let init = format!("{init:?}").to_lowercase();
    format!(
        "data set  {}: {} images of {}×{size}×{size} in {} classes\n\
         adapter   {} ({}{cpu})\n\
         settings  ipc {ipc}, {iterations} iterations, init {init}, width {width}, depth {depth}, \
         batch {batch_real}, lr {lr_img}, augment {augment}, seed {seed}\n\
         folder    {}",
        dataset.name(),
        dataset.train().len(),
        dataset.channels(),
        dataset.classes(),
        adapter.name,
        adapter.backend.to_str(),
        folder.path().display(),
        size = dataset.size(),
    )
}

fn summary(record: &Record, images: usize, folder: &OutputFolder) -> String {
    let Outcome { completed_iterations, first_loss, last_loss, seconds } = record.outcome;
    let asked = record.settings.iterations;
    let of_asked = if completed_iterations < asked {
        format!("{completed_iterations} of {asked} iterations")
    } else {
        format!("{asked} iterations")
    };
    let path = folder.path();
    format!(
        "{images} images after {of_asked} in {seconds:.1} seconds, loss {} → {}\n\
         pictures  {} (each one in {})\n\
         data      {}",
        number(first_loss.into()),
        number(last_loss.into()),
        path.join("grid.png").display(),
        path.join("images").display(),
        path.join("synthetic.safetensors").display(),
    )
}
