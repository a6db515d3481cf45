//! The buffers of an evaluation, each named once for allocating and for counting memory; and how work is cut to fit.

use super::{EvaluationSettings, mixing::Mixing};
use crate::{
    Dataset, Gpu, Net, Protocol, Result,
    augment::Row,
    gpu::{Caps, Memory, Table, most},
    kernels::{AugmentRoom, Item, Planes},
    nn::{Classifiers, Ways},
};

/// What is trained and tested.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load<'a> {
    pub dataset: &'a Dataset,
    pub net: &'a Net,
    pub settings: &'a EvaluationSettings,
    /// Images of a set, whose values stay on the device; `None` for the whole training set, whose values do not.
    pub images: Option<usize>,
}

/// How work is cut so that everything fits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sizes {
    /// Networks at a time.
    pub nets: usize,
    /// Images of each network at a time in training. It decides how sums over a batch are rounded,
    /// so it follows from the network alone, never from the memory there is.
    pub part: usize,
    /// Images at a time in testing.
    pub test: usize,
}

/// All buffers of the networks of one turn.
#[derive(Debug)]
pub(super) struct Buffers<M: Memory = Gpu> {
    pub classifiers: Classifiers<M>,
    /// Training images, if they stay on the device.
    pub values: Option<M::Buffer<f32>>,
    pub pixels: M::Buffer<u8>,
    pub items: M::Buffer<Item>,
    pub rows: M::Buffer<Row>,
    pub labels: M::Buffer<u32>,
    pub losses: M::Buffer<f32>,
    pub room: AugmentRoom<M>,
    pub counts: M::Buffer<u32>,
    /// If the protocol mixes images.
    pub mixing: Option<Mixing<M>>,
}

impl Load<'_> {
    /// Images that networks are trained on.
    pub fn len(&self) -> usize {
        self.images.unwrap_or(self.dataset.train().len())
    }

    /// Images of a step.
    pub fn batch(&self) -> usize {
        self.settings.batch.min(self.len())
    }

    /// The memory that the buffers take if work is cut like this, on such a device.
    pub fn table(&self, caps: &Caps, sizes: Sizes) -> Table {
        let table = Table::new(caps);
        Buffers::new(&table, self, sizes);
        table
    }
}

impl<M: Memory> Buffers<M> {
    pub fn new(memory: &M, load: &Load<'_>, Sizes { nets, part, test }: Sizes) -> Self {
        let image_len = load.dataset.image_len();
        let image = (load.dataset.channels(), load.dataset.size());
        let (most, staged) = (nets * test.max(load.batch()), nets * test.max(part));
        let values = load.images.map(|images| images.saturating_mul(image_len));
        let mixes = load.settings.protocol == Protocol::Idc;
        // Beside an image's pixels lie those of the image that it is mixed with.
        let pixels = staged.max(if mixes { 2 * nets * part } else { 0 });
        let room = AugmentRoom::new(memory, "evaluation", staged, image);
        Self {
            classifiers: Classifiers::room(memory, load.net, nets, (part, test), Ways::ToWeights),
            values: values.map(|values| memory.buffer("training images", values)),
            pixels: memory.buffer("evaluation pixels", pixels * image_len),
            items: memory.buffer("evaluation items", most),
            rows: memory.buffer("evaluation rows", most),
            labels: memory.buffer("evaluation labels", most),
            losses: memory.buffer("evaluation losses", most),
            counts: memory.buffer("right answers", nets),
            mixing: mixes.then(|| {
                let dense = Planes::dense(load.dataset.channels(), load.dataset.size());
                let sizes = (nets * load.batch(), nets * part);
                Mixing::room(memory, dense, load.settings.augment.passes().len(), sizes, &room)
            }),
            room,
        }
    }
}

impl Sizes {
    /// Half as many networks and test images at a time; `None` if there is nothing smaller.
    pub fn smaller(self) -> Option<Self> {
        let smaller = Self { nets: self.nets.div_ceil(2), test: self.test.div_ceil(2), ..self };
        (smaller != self).then_some(smaller)
    }

    pub fn of(gpu: &Gpu, load: &Load<'_>) -> Result<Self> {
        let image = Classifiers::train_image(gpu.caps(), load.net);
        let images_in = |bytes: u64| (bytes / image).max(1) as usize;
        let weights = 4 * load.net.parameters() as u64;
        // Each part reads all weights and adds to all their gradients, which should not be most of its work. With more
        // than 176 MiB, resnet18 would need more memory than there is by default.
        let fits = images_in(64 << 20).min(64).max(images_in((8 * weights).min(176 << 20)));
        // A batch norm's result for one image depends on the whole batch.
        let part = match load.net.has_batch_norm() {
            true => load.batch(),
            false => fits.min(load.batch()),
        };
        let least = Self { nets: 1, part, test: 1 };
        let table = |sizes| load.table(gpu.caps(), sizes);
        let needing = match load.images {
            Some(_) => "evaluating with these settings needs",
            None => "training networks on the whole data set needs",
        };
        gpu.check_room(&table(least), needing)?;
        let fits = |sizes| gpu.has_room_for(&table(sizes));
        let nets = most(load.settings.nets, |nets| fits(Self { nets, ..least }));
        let tests = load.dataset.test().len().min(512);
        let test = most(tests, |test| fits(Self { nets, part, test }));
        Ok(Self { nets, part, test })
    }
}
