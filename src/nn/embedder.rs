//! The ConvNet over a chunk of images: its buffers, its forward and its backward pass.

use super::{
    ConvNet, Weights,
    texel_blocks::{TexelBlocks, TexelPlan},
};
use crate::{
    gpu::{Buffer, Gpu, Recording},
    kernels::{
        Batch, ConvTile, Direction, Finish, First, FirstTarget, Norm, Planes, Whole, class_sum,
        conv, conv_backward_weight, conv_backward_weight_tiles, conv_first, conv_first_backward,
        conv_packed, conv_whole, norm_relu_pool_backward, norm_relu_pool_forward,
    },
};

/// Room for a chunk of images on their way through the network.
///
/// All intermediate planes have zero halos, which nothing ever writes: kernels touch the inside.
#[derive(Debug)]
pub(crate) struct Embedder {
    input: Buffer<f32>,
    input_layout: Planes,
    border: usize,
    blocks: Vec<Block>,
    /// Those blocks whose planes lie in textures.
    texels: Option<TexelBlocks>,
    /// Each image's part of the gradient at the first block's weights, if its kernel leaves those.
    first_parts: Buffer<f32>,
    d_input: Buffer<f32>,
    d_input_layout: Planes,
}

#[derive(Debug)]
struct Block {
    /// What the convolution makes; normalised in place, then its gradient, on the synthetic path.
    planes: Buffer<f32>,
    planes_layout: Planes,
    inv_std: Buffer<f32>,
    d_affine: Buffer<f32>,
    pooled: Buffer<f32>,
    pooled_layout: Planes,
    d_pooled: Buffer<f32>,
    d_pooled_layout: Planes,
}

impl Embedder {
    /// Buffers for at most `images` forward and `backward_images` backward at a time.
    pub fn new(gpu: &Gpu, net: &ConvNet, images: usize, backward_images: usize) -> Self {
        let zeros = |label: &str, len| Buffer::zeros(gpu, label, len);
        let input_layout = conv_input(gpu, net.channels(), net.planes()[0]);
        let d_input_layout = Planes::dense(net.channels(), net.planes()[0]);
        let plan = TexelPlan::of(gpu, net);
        let blocks = (0..net.depth())
            .map(|b| {
                let last = b + 1 == net.depth();
                let [planes_layout, pooled_layout, d_pooled_layout] = layouts(gpu, net, b);
                // A fused block leaves no planes behind; only those kept for backward remain.
                let planes_images = match kept(gpu, net, b) {
                    Kept::Always => images,
                    Kept::ForBackward => backward_images,
                    Kept::Never => 0,
                };
                // The gradient at the embedding is the caller's.
                let d_images = if last { 0 } else { backward_images };
                let pooled_images = if within(plan.as_ref(), b) { backward_images } else { images };
                Block {
                    planes: zeros(
                        &format!("planes {b}"),
                        planes_images * planes_layout.image_len(),
                    ),
                    planes_layout,
                    inv_std: zeros(&format!("1/std {b}"), planes_images * net.width()),
                    d_affine: zeros(&format!("d affine {b}"), 2 * backward_images * net.width()),
                    pooled: zeros(
                        &format!("pooled {b}"),
                        pooled_images * pooled_layout.image_len(),
                    ),
                    pooled_layout,
                    d_pooled: zeros(
                        &format!("d pooled {b}"),
                        d_images * d_pooled_layout.image_len(),
                    ),
                    d_pooled_layout,
                }
            })
            .collect();
        Self {
            input: zeros("network input", images * input_layout.image_len()),
            input_layout,
            border: net.border(),
            blocks,
            texels: plan.map(|plan| TexelBlocks::new(gpu, plan, images, backward_images)),
            first_parts: zeros("parts of d weights 0", backward_images * first_parts(gpu, net)),
            d_input: zeros("d network input", backward_images * d_input_layout.image_len()),
            d_input_layout,
        }
    }

    /// Bytes that each image takes, forward alone or with backward, and those of its largest buffer.
    pub fn bytes_per_image(gpu: &Gpu, net: &ConvNet) -> BytesPerImage {
        let input = conv_input(gpu, net.channels(), net.planes()[0]).image_len();
        let mut bytes = BytesPerImage { forward: input, backward: 0, largest: input };
        bytes.backward += Planes::dense(net.channels(), net.planes()[0]).image_len();
        let plan = TexelPlan::of(gpu, net);
        for b in 0..net.depth() {
            let [planes, pooled, d_pooled] = layouts(gpu, net, b).map(|l| l.image_len());
            match within(plan.as_ref(), b) {
                true => bytes.backward += pooled,
                false => bytes.forward += pooled,
            }
            let planes = match kept(gpu, net, b) {
                Kept::Never => 0,
                _ => planes + net.width(),
            };
            match kept(gpu, net, b) {
                Kept::Always => bytes.forward += planes,
                _ => bytes.backward += planes,
            }
            bytes.backward += 2 * net.width();
            bytes.backward += if b + 1 == net.depth() { 0 } else { d_pooled };
            bytes.largest = bytes.largest.max(planes).max(pooled);
        }
        bytes.backward += first_parts(gpu, net);
        let BytesPerImage { forward, backward, largest } = bytes;
        let [more, more_backward, most] = plan.map_or([0; 3], |plan| plan.bytes_per_image());
        BytesPerImage {
            forward: forward * 4 + more,
            backward: backward * 4 + more_backward,
            largest: (largest * 4).max(most),
        }
    }

    /// Where images are to be written, and in which layout: the network's padding surrounds them.
    pub fn input(&self) -> (&Buffer<f32>, Planes) {
        (&self.input, self.input_layout.inset(self.border))
    }

    /// Each block's output, the last of which is the embedding (N, features), after a forward pass with or
    /// without `keep`; for the tests.
    pub fn pooled(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        images: usize,
        keep: bool,
    ) -> Vec<(Buffer<f32>, Planes)> {
        let of = |b: &Block| (b.pooled.clone(), b.pooled_layout);
        let mut pooled: Vec<_> = self.blocks.iter().map(of).collect();
        if let Some(texels) = &self.texels {
            let blocks = texels.plan.blocks(keep);
            let copies = texels.pooled(gpu, recording, blocks.clone(), images);
            pooled.splice(blocks, copies);
        }
        pooled
    }

    /// The embeddings, (N, features).
    pub fn embedding(&self) -> &Buffer<f32> {
        &self.blocks[self.blocks.len() - 1].pooled
    }

    /// The gradient at the images, after [`backward`](Self::backward).
    pub fn d_input(&self) -> (&Buffer<f32>, Planes) {
        (&self.d_input, self.d_input_layout.inset(self.border))
    }

    /// Embeds the first images of the input. With `keep`, [`backward`](Self::backward) can follow.
    pub fn forward(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        weights: &mut Weights,
        batch: Batch,
        keep: bool,
    ) {
        let mut input = (&self.input, self.input_layout);
        for (b, block) in self.blocks.iter().enumerate() {
            let pooled = (&block.pooled, block.pooled_layout);
            if let Some(texels) = self.texels_of(b, keep) {
                let blocks = texels.plan.blocks(keep);
                if b + 1 == blocks.end {
                    let inv_std: Vec<_> = self.blocks[blocks].iter().map(|b| &b.inv_std).collect();
                    let inv_std = keep.then_some(&inv_std[..]);
                    texels.forward(gpu, recording, weights, input, pooled, batch, inv_std);
                    input = pooled;
                }
                continue;
            }
            let planes = (&block.planes, block.planes_layout);
            let forward = (b, Direction::Forward);
            let size = block.planes_layout.size as usize;
            if let Some(whole) = Whole::new(gpu, size) {
                let packed = weights.packed(gpu, b, Direction::Forward, whole.packing());
                let norm = Norm { affine: weights.affine(b), inv_std: &block.inv_std };
                let finish = Some(match keep {
                    true => Finish::Keep(norm, planes.0),
                    false => Finish::Pool(norm.affine),
                });
                recording.push(conv_whole(gpu, whole, finish, input, &packed, pooled, batch));
            } else if let Some(first) = first_block(gpu, b, input.1, pooled.1) {
                let weights = (weights.conv(b), weights.affine(b));
                recording.push(conv_first(gpu, first, weights, input, pooled, batch));
            } else if let Some(tile) =
                fused_tile(gpu, input.1.channels as usize, planes.1).filter(|_| !keep)
            {
                let packed = weights.packed(gpu, b, Direction::Forward, tile.packing());
                let affine = Some(weights.affine(b));
                recording.push(conv_packed(gpu, tile, affine, input, &packed, pooled, batch));
            } else {
                convolve(gpu, recording, weights, forward, input, planes, batch);
                let norm = Norm { affine: weights.affine(b), inv_std: &block.inv_std };
                recording.push(norm_relu_pool_forward(gpu, planes, norm, pooled, batch, keep));
            }
            input = pooled;
        }
    }

    /// The kernels of a block whose planes lie in textures.
    fn texels_of(&self, block: usize, keep: bool) -> Option<&TexelBlocks> {
        self.texels.as_ref().filter(|texels| texels.plan.blocks(keep).contains(&block))
    }

    /// From the gradient at the embeddings down to the `target`.
    ///
    /// Image i takes row (`first` + i) / `sharing` of `d_embedding`: images of one class share one.
    #[allow(clippy::too_many_arguments)]
    pub fn backward(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        weights: &mut Weights,
        d_embedding: &Buffer<f32>,
        (first, sharing): (usize, usize),
        batch: Batch,
        target: Target<'_>,
    ) {
        for (b, block) in self.blocks.iter().enumerate().rev() {
            let planes = (&block.planes, block.planes_layout);
            let last = b + 1 == self.blocks.len();
            let d_pooled = if last { d_embedding } else { &block.d_pooled };
            let sharing = if last { (first, sharing) } else { (0, 1) };
            let before = b.checked_sub(1).map(|before| &self.blocks[before]);
            let input = match before {
                Some(before) => (&before.pooled, before.pooled_layout),
                None => (&self.input, self.input_layout),
            };
            if let Some(first) = first_block(gpu, b, input.1, block.pooled_layout) {
                let weights = (weights.conv(b), weights.affine(b));
                let (parts, d_affine) = (&self.first_parts, &block.d_affine);
                let to = match target {
                    Target::Input => FirstTarget::Images(&self.d_input),
                    Target::Weights(_) => FirstTarget::Weights { parts, d_affine },
                };
                let d_pooled = (d_pooled, block.d_pooled_layout);
                recording.push(conv_first_backward(
                    gpu, first, weights, input, d_pooled, to, batch, sharing,
                ));
                if let Target::Weights(gradients) = target {
                    gradients.add_up(gpu, recording, parts, &gradients.convs[b], batch);
                    gradients.add_up(gpu, recording, d_affine, &gradients.affines[b], batch);
                }
                continue;
            }
            let norm = Norm { affine: weights.affine(b), inv_std: &block.inv_std };
            let (given, d_affine) = ((d_pooled, block.d_pooled_layout), &block.d_affine);
            let texels = self.texels_of(b, true);
            match texels {
                Some(texels) => {
                    texels.norm_backward(gpu, recording, b, given, norm, d_affine, batch, sharing);
                }
                None => recording.push(norm_relu_pool_backward(
                    gpu, planes, norm, given, d_affine, batch, sharing,
                )),
            }
            // Whether the block before is one of these too.
            let follows = |texels: &TexelBlocks| b > texels.plan.blocks(true).start;
            if let Target::Weights(gradients) = target {
                if let Some(texels) = texels {
                    recording.push(texels.take_d_planes(gpu, planes, batch.images));
                    if follows(texels) {
                        recording.push(texels.take_pooled(gpu, b - 1, input, batch.images));
                    }
                }
                gradients.record(gpu, recording, b, input, planes, &block.d_affine, batch);
            }
            let result = match (before, target) {
                (Some(before), _) => (&before.d_pooled, before.d_pooled_layout),
                (None, Target::Input) => (&self.d_input, self.d_input_layout),
                (None, Target::Weights(_)) => continue,
            };
            if let Some(texels) = texels {
                texels.conv_backward(gpu, recording, weights, b, batch);
                if !follows(texels) {
                    recording.push(texels.take_d_input(gpu, b, result, batch.images));
                }
                continue;
            }
            let back = (b, Direction::BackwardData);
            convolve(gpu, recording, weights, back, planes, result, batch);
        }
    }
}

/// What the backward pass is after.
#[derive(Clone, Copy)]
pub(crate) enum Target<'a> {
    /// The gradient at the images.
    Input,
    /// The gradients at the weights.
    Weights(&'a BlockGradients),
}

/// Gradients at [`Weights`], of the same shapes.
#[derive(Debug)]
pub(crate) struct BlockGradients {
    pub convs: Vec<Buffer<f32>>,
    pub affines: Vec<Buffer<f32>>,
    /// Where each network's images begin in the batch.
    pub starts: Buffer<u32>,
    /// Room for the parts of a convolution's gradient, with the kernels that make such.
    pub parts: Option<Buffer<f32>>,
    /// Whether to add to what is there, for batches that are processed in parts.
    pub accumulate: bool,
}

impl BlockGradients {
    #[allow(clippy::too_many_arguments)]
    fn record(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        block: usize,
        input: (&Buffer<f32>, Planes),
        d_planes: (&Buffer<f32>, Planes),
        d_affine: &Buffer<f32>,
        batch: Batch,
    ) {
        let (conv, more) = (&self.convs[block], self.accumulate);
        match &self.parts {
            Some(parts) => conv_backward_weight_tiles(
                gpu, recording, input, d_planes, conv, parts, batch, more,
            ),
            None => {
                recording.push(conv_backward_weight(gpu, input, d_planes, conv, batch, more));
            }
        }
        self.add_up(gpu, recording, d_affine, &self.affines[block], batch);
    }

    /// Adds up, for each network, what each image has left of a gradient.
    fn add_up(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        parts: &Buffer<f32>,
        gradient: &Buffer<f32>,
        batch: Batch,
    ) {
        let (images, nets, values) = (0..batch.images, 0..batch.nets, gradient.len() / batch.nets);
        let (starts, more) = (&self.starts, self.accumulate);
        recording.push(class_sum(gpu, starts, parts, gradient, values, images, nets, more));
    }
}

/// A convolution by the kernel that suits the adapter.
fn convolve(
    gpu: &Gpu,
    recording: &mut Recording,
    weights: &mut Weights,
    (block, direction): (usize, Direction),
    input: (&Buffer<f32>, Planes),
    result: (&Buffer<f32>, Planes),
    batch: Batch,
) {
    let whole = Whole::new(gpu, input.1.size as usize);
    let channels = (input.1.channels as usize, result.1.channels as usize);
    let tile = ConvTile::for_conv(gpu, direction, result.1.size as usize, channels);
    recording.push(match (whole, tile) {
        (Some(whole), _) => {
            let packed = weights.packed(gpu, block, direction, whole.packing());
            conv_whole(gpu, whole, None, input, &packed, result, batch)
        }
        (None, Some(tile)) => {
            let packed = weights.packed(gpu, block, direction, tile.packing());
            conv_packed(gpu, tile, None, input, &packed, result, batch)
        }
        (None, None) => conv(gpu, direction, input, weights.conv(block), result, batch),
    });
}

/// How planes must lie for the convolution that reads them.
pub(crate) fn conv_input(gpu: &Gpu, channels: usize, size: usize) -> Planes {
    match Whole::new(gpu, size) {
        Some(_) => Planes::dense(channels, size),
        None => Planes::haloed(channels, size),
    }
}

/// The tile with which a block on such planes runs as one kernel, if it can.
fn fused_tile(gpu: &Gpu, inputs: usize, planes: Planes) -> Option<ConvTile> {
    ConvTile::for_block(gpu, planes.size as usize, (inputs, planes.channels as usize))
}

/// The kernel for a block that reads and writes such planes, if it is the first and there is one.
fn first_block(gpu: &Gpu, block: usize, input: Planes, pooled: Planes) -> Option<First> {
    let dense = Planes::dense(pooled.channels as usize, pooled.size as usize);
    First::new(gpu, input.channels as usize, input.size as usize)
        .filter(|_| block == 0 && pooled == dense)
}

/// Which images' planes a block keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// Of all: another kernel reads them.
    Always,
    /// Of those that go backward.
    ForBackward,
    /// Of none: backward computes them again.
    Never,
}

fn kept(gpu: &Gpu, net: &ConvNet, block: usize) -> Kept {
    let planes = layouts(gpu, net, block)[0];
    let fused = || fused_tile(gpu, net.inputs(block), planes);
    if block == 0 && first_kernel(gpu, net).is_some() {
        Kept::Never
    } else if TexelPlan::of(gpu, net).is_some_and(|plan| plan.blocks(false).contains(&block)) {
        Kept::ForBackward
    } else if Whole::new(gpu, planes.size as usize).is_some() || fused().is_some() {
        Kept::ForBackward
    } else {
        Kept::Always
    }
}

/// The kernel for the network's first block, if there is one.
fn first_kernel(gpu: &Gpu, net: &ConvNet) -> Option<First> {
    let [_, pooled, _] = layouts(gpu, net, 0);
    first_block(gpu, 0, conv_input(gpu, net.channels(), net.planes()[0]), pooled)
}

/// Whether a block leaves its result in a texture, for one that reads it there.
fn within(plan: Option<&TexelPlan>, block: usize) -> bool {
    plan.is_some_and(|plan| {
        plan.blocks(false).contains(&block) && block + 1 < plan.blocks(false).end
    })
}

/// Values an image of what [`Embedder`]'s `first_parts` holds.
fn first_parts(gpu: &Gpu, net: &ConvNet) -> usize {
    first_kernel(gpu, net).map_or(0, |_| net.width() * net.channels() * 9)
}

/// Device memory of [`Embedder`], in bytes an image.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BytesPerImage {
    pub forward: usize,
    pub backward: usize,
    pub largest: usize,
}

/// Layouts of a block's planes, of its pooled output and of the gradient there.
fn layouts(gpu: &Gpu, net: &ConvNet, block: usize) -> [Planes; 3] {
    let size = net.planes()[block];
    let dense = Planes::dense(net.width(), size / 2);
    let last = block + 1 == net.depth();
    let pooled = if last { dense } else { conv_input(gpu, net.width(), size / 2) };
    // Backward convolves the gradient there.
    [conv_input(gpu, net.width(), size), pooled, dense]
}
