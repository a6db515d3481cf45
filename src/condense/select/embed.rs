//! The embeddings of a class's training images under one random network.

use crate::{
    ConvNet, Dataset, Gpu, Result,
    augment::Row,
    gpu::{Between, Buffer, Memory, Recording, Submissions, Table, most},
    kernels::{Augment, AugmentRoom, Batch, Item, NetworkKey, Planes, Source},
    nn::{Mode, Network, Program, Ways, Weights},
    rng::Purpose,
};

pub(super) const PREPARE: &str = "prepare the selection";
const DOING: &str = "embed a class";

/// Larger chunks would not be faster.
const MOST: usize = 512;

/// A network and room for some images at a time.
#[derive(Debug)]
pub(super) struct ClassEmbedder {
    features: usize,
    chunk: usize,
    pixels: Buffer<u8>,
    network: Network,
    recording: Recording,
}

/// Its buffers.
struct Buffers<M: Memory> {
    pixels: M::Buffer<u8>,
    items: M::Buffer<Item>,
    rows: M::Buffer<Row>,
    room: AugmentRoom<M>,
    weights: Weights<M>,
    network: Network<M>,
}

impl<M: Memory> Buffers<M> {
    /// For so many images at a time.
    fn new(memory: &M, dataset: &Dataset, net: &ConvNet, chunk: usize) -> Self {
        let program = Program::of_blocks(net);
        Self {
            pixels: memory.buffer("selection pixels", chunk * dataset.image_len()),
            items: memory.buffer("selection items", chunk),
            rows: memory.buffer("selection rows", 1),
            room: AugmentRoom::new(memory, "selection", chunk, program.images),
            weights: Weights::room(memory, &program, 1, Ways::Ahead),
            network: Network::new(memory, &program, chunk, 0),
        }
    }
}

impl ClassEmbedder {
    /// Draws the network of a seed and cuts chunks to fit the budget.
    pub async fn new(gpu: &Gpu, dataset: &Dataset, net: &ConvNet, seed: u64) -> Result<Self> {
        let chunk = Self::chunk(gpu, dataset, net)?;
        gpu.checked(PREPARE, || Self::build(gpu, dataset, net, seed, chunk)).await
    }

    /// The memory that its buffers take with so many images at a time.
    fn table_of(gpu: &Gpu, dataset: &Dataset, net: &ConvNet, chunk: usize) -> Table {
        let table = Table::new(gpu.caps());
        Buffers::new(&table, dataset, net, chunk);
        table
    }

    /// What its buffers take.
    #[cfg(feature = "testing")]
    pub fn table(&self, gpu: &Gpu, dataset: &Dataset, net: &ConvNet) -> Table {
        Self::table_of(gpu, dataset, net, self.chunk)
    }

    /// How many images at a time fit the budget.
    pub fn chunk(gpu: &Gpu, dataset: &Dataset, net: &ConvNet) -> Result<usize> {
        let table = |chunk| Self::table_of(gpu, dataset, net, chunk);
        gpu.check_room(&table(1), "selecting with these settings needs")?;
        let largest = (0..dataset.classes()).map(|class| dataset.train().of_class(class).len());
        let useful = largest.max().unwrap_or(1).min(MOST);
        Ok(most(useful, |chunk| gpu.has_room_for(&table(chunk))))
    }

    fn build(gpu: &Gpu, dataset: &Dataset, net: &ConvNet, seed: u64, chunk: usize) -> Result<Self> {
        let buffers = Buffers::new(gpu, dataset, net, chunk);
        let Buffers { pixels, items, rows, room, mut weights, network } = buffers;
        weights.record(gpu);
        let all: Vec<_> = (0..chunk as u32).map(|image| Item { image, row: 0 }).collect();
        items.write(gpu, &all);
        rows.write(gpu, &[Row::NONE]);

        let mut recording = Recording::default();
        let augment = Augment { items: &items, rows: &rows, room: &room };
        let source = Source::Pixels { bytes: &pixels, mean: dataset.mean(), std: dataset.std() };
        let dense = Planes::dense(dataset.channels(), dataset.size());
        let (input, layout) = network.input();
        augment.forward(gpu, &mut recording, source, dense, input, layout, 0, chunk);
        let batch = Batch { images: chunk, nets: 1 };
        network.forward(gpu, &mut recording, &weights, batch, Mode::Test)?;

        let mut submissions = Submissions::new(gpu);
        weights.draw(gpu, &mut submissions, NetworkKey::new(seed, Purpose::Selection, 0));
        submissions.finish();
        Ok(Self { features: net.features(), chunk, pixels, network, recording })
    }

    /// Values in an embedding.
    pub fn features(&self) -> usize {
        self.features
    }

    /// What is submitted for each chunk of images.
    pub fn recording(&self) -> &Recording {
        &self.recording
    }

    /// Seconds that classes of these sizes are expected to take.
    pub fn seconds(&self, gpu: &Gpu, classes: impl Iterator<Item = usize>) -> f64 {
        let chunks: usize = classes.map(|images| images.div_ceil(self.chunk)).sum();
        chunks as f64 * gpu.expected([&self.recording])
    }

    /// The embeddings of these training images, one after the other. Waits for them, and calls `between` with the part
    /// that is done; `None` if that breaks.
    pub fn embed_blocking(
        &self,
        gpu: &Gpu,
        dataset: &Dataset,
        members: &[u32],
        between: Between<'_>,
    ) -> Result<Option<Vec<f32>>> {
        let mut embeddings = Vec::with_capacity(members.len() * self.features);
        let chunks = members.len().div_ceil(self.chunk) as f64;
        for (before, images) in members.chunks(self.chunk).enumerate() {
            self.send(gpu, dataset, images);
            let seconds = gpu.expected([&self.recording]);
            let between =
                &mut |done: f64| between((before as f64 + (done / seconds).min(1.0)) / chunks);
            let mut submissions = Submissions::watched(gpu, DOING, between);
            submissions.run(&self.recording, DOING);
            if !submissions.end()? {
                return Ok(None);
            }
            submissions.finish().wait_blocking(gpu, DOING)?;
            let mut values = self.network.output().read_blocking(gpu)?;
            values.truncate(images.len() * self.features);
            embeddings.append(&mut values);
        }
        Ok(Some(embeddings))
    }

    /// The same for programs that must not block.
    pub async fn embed(&self, gpu: &Gpu, dataset: &Dataset, members: &[u32]) -> Result<Vec<f32>> {
        let mut embeddings = Vec::with_capacity(members.len() * self.features);
        for images in members.chunks(self.chunk) {
            self.send(gpu, dataset, images);
            self.recording.submit(gpu, DOING).all_but(0, gpu).await?;
            let mut values = self.network.output().read(gpu).await?;
            gpu.check(DOING)?;
            values.truncate(images.len() * self.features);
            embeddings.append(&mut values);
        }
        Ok(embeddings)
    }

    /// The last chunk may be smaller: images that the chunk before left behind are then embedded again and dropped.
    fn send(&self, gpu: &Gpu, dataset: &Dataset, images: &[u32]) {
        let image = |&index: &u32| dataset.train().image(index as usize);
        let pixels: Vec<u8> = images.iter().flat_map(image).copied().collect();
        self.pixels.write(gpu, &pixels);
    }
}
