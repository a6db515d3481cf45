//! The embeddings of a class's training images under one random network.

use crate::{
    ConvNet, Dataset, Error, Gpu, Result,
    augment::Row,
    gpu::{Between, Buffer, Recording, Submissions},
    kernels::{Augment, Batch, Item, NetworkKey, Planes, Source},
    nn::{Embedder, Weights},
    rng::Purpose,
};

/// More at a time would make nothing faster.
const MOST: usize = 512;

/// A network and room for some images at a time.
#[derive(Debug)]
pub(super) struct ClassEmbedder {
    features: usize,
    chunk: usize,
    pixels: Buffer<u8>,
    embedder: Embedder,
    recording: Recording,
}

impl ClassEmbedder {
    /// Draws the network of a seed and cuts chunks to fit the budget.
    pub fn new(
        gpu: &Gpu,
        dataset: &Dataset,
        net: &ConvNet,
        seed: u64,
        memory_budget: u64,
    ) -> Result<Self> {
        let chunk = Self::chunk(gpu, dataset, net, memory_budget)?;
        gpu.checked("prepare the selection", || Ok(Self::build(gpu, dataset, net, seed, chunk)))
    }

    /// How many images at a time fit the budget.
    pub fn chunk(gpu: &Gpu, dataset: &Dataset, net: &ConvNet, memory_budget: u64) -> Result<usize> {
        let per_image = Embedder::bytes_per_image(gpu, net);
        // Beside the network's own: pixels, mean and item, and the embedding on its way back.
        let each = per_image.forward + dataset.image_len() + 12 + net.features() * 4;
        let fixed = Weights::bytes(gpu, net);
        let fits = memory_budget.saturating_sub(fixed) / each as u64;
        if fits == 0 {
            let least = (fixed + each as u64).div_ceil(1 << 20);
            return Err(Error::setting(
                "memory_budget",
                format!("{memory_budget} bytes"),
                format!("selecting with these settings needs at least {least} MiB"),
            ));
        }
        let bound = (gpu.max_binding() / per_image.largest as u64).max(1);
        let largest = (0..dataset.classes()).map(|class| dataset.train().of_class(class).len());
        Ok((fits.min(bound) as usize).min(MOST).min(largest.max().unwrap_or(1)).max(1))
    }

    fn build(gpu: &Gpu, dataset: &Dataset, net: &ConvNet, seed: u64, chunk: usize) -> Self {
        let pixels = Buffer::zeros(gpu, "selection pixels", chunk * dataset.image_len());
        let items: Vec<_> = (0..chunk as u32).map(|image| Item { image, row: 0 }).collect();
        let items = Buffer::from_slice(gpu, "selection items", &items);
        let rows = Buffer::from_slice(gpu, "selection rows", &[Row::NONE]);
        let means = Buffer::zeros(gpu, "selection means", chunk);
        let mut weights = Weights::new(gpu, net, 1);
        let embedder = Embedder::new(gpu, net, chunk, 0);

        let mut recording = Recording::default();
        let augment = Augment { items: &items, rows: &rows, means: &means };
        let source = Source::Pixels { bytes: &pixels, mean: dataset.mean(), std: dataset.std() };
        let dense = Planes::dense(dataset.channels(), dataset.size());
        let (input, layout) = embedder.input();
        augment.forward(gpu, &mut recording, source, dense, input, layout, 0, chunk);
        let batch = Batch { images: chunk, nets: 1 };
        embedder.forward(gpu, &mut recording, &mut weights, batch, false);

        let mut submissions = Submissions::new(gpu);
        weights.draw(gpu, &mut submissions, NetworkKey::new(seed, Purpose::Selection, 0));
        submissions.finish();
        Self { features: net.features(), chunk, pixels, embedder, recording }
    }

    /// Values in an embedding.
    pub fn features(&self) -> usize {
        self.features
    }

    /// The embeddings of these training images, one after the other. Waits for them, and calls `between` with the part
    /// that is done. None where that breaks.
    pub fn embed_blocking(
        &self,
        gpu: &Gpu,
        dataset: &Dataset,
        members: &[u32],
        between: Between<'_>,
    ) -> Result<Option<Vec<f32>>> {
        let doing = "embed a class";
        let mut embeddings = Vec::with_capacity(members.len() * self.features);
        let chunks = members.len().div_ceil(self.chunk) as f64;
        for (before, images) in members.chunks(self.chunk).enumerate() {
            let image = |&index: &u32| dataset.train().image(index as usize);
            let pixels: Vec<u8> = images.iter().flat_map(image).copied().collect();
            // A last chunk may be smaller: what the one before left behind is embedded again
            // and dropped here.
            self.pixels.write(gpu, &pixels);
            let seconds = gpu.expected([&self.recording]);
            let between =
                &mut |done: f64| between((before as f64 + (done / seconds).min(1.0)) / chunks);
            let mut submissions = Submissions::watched(gpu, doing, between);
            submissions.run(&self.recording, doing);
            if !submissions.end()? {
                return Ok(None);
            }
            submissions.finish().wait_blocking(gpu, doing)?;
            let mut values = self.embedder.embedding().read_blocking(gpu)?;
            values.truncate(images.len() * self.features);
            embeddings.append(&mut values);
        }
        Ok(Some(embeddings))
    }
}
