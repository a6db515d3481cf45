//! What a run is built for, and what it begins with.

use std::{iter::repeat_n, sync::Arc};

use crate::{
    Dataset, Error, Gpu, Result,
    condense::{
        ClassPlan, GradientPlan, Init, Plan, RealFormat, Settings, Trajectory, UnrolledPlan,
        check_images,
        engine::{EnginePlan, NORM_IMAGES},
        packing,
        sample::draw,
    },
    kernels::{Packed, PixelRange, Rates},
    objective::Matching,
    rng::{Purpose, Stream},
};

/// Momentum of the pixels' optimiser, as published.
const MOMENTUM: f32 = 0.5;

/// What a run is built for, if settings, data set and device go together.
pub(super) fn checked_plan<'a>(
    gpu: &Gpu,
    dataset: &'a Dataset,
    settings: &Settings,
) -> Result<EnginePlan<'a>> {
    gpu.suffices()?;
    settings.check(dataset)?;
    check_images(dataset, settings.ipc, settings.stored(dataset.classes()), gpu.max_binding())?;
    let train = dataset.train();
    let classes = 0..dataset.classes();
    let of_classes = |count: usize| -> Vec<usize> {
        classes.clone().map(|class| train.of_class(class).len().min(count)).collect()
    };
    let real_counts = of_classes(settings.batch_real);
    let real = RealFormat::Pixels { all: train.pixels(), mean: dataset.mean(), std: dataset.std() };
    let (rates, net) = (rates(settings), settings.network(dataset)?);
    let counts = settings.per_class.counts(dataset.classes(), settings.ipc);
    let norm_images = match net.has_batch_norm() {
        true => of_classes(NORM_IMAGES).iter().sum(),
        false => 0,
    };
    let along = settings.method == Matching::Trajectory;
    let packed = (settings.factor > 1 || along).then(|| {
        let mut padding = [0.0; 4];
        let of_channels = packing::padding(dataset.mean(), dataset.std());
        padding[..of_channels.len()].copy_from_slice(&of_channels);
        let images = (dataset.channels(), dataset.size());
        Packed { images, factor: settings.factor, padding }
    });
    let plan = match settings.method {
        Matching::Dm | Matching::Trajectory => {
            let alpha = settings.alpha.filter(|alpha| *alpha > 0.0);
            let class = alpha.map(|alpha| ClassPlan { net: net.program().clone(), alpha });
            let range = along.then(|| PixelRange {
                mean: dataset.mean().to_vec(),
                std: dataset.std().to_vec(),
                plane: dataset.size() * dataset.size(),
            });
            let passes = if along { settings.augment.passes().len() } else { 1 };
            EnginePlan::Embeddings(Box::new(Plan {
                net: net.program().embedding(),
                real_counts,
                norm_images,
                counts,
                packed,
                rates,
                real,
                most_shown: settings.shown.unwrap_or(usize::MAX),
                part: usize::MAX,
                passes,
                class,
                range,
            }))
        }
        Matching::Dd => {
            let nets = net.programs_apart()?;
            EnginePlan::Unrolled(Box::new(UnrolledPlan {
                labels: (0..)
                    .zip(settings.shown_of_classes(dataset.classes()))
                    .flat_map(|(class, count)| repeat_n(class, count))
                    .collect(),
                packed,
                order: settings.runs_of_steps(dataset.classes()),
                passes: settings.dd_epochs.unwrap_or(1) as usize,
                rate: settings.lr_net.unwrap_or_default(),
                real_counts,
                real,
                part: GradientPlan::part(gpu.caps(), &nets),
                nets,
            }))
        }
        Matching::Dc | Matching::Dsa => {
            let nets = net.programs_apart()?;
            EnginePlan::Gradients(Box::new(GradientPlan {
                labels: classes.map(|class| class as u32).collect(),
                real_counts,
                norm_images,
                counts: settings.shown_of_classes(dataset.classes()),
                packed,
                distance: settings.distance.unwrap_or_default(),
                rates,
                lr_net: settings.lr_net.unwrap_or_default(),
                outer: settings.outer.unwrap_or(1),
                inner: settings.inner.unwrap_or_default(),
                real,
                part: GradientPlan::part(gpu.caps(), &nets),
                nets,
            }))
        }
    };
    plan.check(gpu)?;
    Ok(plan)
}

pub(super) fn rates(settings: &Settings) -> Rates {
    Rates::new(settings.lr_img, MOMENTUM, 0.0)
}

/// Where the synthetic images start, class-major.
pub(super) fn initial_images(dataset: &Dataset, settings: &Settings) -> Vec<f32> {
    let counts = settings.per_class.counts(dataset.classes(), settings.ipc);
    let mut images = Vec::with_capacity(counts.iter().sum::<usize>() * dataset.image_len());
    for (class, count) in counts.into_iter().enumerate() {
        let mut stream = Stream::new(settings.seed, Purpose::InitImages, 0, dataset.number(class));
        match settings.init {
            Init::Noise => {
                let values = count * dataset.image_len();
                images.extend((0..values).map(|_| stream.normal()));
            }
            Init::Real => {
                let (train, factor) = (dataset.train(), settings.factor);
                let drawn = draw(train.of_class(class), count * factor * factor, stream);
                let real =
                    drawn.iter().flat_map(|&at| dataset.normalised(train.image(at as usize)));
                match factor {
                    1 => images.extend(real),
                    _ => {
                        let shape = (dataset.channels(), dataset.size(), factor);
                        images.extend(packing::pack(&real.collect::<Vec<_>>(), shape));
                    }
                }
            }
        }
    }
    images
}

/// Refuses trajectories that are not what the settings ask for.
pub(super) fn check_trajectories(
    dataset: &Dataset,
    settings: &Settings,
    trajectories: &[Arc<Trajectory>],
) -> Result<()> {
    let asked = settings.trajectories.unwrap_or_default() as usize;
    let wrong = |reason: String| Err(Error::shape("trajectories", reason));
    if trajectories.len() != asked {
        return wrong(format!("there are {} where {asked} are asked for", trajectories.len()));
    }
    let epochs = settings.expert_epochs.unwrap_or_default() as usize;
    let lens = settings.network(dataset)?.program().lens();
    for trajectory in trajectories {
        if trajectory.epochs() != epochs {
            return wrong(format!("one has {} epochs, not {epochs}", trajectory.epochs()));
        }
        if !trajectory.after(0).iter().map(Vec::len).eq(lens.iter().copied()) {
            return wrong("one is of another network".into());
        }
    }
    Ok(())
}
