//! The buffers of an iteration, named once, for the device and for the count; and what of the training is kept.

use super::{STATE, UnrolledPlan};
use crate::{
    Error, Result, Text,
    condense::{Feed, Plan, Sizes, packed::PackedImages},
    gpu::{Buffer, Caps, Gpu, Memory, Table},
    kernels::{Moves, PRODUCTS, Rates},
    nn::{ConvNet, Gradients, Network, Tangent, Ways, Weights},
};

/// What an iteration moves: the images and what the learning rates are of, and Adam's two moments of each.
#[derive(Debug, Clone)]
pub(crate) struct State<M: Memory = Gpu> {
    pub images: M::Buffer<f32>,
    pub mean: M::Buffer<f32>,
    pub square: M::Buffer<f32>,
    pub raw: M::Buffer<f32>,
    pub raw_mean: M::Buffer<f32>,
    pub raw_square: M::Buffer<f32>,
}

/// Everything else.
#[derive(Debug)]
pub(super) struct Buffers<M: Memory = Gpu> {
    pub weights: Weights<M>,
    /// The gradient of the loss at the weights of the step that is gone back through: of the shapes of the weights.
    pub direction: Weights<M>,
    pub network: Network<M>,
    pub fast: Fast<M>,
    pub tangent: Tangent<M>,
    pub gradients: Vec<M::Buffer<f32>>,
    /// What `sgd` wants to keep of its gradients.
    pub spare: Vec<M::Buffer<f32>>,
    pub parts: M::Buffer<f32>,
    /// Weights before steps of the training.
    pub kept: Vec<M::Buffer<f32>>,
    pub feed: Feed<M>,
    /// What an iteration moves, before others see it.
    pub work: State<M>,
    pub packed: Option<PackedImages<M>>,
    /// At the images that networks see.
    pub gradient: M::Buffer<f32>,
    pub raw_gradient: M::Buffer<f32>,
    /// Of all steps.
    pub rates: M::Buffer<Rates>,
    pub products: M::Buffer<f32>,
    pub moves: M::Buffer<Moves>,
    pub step: Step<M>,
    pub real: Real<M>,
}

/// The same network with fast blocks, for gradients at the weights.
#[derive(Debug)]
pub(super) struct Fast<M: Memory = Gpu> {
    /// Those of the other, in other forms.
    pub weights: Weights<M>,
    pub network: Network<M>,
    /// Blocks at its beginning.
    pub blocks: usize,
}

/// What one step of the training is about.
#[derive(Debug)]
pub(super) struct Step<M: Memory = Gpu> {
    pub images: M::Buffer<f32>,
    pub labels: M::Buffer<u32>,
    pub losses: M::Buffer<f32>,
    pub rate: M::Buffer<Rates>,
    pub products: M::Buffer<f32>,
    /// How the gradient at the images changes along the direction, and what that adds up to over the passes.
    pub change: M::Buffer<f32>,
    pub gradient: M::Buffer<f32>,
    pub spare: M::Buffer<f32>,
}

/// The real images that judge what was trained.
#[derive(Debug)]
pub(super) struct Real<M: Memory = Gpu> {
    pub labels: M::Buffer<u32>,
    pub losses: M::Buffer<f32>,
}

impl<M: Memory> State<M> {
    pub fn new(memory: &M, plan: &UnrolledPlan<'_>, what: &str) -> Self {
        let (pixels, steps) = (plan.stored() * plan.image_len(), plan.total());
        let buffer = |name: &str, len: usize| memory.buffer(&format!("{what}{name}"), len);
        Self {
            images: buffer("synthetic images", pixels),
            mean: buffer("velocity", pixels),
            square: buffer("second moment", pixels),
            raw: buffer("learned rates", steps),
            raw_mean: buffer("velocity of the rates", steps),
            raw_square: buffer("second moment of the rates", steps),
        }
    }

    pub fn all(&self) -> [&M::Buffer<f32>; STATE] {
        [&self.images, &self.mean, &self.square, &self.raw, &self.raw_mean, &self.raw_square]
    }
}

impl<M: Memory> Buffers<M> {
    pub fn new(memory: &M, plan: &UnrolledPlan<'_>, cut: Cut) -> Self {
        let ([net, fast], part) = (&plan.nets, plan.part);
        let (images, steps) = (plan.step_images(), plan.total());
        let (pixels, products) = (images * plan.image_len(), PRODUCTS * plan.step_parts());
        let weights = Weights::room(memory, net, 1, Ways::ToImages);
        let parts =
            [net, fast].map(|program| Gradients::parts_len(memory.caps(), program)).into_iter();
        let of_weights: usize = net.lens().iter().sum();
        let kept = |i| memory.buffer(&format!("kept weights {i}"), of_weights);
        Self {
            fast: Fast {
                weights: Weights::sharing(memory, fast, Ways::ToWeights, &weights),
                network: Network::new(memory, fast, part, part),
                blocks: fast.blocks.as_ref().map_or(0, ConvNet::depth),
            },
            weights,
            direction: Weights::room(memory, net, 1, Ways::ToImages),
            network: Network::new(memory, net, part, part),
            tangent: Tangent::new(memory, net, part, 1),
            gradients: Gradients::room(memory, net, 1, "gradient"),
            spare: Gradients::room(memory, net, 1, "spare gradient"),
            parts: memory.buffer("gradient parts", parts.max().unwrap_or(0)),
            kept: (0..plan.slots(cut.stride)).map(kept).collect(),
            feed: Feed::room(memory, &plan.of_feed(), plan.sizes(cut.resident)),
            work: State::new(memory, plan, "moving "),
            packed: (plan.packed.as_ref())
                .map(|packed| PackedImages::room(memory, packed, plan.labels.len())),
            gradient: memory.buffer("gradient at the pixels", plan.pixels()),
            raw_gradient: memory.buffer("gradient at the learned rates", steps),
            rates: memory.buffer("rates of all steps", steps),
            products: memory.buffer("products of all steps", steps * products),
            moves: memory.buffer("moves", 1),
            step: Step {
                images: memory.buffer("images of a step", pixels),
                labels: memory.buffer("labels of a step", images),
                losses: memory.buffer("cross-entropies of a step", images),
                rate: memory.buffer("rate of a step", 1),
                products: memory.buffer("products of a step", products),
                change: memory.buffer("change of the gradient at images", pixels),
                gradient: memory.buffer("gradient at images of a step", pixels),
                spare: memory.buffer("spare gradient at images", pixels),
            },
            real: Real {
                labels: memory.buffer("labels of real images", plan.reals()),
                losses: memory.buffer("losses", plan.reals()),
            },
        }
    }
}

impl Buffers {
    /// Writes what does not change, and records how weights are drawn and rearranged.
    pub fn write(&mut self, gpu: &Gpu, plan: &UnrolledPlan<'_>, cut: Cut) {
        if let Some(packed) = &self.packed {
            packed.write(gpu, &plan.counts());
        }
        self.weights.record_xavier(gpu, &plan.nets[0]);
        self.fast.weights.record_packing(gpu);
        self.direction.record_packing(gpu);
        self.feed.write(gpu, &plan.of_feed(), plan.sizes(cut.resident));
    }

    /// The images that networks see.
    pub fn shown(&self) -> &Buffer<f32> {
        self.packed.as_ref().map_or(&self.work.images, |packed| &packed.images)
    }

    /// Where gradients at the fast network's weights, or at those of the other, are to be written, for a part of so many
    /// images that is the first or is to be added.
    pub fn target(
        &self,
        gpu: &Gpu,
        (values, fast): (&[Buffer<f32>], bool),
        images: usize,
        accumulate: bool,
    ) -> Gradients {
        let starts = Buffer::from_slice(gpu, "network starts", &[0, images as u32]);
        let blocks = if fast { self.fast.blocks } else { 0 };
        Gradients::sharing(values, blocks, starts, &self.parts, accumulate)
    }
}

/// How much of an iteration is on the device at a time. It changes no bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cut {
    /// Whether the training pixels are.
    pub resident: bool,
    /// Weights are kept before every so manyth step. Between these, they are computed again when they are needed.
    pub stride: usize,
}

impl<'a> UnrolledPlan<'a> {
    /// Images of each class, as networks see them.
    fn counts(&self) -> Vec<usize> {
        self.labels.chunk_by(|a, b| a == b).map(<[u32]>::len).collect()
    }

    /// Values of all synthetic images, as networks see them.
    fn pixels(&self) -> usize {
        self.labels.len() * self.image_len()
    }

    /// As the images of a step, and the batch of real ones, look to the feed: of one class.
    fn of_feed(&self) -> Plan<'a> {
        Plan {
            net: self.nets[1].clone(),
            real_counts: vec![self.reals()],
            norm_images: 0,
            counts: vec![self.step_images()],
            packed: None,
            rates: Rates::new(0.0, 0.0, 0.0),
            real: self.real,
            most_shown: usize::MAX,
            part: usize::MAX,
            passes: 1,
            class: None,
            range: None,
        }
    }

    fn sizes(&self, resident: bool) -> Sizes {
        Sizes { chunk: self.part, syn_chunk: self.part, resident }
    }

    /// Weights that are kept at the same time: if not all, those before every `stride`th step, and those between two of
    /// these.
    pub(super) fn slots(&self, stride: usize) -> usize {
        match stride {
            1 => self.total(),
            _ => self.total().div_ceil(stride) + stride,
        }
    }

    /// All buffers of an iteration, on such a device.
    pub(super) fn table(&self, caps: &Caps, cut: Cut) -> Table {
        let table = Table::new(caps);
        State::new(&table, self, "");
        Buffers::new(&table, self, cut);
        table
    }

    /// As much as there is room for: all weights before the training pixels.
    pub(super) fn cut(&self, gpu: &Gpu) -> Result<Cut> {
        let (binding, pixels) = (gpu.max_binding(), self.pixels() as u64 * 4);
        if pixels > binding {
            let reason = Text::from("the synthetic images take ").bytes(pixels).then(format!(
                ", this adapter binds at most {binding} at once; use fewer images per class"
            ));
            let most = self.counts().into_iter().max().unwrap_or(0);
            return Err(Error::setting("ipc", most / self.tiles(), reason));
        }
        let table = |cut| self.table(gpu.caps(), cut);
        let fewest = (1..=self.total()).min_by_key(|stride| self.slots(*stride)).unwrap_or(1);
        let least = Cut { resident: false, stride: fewest };
        gpu.check_room(&table(least), "these settings need")?;
        let all = Cut { stride: 1, ..least };
        let cut = if gpu.has_room_for(&table(all)) { all } else { least };
        // Keeping the training set saves sending it piece by piece, but not at any price.
        let left = gpu.memory_budget() - table(least).bytes();
        let resident = Cut { resident: true, ..cut };
        let affordable = self.training_bytes().is_some_and(|bytes| bytes <= left / 2);
        Ok(if affordable && gpu.has_room_for(&table(resident)) { resident } else { cut })
    }
}
