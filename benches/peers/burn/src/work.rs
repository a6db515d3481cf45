//! The work that is timed.

use std::error::Error;

use burn::{
    nn::loss::CrossEntropyLossConfig,
    optim::{
        GradientsParams, Optimizer, SgdConfig, decay::WeightDecayConfig, momentum::MomentumConfig,
    },
    tensor::{Device, Distribution, Int, Tensor},
};

use crate::{
    Options, What,
    augment::{Name, Parameters, strategy},
    net::ConvNet,
};

const MEAN: f64 = 0.45;
const STD: f64 = 0.25;
const BATCH: usize = 256;

/// Does the work once and returns the loss.
pub type Step = Box<dyn FnMut() -> Result<f32, Box<dyn Error>>>;

/// The number of iterations or epochs before those that are timed. In them, the kernels of every augmentation are
/// compiled and tuned: an iteration has ten augmentations or more, an epoch has one per batch.
pub fn warm_up(options: &Options) -> usize {
    let [_, channels, ..] = options.shape.numbers();
    match options.what {
        What::Iteration => 2,
        What::Epoch => strategy(channels).len().max(2),
    }
}

/// Takes one augmentation after the other until all are compiled, then draws at random.
struct Names {
    names: Vec<Name>,
    drawn: usize,
}

impl Names {
    fn next(&mut self) -> Name {
        let turn = self.drawn;
        self.drawn += 1;
        match self.names.get(turn) {
            Some(name) => *name,
            None => self.names[fastrand::usize(..self.names.len())],
        }
    }
}

fn sgd(momentum: f64) -> SgdConfig {
    let momentum = MomentumConfig::new().with_momentum(momentum).with_dampening(0.0);
    SgdConfig::new().with_momentum(Some(momentum))
}

pub fn iteration(options: &Options, device: &Device) -> Step {
    let [classes, channels, size, depth] = options.shape.numbers();
    let [ipc, width, batch] =
        [options.ipc, options.width, options.batch_real].map(|number| number as usize);
    let mut names = Names { names: strategy(channels), drawn: 0 };
    let picked = batch.max(4096);
    // Bytes, in tensors of f32: WGSL has no 8-bit numbers.
    let pixels = Tensor::<4>::random(
        [picked, channels, size, size],
        Distribution::Uniform(0.0, 256.0),
        device,
    )
    .floor();
    let shape = [classes * ipc, channels, size, size];
    let mut synthetic = Tensor::<4>::random(shape, Distribution::Normal(0.0, 1.0), device);
    let (optimiser, mut state) = (sgd(0.5).build(), None);
    let device = device.clone();

    Box::new(move || {
        let net = ConvNet::new([channels, size, depth], width, None, &device);
        let (mut losses, mut gradients) = (Vec::new(), Vec::new());
        for class in 0..classes {
            let chosen = Distribution::Uniform(0.0, picked as f64);
            let chosen = Tensor::<1>::random([batch], chosen, &device).floor().int();
            let real = (pixels.clone().select(0, chosen) / 255.0 - MEAN) / STD;
            let made = synthetic.clone().narrow(0, class * ipc, ipc).autodiff().require_grad();
            let parameters = Parameters::draw(names.next(), 1, size, &device);
            let target = net.forward(parameters.clone().apply(real)).mean_dim(0);
            let mean = net.forward(parameters.apply(made.clone())).mean_dim(0);
            let loss = (mean - target).square().sum();
            // Class by class, since classes share no pixels: burn then sees the same few sequences of
            // operations again and again. One long sequence would be new in every iteration, and burn
            // would fuse and compile it again.
            let of_class = loss.backward();
            gradients.push(made.grad(&of_class).ok_or("pixels without a gradient")?);
            losses.push(loss.inner());
            device.flush()?;
        }
        let gradient = Tensor::cat(gradients, 0);
        (synthetic, state) = optimiser.step(1.0, synthetic.clone(), gradient, state.take());
        Ok(Tensor::cat(losses, 0).sum().try_into_scalar()?)
    })
}

pub fn epoch(options: &Options, device: &Device) -> Step {
    let [classes, channels, size, depth] = options.shape.numbers();
    let [ipc, width] = [options.ipc, options.width].map(|number| number as usize);
    let mut names = Names { names: strategy(channels), drawn: 0 };
    let count = classes * ipc;
    let images =
        Tensor::<4>::random([count, channels, size, size], Distribution::Normal(0.0, 1.0), device);
    let labels = Tensor::<1, Int>::arange(0..count as i64, device) / ipc as i64;
    let training = device.clone().autodiff();
    let mut net = Some(ConvNet::new([channels, size, depth], width, Some(classes), &training));
    let mut optimiser = sgd(0.9).with_weight_decay(Some(WeightDecayConfig::new(5e-4))).init();
    let cross_entropy = CrossEntropyLossConfig::new().init(&training);
    let device = device.clone();

    Box::new(move || {
        let mut order: Vec<i32> = (0..count as i32).collect();
        fastrand::shuffle(&mut order);
        let mut last = None;
        for chosen in order.chunks(BATCH) {
            let drawn = Parameters::draw(names.next(), chosen.len(), size, &device);
            let chosen = Tensor::<1, Int>::from_data(chosen, &device);
            let seen = drawn.apply(images.clone().select(0, chosen.clone())).autodiff();
            let before = net.take().ok_or("no network")?;
            let logits = before.forward(seen);
            let labels = labels.clone().select(0, chosen).autodiff();
            let loss = cross_entropy.forward(logits, labels);
            let gradients = GradientsParams::from_grads(loss.backward(), &before);
            net = Some(optimiser.step(0.01, before, gradients));
            last = Some(loss);
        }
        Ok(last.ok_or("no batch")?.try_into_scalar()?)
    })
}
