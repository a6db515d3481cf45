//! Images on their way into a network: where a batch's real images are, which ones it holds, and one augmentation per
//! class that both sides get.

use std::ops::Range;

use wgpu::util::StagingBelt;

use super::{Plan, RealBatch, RealFormat, cut, sizes::Sizes};
use crate::{
    Result,
    augment::Row,
    gpu::{Buffer, Gpu, Memory, Recording, Stored, Values},
    kernels::{
        Augment, AugmentRoom, Item, Packed, Planes, Source, packed_images, unpack, unpack_backward,
    },
    objective::pieces,
};

/// The buffers between images as they are stored and as a network reads them.
#[derive(Debug)]
pub(in crate::condense) struct Feed<M: Memory = Gpu> {
    /// How a network's input looks from outside: dense.
    dense: Planes,
    /// One row per class: siamese augmentation. For networks with batch norm, one more row that leaves images
    /// unchanged.
    rows: M::Buffer<Row>,
    room: AugmentRoom<M>,
    real: RealSource<M>,
    real_items: M::Buffer<Item>,
    norm_items: M::Buffer<Item>,
    synthetic_items: M::Buffer<Item>,
    /// `None` if synthetic images are stored as networks see them.
    packing: Option<Packing<M>>,
    /// `None` if one pass makes all augmentations of an image.
    later: Option<Later<M>>,
    /// Mean and standard deviation of each channel, of pixels.
    normalise: (Vec<f32>, Vec<f32>),
    /// Images of a class that follow each other in a batch.
    part: usize,
}

/// The class of each place in a batch that has so many images of each: parts of so many images, in which class follows class.
pub(in crate::condense) fn classes_in_parts(counts: &[usize], part: usize) -> Vec<u32> {
    let most = counts.iter().copied().max().unwrap_or(0);
    let parts = cut(most, part);
    let of_part = |images: Range<usize>| {
        let own = move |(class, &count): (u32, &usize)| {
            std::iter::repeat_n(class, images.end.min(count).saturating_sub(images.start))
        };
        (0..).zip(counts).flat_map(own)
    };
    parts.flat_map(of_part).collect()
}

/// The same with the number of each place's image. Images are stored class by class.
fn items_in_parts(counts: &[usize], part: usize) -> Vec<Item> {
    let mut next: Vec<u32> = counts
        .iter()
        .scan(0, |start, &count| Some(std::mem::replace(start, *start + count as u32)))
        .collect();
    let item = |row: u32| {
        let next = &mut next[row as usize];
        *next += 1;
        Item { image: *next - 1, row }
    };
    classes_in_parts(counts, part).into_iter().map(item).collect()
}

/// Between pictures as they are stored and the images that are packed into them.
#[derive(Debug)]
struct Packing<M: Memory> {
    packed: Packed,
    /// The number of each image that is shown.
    shown: M::Buffer<u32>,
    /// A chunk's images, or the gradient there: nobody needs both at once.
    images: M::Buffer<f32>,
}

/// Passes after the first, each over what the one before made of a chunk.
#[derive(Debug)]
struct Later<M: Memory> {
    /// Of each pass, one row per class.
    rows: Vec<M::Buffer<Row>>,
    /// Images numbered within their chunk.
    real: M::Buffer<Item>,
    synthetic: M::Buffer<Item>,
    between: [Stored<M>; 2],
}

#[derive(Debug)]
enum RealSource<M: Memory> {
    Resident(M::Buffer<u8>),
    StreamedPixels(M::Buffer<u8>),
    StreamedValues(M::Buffer<f32>),
}

impl<M: Memory> Feed<M> {
    /// Room for chunks of these sizes. Nothing is written.
    pub fn room(memory: &M, plan: &Plan<'_>, sizes: Sizes) -> Self {
        let Sizes { chunk, syn_chunk, resident } = sizes;
        let image_len = plan.image_len();
        let norm = plan.norm_images;
        // Room for real images on their way.
        let reals = chunk.max(norm);
        let most = reals.max(syn_chunk);
        let room = AugmentRoom::new(memory, "images", most, plan.net.images);
        Self {
            dense: Planes::dense(plan.net.images.0, plan.net.images.1),
            rows: memory
                .buffer("augmentation rows", plan.real_counts.len() + usize::from(norm > 0)),
            real: match plan.real {
                RealFormat::Pixels { all, .. } if resident => {
                    RealSource::Resident(memory.buffer("training pixels", all.len()))
                }
                RealFormat::Pixels { .. } => {
                    RealSource::StreamedPixels(memory.buffer("real pixels", reals * image_len))
                }
                RealFormat::Values => {
                    RealSource::StreamedValues(memory.buffer("real values", reals * image_len))
                }
            },
            real_items: memory.buffer("real items", plan.reals()),
            norm_items: memory.buffer("items of batch norms", norm),
            synthetic_items: memory.buffer("synthetic items", plan.syns()),
            packing: plan.packed.clone().map(|packed| Packing {
                packed,
                shown: memory.buffer("images shown", plan.syns()),
                images: memory.buffer("decoded images", syn_chunk * image_len),
            }),
            later: (plan.passes > 1).then(|| {
                let rows = |pass: usize| {
                    memory.buffer(&format!("augmentation rows {pass}"), plan.real_counts.len())
                };
                Later {
                    rows: (1..plan.passes).map(rows).collect(),
                    real: memory.buffer("real items of later passes", plan.reals()),
                    synthetic: memory.buffer("synthetic items of later passes", plan.syns()),
                    between: ["images between", "augmented images"]
                        .map(|name| room.between(memory, name, most)),
                }
            }),
            room,
            normalise: match plan.real {
                RealFormat::Pixels { mean, std, .. } => (mean.to_vec(), std.to_vec()),
                RealFormat::Values => Default::default(),
            },
            part: plan.part,
        }
    }
}

impl Feed {
    /// Writes what does not change from step to step.
    pub fn write(&self, gpu: &Gpu, plan: &Plan<'_>, sizes: Sizes) {
        self.rows.write(gpu, &vec![Row::NONE; self.rows.len()]);
        if let (RealSource::Resident(pixels), RealFormat::Pixels { all, .. }) =
            (&self.real, plan.real)
        {
            pixels.write(gpu, all);
        }
        let counts = plan.shown_of_classes();
        let in_chunk: Vec<_> = pieces(&counts, sizes.syn_chunk)
            .into_iter()
            .flat_map(|images| 0..images.len() as u32)
            .collect();
        let mut items = items_in_parts(&counts, self.part);
        let rows: Vec<_> = items.iter().map(|item| item.row).collect();
        if self.packing.is_some() {
            // Decoded images are numbered within their chunk.
            items.iter_mut().for_each(|item| item.image = in_chunk[item.image as usize]);
        }
        self.synthetic_items.write(gpu, &items);
        if let Some(packing) = &self.packing {
            let all = packed_images(packing.packed.tiles(), &plan.counts);
            let of_class = |(own, &shown): (Vec<u32>, &usize)| own.into_iter().take(shown);
            let first: Vec<_> = all.into_iter().zip(&counts).flat_map(of_class).collect();
            packing.shown.write(gpu, &first);
        }
        if let Some(later) = &self.later {
            let within =
                |of: usize, chunk: usize| (0..of as u32).map(move |at| at % chunk.max(1) as u32);
            let classes = classes_in_parts(&plan.real_counts, self.part);
            let item = |(image, row): (u32, u32)| Item { image, row };
            let real: Vec<_> = within(plan.reals(), sizes.chunk).zip(classes).map(item).collect();
            later.real.write(gpu, &real);
            let synthetic: Vec<_> = in_chunk.into_iter().zip(rows).map(item).collect();
            later.synthetic.write(gpu, &synthetic);
        }
        // Images that are sent are numbered in their order; for images that stay on the device, each step says which
        // ones it uses.
        let row = plan.real_counts.len() as u32;
        let items: Vec<_> = (0..plan.norm_images as u32).map(|image| Item { image, row }).collect();
        self.norm_items.write(gpu, &items);
    }

    /// Records a chunk of the batch's real images into a network's input.
    pub fn real(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        input: (Values<'_>, Planes),
        images: &Range<usize>,
    ) {
        let next = self.later.as_ref().map(|later| &later.real);
        self.real_by(gpu, recording, (&self.real_items, next), input, images);
    }

    /// Records the real images for batch norms' statistics into a network's input, unaugmented.
    pub fn norm(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        input: (Values<'_>, Planes),
        images: &Range<usize>,
    ) {
        self.real_by(gpu, recording, (&self.norm_items, None), input, images);
    }

    fn real_by(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        items: (&Buffer<Item>, Option<&Buffer<Item>>),
        input: (Values<'_>, Planes),
        images: &Range<usize>,
    ) {
        let (mean, std) = (&self.normalise.0[..], &self.normalise.1[..]);
        let source = match &self.real {
            RealSource::StreamedValues(values) => Source::Values(values.into()),
            RealSource::Resident(bytes) | RealSource::StreamedPixels(bytes) => {
                Source::Pixels { bytes, mean, std }
            }
        };
        self.augmented(gpu, recording, items, source, input, images);
    }

    /// Records all passes over a chunk, the first on what `items` name of the source.
    fn augmented(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        (items, next): (&Buffer<Item>, Option<&Buffer<Item>>),
        source: Source<'_>,
        (input, layout): (Values<'_>, Planes),
        images: &Range<usize>,
    ) {
        let (first, count, dense) = (images.start, images.len(), self.dense);
        let augment = self.augment(items);
        let (Some(later), Some(items)) = (&self.later, next) else {
            augment.forward(gpu, recording, source, dense, input, layout, first, count);
            return;
        };
        let between = later.between.each_ref().map(Stored::values);
        augment.forward(gpu, recording, source, dense, between[0], dense, first, count);
        for (pass, rows) in later.rows.iter().enumerate() {
            let source = Source::Values(between[pass % 2]);
            let (to, layout) = match pass + 1 == later.rows.len() {
                true => (input, layout),
                false => (between[(pass + 1) % 2], dense),
            };
            let augment = Augment { items, rows, room: &self.room };
            augment.forward(gpu, recording, source, dense, to, layout, first, count);
        }
    }

    /// Records a chunk of the synthetic images into a network's input.
    pub fn synthetic(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        values: &Buffer<f32>,
        input: (Values<'_>, Planes),
        images: &Range<usize>,
    ) {
        let (mut source, first, count) =
            (Source::Values(values.into()), images.start, images.len());
        if let Some(Packing { packed, shown, images, .. }) = &self.packing {
            recording.push(unpack(gpu, packed, shown, values, images, (first, count)));
            source = Source::Values(images.into());
        }
        let next = self.later.as_ref().map(|later| &later.synthetic);
        let items = (&self.synthetic_items, next);
        self.augmented(gpu, recording, items, source, input, images);
    }

    /// Records the way back from the gradient at a network's input to that at the synthetic images, which it replaces.
    pub fn back(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        (d_input, layout): (&Buffer<f32>, Planes),
        gradient: &Buffer<f32>,
        images: &Range<usize>,
    ) {
        let (first, count) = (images.start, images.len());
        let augment = self.augment(&self.synthetic_items);
        let d_images = self.packing.as_ref().map_or(gradient, |packing| &packing.images);
        let (mut from, dense) = ((d_input.into(), layout), self.dense);
        for (pass, rows) in self.later.iter().flat_map(|later| later.rows.iter().enumerate().rev())
        {
            let Some(later) = &self.later else { break };
            let to = later.between[pass % 2].values();
            let augment = Augment { items: &later.synthetic, rows, room: &self.room };
            augment.backward(gpu, recording, from.0, from.1, to, dense, first, count);
            from = (to, dense);
        }
        augment.backward(gpu, recording, from.0, from.1, d_images.into(), dense, first, count);
        if let Some(Packing { packed, shown, .. }) = &self.packing {
            let images = (first, count);
            recording.push(unpack_backward(gpu, packed, shown, d_images, gradient, images));
        }
    }

    fn augment<'a>(&'a self, items: &'a Buffer<Item>) -> Augment<'a> {
        Augment { items, rows: &self.rows, room: &self.room }
    }

    /// The most bytes that one send needs.
    pub fn largest_send(&self, classes: usize, reals: usize) -> usize {
        let changing = classes * size_of::<Row>() + reals * size_of::<Item>();
        changing.max(match &self.real {
            RealSource::Resident(_) => 0,
            RealSource::StreamedPixels(room) => room.len(),
            RealSource::StreamedValues(room) => 4 * room.len(),
        })
    }

    /// Sends which of the packed images a step shows.
    pub fn send_shown(
        &self,
        belt: &mut StagingBelt,
        encoder: &mut wgpu::CommandEncoder,
        shown: &[u32],
    ) -> Result<()> {
        match &self.packing {
            Some(packing) => packing.shown.stage(belt, encoder, shown),
            None => Ok(()),
        }
    }

    /// Sends which images of these classes follow one another, of each so many. Only images that are stored as networks see
    /// them can differ in that from what was planned.
    pub fn send_synthetic(
        &self,
        belt: &mut StagingBelt,
        encoder: &mut wgpu::CommandEncoder,
        counts: &[usize],
    ) -> Result<()> {
        self.synthetic_items.stage(belt, encoder, &items_in_parts(counts, self.part))
    }

    /// Sends a step's inputs: an augmentation per class, and which images the batch holds. `chunks` are the pieces of
    /// the batch.
    pub fn send(
        &self,
        belt: &mut StagingBelt,
        encoder: &mut wgpu::CommandEncoder,
        (rows, real_counts): (&[Row], &[usize]),
        batch: &RealBatch<'_>,
        chunks: impl Iterator<Item = Range<usize>>,
    ) -> Result<()> {
        let classes = real_counts.len();
        self.rows.stage(belt, encoder, &rows[..classes.min(rows.len())])?;
        let later = self.later.iter().flat_map(|later| &later.rows);
        for (buffer, rows) in later.zip(rows.chunks(classes).skip(1)) {
            buffer.stage(belt, encoder, rows)?;
        }
        let classes = classes_in_parts(real_counts, self.part);
        let items: Vec<_> = match (batch, &self.real) {
            (RealBatch::Indices { indices, .. }, RealSource::Resident(_)) => {
                indices.iter().zip(classes).map(|(&image, row)| Item { image, row }).collect()
            }
            // Images that are sent chunk by chunk are numbered within their chunk.
            _ => {
                let within = chunks.flat_map(|images| 0..images.len() as u32);
                within.zip(classes).map(|(image, row)| Item { image, row }).collect()
            }
        };
        self.real_items.stage(belt, encoder, &items)
    }

    /// Sends a chunk of the real images, unless they are on the device already.
    pub fn send_real(
        &self,
        belt: &mut StagingBelt,
        encoder: &mut wgpu::CommandEncoder,
        batch: &RealBatch<'_>,
        images: Range<usize>,
    ) -> Result<()> {
        let len = self.dense.image_len();
        match (batch, &self.real) {
            (RealBatch::Indices { indices, all, .. }, RealSource::StreamedPixels(room)) => {
                room.stage(belt, encoder, &gathered(&indices[images], all, len))
            }
            (RealBatch::Values { batch, .. }, RealSource::StreamedValues(room)) => {
                room.stage(belt, encoder, &batch[images.start * len..images.end * len])
            }
            _ => Ok(()),
        }
    }

    /// Sends the images for batch norms' statistics, or, if the training set is on the device, which ones they are.
    pub fn send_norm(
        &self,
        belt: &mut StagingBelt,
        encoder: &mut wgpu::CommandEncoder,
        batch: &RealBatch<'_>,
    ) -> Result<()> {
        let len = self.dense.image_len();
        match (batch, &self.real) {
            (RealBatch::Indices { norm, .. }, RealSource::Resident(_)) => {
                let row = self.rows.len().saturating_sub(1) as u32;
                let items: Vec<_> = norm.iter().map(|&image| Item { image, row }).collect();
                self.norm_items.stage(belt, encoder, &items)
            }
            (RealBatch::Indices { norm, all, .. }, RealSource::StreamedPixels(room)) => {
                room.stage(belt, encoder, &gathered(norm, all, len))
            }
            (RealBatch::Values { norm, .. }, RealSource::StreamedValues(room)) => {
                room.stage(belt, encoder, norm)
            }
            _ => Ok(()),
        }
    }
}

/// The pixels of these images, of so many values each.
fn gathered(indices: &[u32], all: &[u8], len: usize) -> Vec<u8> {
    let image = |&i: &u32| all[i as usize * len..][..len].iter().copied();
    indices.iter().flat_map(image).collect()
}
