//! The blocks of a network on CPU adapters, whose planes lie in textures.

use super::Weights;
use crate::{
    Result,
    gpu::{Buffer, Dispatch, Gpu, Memory, Recording, Texels},
    kernels::{
        Batch, BlockPlan, Direction, Forward, Planes, TexelKernel,
        cpu::{
            Finish, FirstGradient, Gradient, Kept, Layer, MOMENTS, Pooled, convolve, first_block,
            first_block_backward, from_texels, norm_backward, norm_forward, to_texels,
            weight_gradient,
        },
    },
};

/// Their kernels and planes.
#[derive(Debug, Clone)]
pub(super) struct TexelPlan {
    /// Whether images come in the texture that the first block reads.
    pub takes_images: bool,
    kernels: Vec<TexelKernel>,
    /// Of the first block.
    input: Layer,
    /// Of each block's convolution, and what it pools to.
    planes: Vec<Layer>,
    pooled: Vec<Layer>,
}

impl TexelPlan {
    /// Of a network whose blocks are planned like this, and whose images can come in a texture or cannot. `None` on other
    /// devices.
    pub fn of(plans: &[BlockPlan], takes_images: bool) -> Option<Self> {
        let kernel = |plan: &BlockPlan| match plan.forward {
            Forward::Texels(kernel) => Some(kernel),
            _ => None,
        };
        let kernels = plans.iter().map(kernel).collect::<Option<Vec<_>>>()?;
        let layer = |planes: Planes| Layer {
            channels: planes.channels as usize,
            size: planes.size as usize,
        };
        let planes: Vec<_> = plans.iter().map(|plan| layer(plan.planes)).collect();
        let pooled = planes.iter().map(|planes| planes.pooled()).collect();
        Some(Self { takes_images, kernels, input: layer(plans[0].input), planes, pooled })
    }

    /// What a block reads.
    fn input(&self, i: usize) -> Layer {
        i.checked_sub(1).map_or(self.input, |before| self.pooled[before])
    }

    /// Texels of the planes that one of a block's kernels leaves to another, for so many images forward and backward.
    fn at_planes(&self, images: usize, backward_images: usize) -> usize {
        let of = |(kernel, planes): (&TexelKernel, &Layer)| {
            let images = match kernel {
                TexelKernel::First(_) => 0,
                TexelKernel::Small(_) => backward_images,
                TexelKernel::Any(_) => images,
            };
            images * planes.image_len()
        };
        self.kernels.iter().zip(&self.planes).map(of).max().unwrap_or(0)
    }

    /// Texels of an image's moments, of a first block that leaves these on the way back, and not planes.
    fn moments(&self) -> usize {
        match self.kernels[0] {
            TexelKernel::First(_) => MOMENTS * self.planes[0].channels,
            TexelKernel::Small(_) | TexelKernel::Any(_) => 0,
        }
    }
}

/// Room for a chunk of images on their way through these blocks.
#[derive(Debug)]
pub(super) struct TexelBlocks<M: Memory = Gpu> {
    pub plan: TexelPlan,
    /// What the first block reads.
    pub images: M::Texels,
    /// What each block pools to.
    pooled: Vec<M::Texels>,
    /// For images that go backward: each block's normalised values and 1/σ of its planes, and the gradient at what it
    /// reads, followed by the gradient at the last block's pooled planes.
    kept: Vec<M::Texels>,
    inv_std: Vec<M::Buffer<f32>>,
    d_inputs: Vec<M::Texels>,
    /// Of one block after the other: what its convolution makes, if another kernel follows, or the gradient there.
    at_planes: M::Texels,
    /// Of a first block's planes.
    moments: M::Texels,
}

impl<M: Memory> TexelBlocks<M> {
    /// Room for at most `images` forward and `backward_images` backward at a time, which are where these blocks
    /// or others find them.
    pub fn new(
        memory: &M,
        plan: TexelPlan,
        images: usize,
        backward_images: usize,
        images_of: Option<M::Texels>,
    ) -> Self {
        let texels = |label: &str, i: usize, images: usize, layer: Layer| {
            (format!("{label} {i}, texels"), images * layer.image_len())
        };
        let each = |label: &str, images: usize, layers: &[Layer]| {
            let all = layers.iter().enumerate();
            all.map(|(i, &layer)| texels(label, i, images, layer)).collect::<Vec<_>>()
        };
        let inv_std = |(i, planes): (usize, &Layer)| {
            memory.buffer(&format!("1/std {i}, texels"), backward_images * planes.channels)
        };
        let d_input = |i: usize| texels("d input", i, backward_images, plan.input(i));
        let own = if images_of.is_some() { 0 } else { images };
        let fixed = [
            texels("input", 0, own, plan.input),
            ("planes, texels".into(), plan.at_planes(images, backward_images)),
            ("moments, texels".into(), backward_images * plan.moments()),
        ];
        let pooled = each("pooled", images, &plan.pooled);
        let d_inputs: Vec<_> = (0..=plan.planes.len()).map(d_input).collect();
        let kept = each("kept", backward_images, &plan.planes);
        let most = |all: &[(String, usize)]| all.iter().map(|(_, len)| *len).max().unwrap_or(0);
        let planes = most(&fixed).max(most(&pooled)).max(most(&d_inputs));
        // A block writes what it keeps and what it pools to at once.
        let staging = memory.staging("planes, written", planes);
        let kept_staging = memory.staging("kept, written", most(&kept));
        let make = |(label, len): (String, usize)| memory.texels(&label, len, &staging);
        let make_kept = |(label, len): (String, usize)| memory.texels(&label, len, &kept_staging);
        let [own_images, at_planes, moments] = fixed.map(make);
        Self {
            images: images_of.unwrap_or(own_images),
            pooled: pooled.into_iter().map(make).collect(),
            kept: kept.into_iter().map(make_kept).collect(),
            inv_std: plan.planes.iter().enumerate().map(inv_std).collect(),
            d_inputs: d_inputs.into_iter().map(make).collect(),
            at_planes,
            moments,
            plan,
        }
    }
}

impl TexelBlocks {
    /// Where the first block reads, in which layout.
    pub fn input(&self) -> (&Texels, Planes) {
        let Layer { channels, size } = self.plan.input;
        (&self.images, Planes::dense(channels.next_multiple_of(2), size))
    }

    fn kept(&self, i: usize) -> Kept<'_> {
        Kept { planes: &self.kept[i], inv_std: &self.inv_std[i] }
    }

    /// Records the blocks, from one buffer to another; with `keep`, the values that backward needs are kept. `input` is not
    /// read if they take images.
    #[allow(clippy::too_many_arguments)]
    pub fn forward(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        weights: &Weights,
        input: (&Buffer<f32>, Planes),
        result: (&Buffer<f32>, Planes),
        batch: Batch,
        keep: bool,
    ) -> Result<()> {
        let mut planes = &self.images;
        if !self.plan.takes_images {
            recording.push(to_texels(gpu, input, planes, batch.images));
        }
        for (i, kernel) in self.plan.kernels.iter().enumerate() {
            let (input, lanes) = (self.plan.input(i), kernel.packing().lanes);
            let forward = Direction::Forward;
            let packed = weights.packed_texels(i, forward, kernel.packing())?;
            let (affine, to) = (weights.affine(i), (&self.pooled[i], self.plan.pooled[i].channels));
            let kept = keep.then(|| self.kept(i));
            let own = match *kernel {
                TexelKernel::First(first) => {
                    first_block(gpu, first, kept, planes, (packed, affine), to, batch)
                }
                TexelKernel::Small(_) => {
                    let finish =
                        kept.map_or(Finish::Pool(affine), |kept| Finish::Keep(affine, kept));
                    convolve(gpu, lanes, finish, (planes, input), packed, to, batch)
                }
                TexelKernel::Any(_) => {
                    let (input, raw) = ((planes, input), (&self.at_planes, to.1));
                    recording.push(convolve(gpu, lanes, Finish::Store, input, packed, raw, batch));
                    let layer = self.plan.planes[i];
                    norm_forward(gpu, layer, raw.0, affine, to.0, kept, batch)
                }
            };
            recording.push(own);
            planes = to.0;
        }
        recording.push(from_texels(gpu, planes, result, batch.images));
        Ok(())
    }

    /// Records the way back from the gradient at a block's pooled planes to the one at its convolution, which it returns.
    /// For the last block, the former is in a buffer, where image i takes the gradient of image
    /// (`first` + i) / `sharing`. Others have it from the block behind them.
    #[allow(clippy::too_many_arguments)]
    pub fn norm_backward(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        block: usize,
        (d_pooled, layout): (&Buffer<f32>, Planes),
        (affine, d_affine): (&Buffer<f32>, &Buffer<f32>),
        batch: Batch,
        sharing: (usize, usize),
    ) -> Gradient<'_> {
        let given = &self.d_inputs[block + 1];
        let last = block + 1 == self.plan.kernels.len();
        let (first, sharing) = if last { sharing } else { (0, 1) };
        if last {
            let (from, to) = (first / sharing, (first + batch.images - 1) / sharing + 1);
            recording.push(to_texels(gpu, (d_pooled, layout.starting_at(from)), given, to - from));
        }
        let d_pooled = Pooled { planes: given, first_image: first % sharing, sharing };
        let kept = self.kept(block);
        let gradient = match self.plan.kernels[block] {
            TexelKernel::First(kernels) => {
                let (planes, moments) = (kept.planes, &self.moments);
                Gradient::First(FirstGradient { kernels, planes, d_pooled, moments })
            }
            TexelKernel::Small(_) | TexelKernel::Any(_) => Gradient::Planes(&self.at_planes),
        };
        let (layer, result) = (self.plan.planes[block], (gradient, d_affine));
        recording.push(norm_backward(gpu, layer, kept, affine, d_pooled, result, batch));
        gradient
    }

    /// Records the way back from the gradient at a block's convolution to the one at what it reads.
    pub fn conv_backward(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        weights: &Weights,
        (block, gradient): (usize, Gradient<'_>),
        batch: Batch,
    ) -> Result<()> {
        let (packing, layer) = (self.plan.kernels[block].packing(), self.plan.planes[block]);
        let to = &self.d_inputs[block];
        let packed = |direction| weights.packed_texels(block, direction, packing);
        recording.push(match gradient {
            Gradient::First(first) => {
                let (given, packed) = ((first, layer.channels), packed(Direction::Forward)?);
                first_block_backward(gpu, given, packed, to, batch)
            }
            Gradient::Planes(planes) => {
                let (given, packed) = ((planes, layer), packed(Direction::BackwardData)?);
                let to = (to, self.plan.input(block).channels);
                convolve(gpu, packing.lanes, Finish::Store, given, packed, to, batch)
            }
        });
        Ok(())
    }

    /// The gradient at a block's weights, from there too.
    pub fn weight_gradient(
        &self,
        gpu: &Gpu,
        (block, gradient): (usize, Gradient<'_>),
        d_weights: &Buffer<f32>,
        batch: Batch,
        accumulate: bool,
    ) -> Dispatch {
        let input = block.checked_sub(1).map_or(&self.images, |before| &self.pooled[before]);
        let lanes = self.plan.kernels[block].packing().lanes;
        let input = (input, self.plan.input(block));
        let given = (gradient, self.plan.planes[block]);
        weight_gradient(gpu, lanes, input, given, d_weights, batch, accumulate)
    }

    /// Takes the gradient at what the first block reads to a buffer, for other kernels.
    pub fn take_d_input(&self, gpu: &Gpu, to: (&Buffer<f32>, Planes), images: usize) -> Dispatch {
        from_texels(gpu, &self.d_inputs[0], to, images)
    }

    /// What the blocks have pooled, in buffers, for the tests.
    pub fn pooled(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        images: usize,
    ) -> Vec<(Buffer<f32>, Planes)> {
        let layers = self.pooled.iter().zip(&self.plan.pooled);
        let copy = |(pooled, layer): (&Texels, &Layer)| {
            let layout = Planes::dense(layer.channels, layer.size);
            let buffer = Buffer::zeros(gpu, "pooled", images * layout.image_len());
            recording.push(from_texels(gpu, pooled, (&buffer, layout), images));
            (buffer, layout)
        };
        layers.map(copy).collect()
    }
}
