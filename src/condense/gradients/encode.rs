//! Encoding an iteration: sending what each stage is about, then the stage, as far as there is room.

use wgpu::util::StagingBelt;

use super::{Draws, GradientIteration, Part};
use crate::{
    Result,
    condense::{Progress, Staged, copy},
    gpu::{Gpu, Place, Readback, Recording, Share},
    kernels::Item,
};

/// How far an iteration was encoded.
pub(crate) type GradientProgress = Progress<Stage>;

/// The stages of an iteration.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) enum Stage {
    #[default]
    Network,
    Pack,
    /// A part of a class's real images in an outer step.
    Real {
        outer: u32,
        class: usize,
        part: usize,
    },
    Synthetic {
        outer: u32,
        class: usize,
    },
    /// The pixels move, where nobody sees it yet.
    Move {
        outer: u32,
    },
    /// A step of the network's training: a batch in a pass over the synthetic images.
    Train {
        outer: u32,
        pass: u32,
        batch: usize,
    },
    /// Others see what has become of the pixels.
    End,
}

impl Staged for GradientIteration {
    type Stage = Stage;
    type Input<'a> = &'a dyn Draws;

    const LAST: Stage = Stage::End;

    fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    fn belt(&mut self) -> &mut StagingBelt {
        &mut self.belt
    }

    fn encode_stage(
        &mut self,
        encoder: &mut wgpu::CommandEncoder,
        share: &mut Share,
        draws: &dyn Draws,
        progress: &mut GradientProgress,
        readback: &mut Readback<f32>,
    ) -> Result<bool> {
        let (gpu, stage) = (self.gpu.clone(), progress.stage);
        if !progress.sent {
            self.send(encoder, stage, draws)?;
            progress.sent = true;
        }
        if stage == Stage::End {
            let work = &self.buffers.work;
            copy(encoder, (&work.images, 0), (&self.images, 0), self.images.len());
            copy(encoder, (&work.velocity, 0), (&self.velocity, 0), self.velocity.len());
            readback.record(encoder, self.buffers.matched.losses());
            *progress = GradientProgress::default();
            return Ok(true);
        }
        // A caller that brings its own weights wants no others drawn.
        let skipped = stage == Stage::Network && draws.network().is_none();
        let (recording, label) = self.recording(stage);
        if !skipped && !recording.encode_some(&gpu, &mut progress.place, share, encoder, label) {
            return Ok(false);
        }
        if let Stage::Synthetic { class, .. } = stage {
            let len = self.class_len();
            let from = (&self.buffers.class.gradient, 0);
            copy(encoder, from, (&self.buffers.gradient, class * len), len);
        }
        *progress = GradientProgress::at(self.after(stage));
        Ok(true)
    }
}

impl GradientIteration {
    /// What a stage runs, and its name. The last runs nothing.
    fn recording(&self, stage: Stage) -> (&Recording, &'static str) {
        let (weights, recorded) = (&self.buffers.weights, &self.recorded);
        match stage {
            Stage::Network => (weights.drawing(), "draw networks"),
            Stage::Pack => (&recorded.pack, "pack weights"),
            Stage::Real { class, part, .. } => (&self.parts(class)[part].recording, "real images"),
            Stage::Synthetic { .. } => (&recorded.synthetic, "synthetic images"),
            Stage::Move { .. } | Stage::End => (&recorded.update, "move the pixels"),
            Stage::Train { batch, .. } => {
                (&recorded.train[&self.batches[batch].len()], "train the network")
            }
        }
    }

    fn after(&self, stage: Stage) -> Stage {
        match stage {
            Stage::Network => Stage::Pack,
            Stage::Pack => Stage::Real { outer: 0, class: 0, part: 0 },
            Stage::Real { outer, class, part } if part + 1 < self.parts(class).len() => {
                Stage::Real { outer, class, part: part + 1 }
            }
            Stage::Real { outer, class, .. } => Stage::Synthetic { outer, class },
            Stage::Synthetic { outer, class } if class + 1 < self.labels.len() => {
                Stage::Real { outer, class: class + 1, part: 0 }
            }
            Stage::Synthetic { outer, .. } => Stage::Move { outer },
            // What the last one would train, nobody would use.
            Stage::Move { outer } if outer + 1 == self.outer => Stage::End,
            Stage::Move { outer } if self.inner == 0 => Stage::next(outer),
            Stage::Move { outer } => Stage::Train { outer, pass: 0, batch: 0 },
            Stage::Train { outer, pass, batch } if batch + 1 < self.batches.len() => {
                Stage::Train { outer, pass, batch: batch + 1 }
            }
            Stage::Train { outer, pass, .. } if pass + 1 < self.inner => {
                Stage::Train { outer, pass: pass + 1, batch: 0 }
            }
            Stage::Train { outer, .. } => Stage::next(outer),
            Stage::End => Stage::Network,
        }
    }

    /// Parts of a class's real images.
    fn parts(&self, class: usize) -> &[Part] {
        &self.recorded.real[&self.real_counts[class]]
    }

    /// Values of a class's synthetic images.
    fn class_len(&self) -> usize {
        self.images.len() / self.labels.len()
    }

    /// What a stage needs to be on the device.
    fn send(
        &mut self,
        encoder: &mut wgpu::CommandEncoder,
        stage: Stage,
        draws: &dyn Draws,
    ) -> Result<()> {
        let len = self.class_len();
        let Self { belt, buffers, recorded, real_counts, labels, .. } = self;
        match stage {
            Stage::Network => {
                let work = &buffers.work;
                copy(encoder, (&self.images, 0), (&work.images, 0), self.images.len());
                copy(encoder, (&self.velocity, 0), (&work.velocity, 0), self.velocity.len());
                buffers.matched.losses().clear(encoder);
                if let Some(changed) = self.changed_rates.take() {
                    buffers.rates.stage(belt, encoder, &[changed])?;
                }
                match draws.network() {
                    Some(key) => {
                        buffers.weights.reset_affines_staged(belt, encoder)?;
                        buffers.weights.name_staged(belt, encoder, key)
                    }
                    None => Ok(()),
                }
            }
            Stage::Real { outer, class, part } => {
                let count = real_counts[class];
                let parts = recorded.real[&count].iter().map(|part| part.images.clone());
                let drawn = draws.real(outer, class);
                let batch = drawn.batch();
                if part == 0 {
                    let (rows, counts) = ([draws.row(outer, class)], [count]);
                    let about = (&rows[..], &counts[..]);
                    buffers.feed.send(belt, encoder, about, &batch, parts.clone())?;
                    let own = vec![labels[class]; buffers.class.labels.len()];
                    buffers.class.labels.stage(belt, encoder, &own)?;
                    let from = (&buffers.work.images, class * len);
                    copy(encoder, from, (&buffers.class.images, 0), len);
                }
                match parts.clone().nth(part) {
                    Some(images) => buffers.feed.send_real(belt, encoder, &batch, images),
                    None => Ok(()),
                }
            }
            Stage::Train { outer, pass, batch } => {
                let (images, rows) = draws.inner(outer, pass, self.batches[batch].clone());
                let label = |&image: &u32| labels[image as usize / self.ipc];
                let own: Vec<_> = images.iter().map(label).collect();
                let items = (0..).zip(&images).map(|(row, &image)| Item { image, row });
                let items: Vec<_> = items.collect();
                let inner = &buffers.inner;
                inner.items.stage(belt, encoder, &items)?;
                inner.rows.stage(belt, encoder, &rows)?;
                inner.labels.stage(belt, encoder, &own)
            }
            Stage::Pack | Stage::Synthetic { .. } | Stage::Move { .. } | Stage::End => Ok(()),
        }
    }

    /// Seconds that an iteration is expected to take, and what of them is behind `progress`.
    pub fn expected(&self, progress: &GradientProgress) -> (f64, f64) {
        let of = |recording: &Recording| recording.expected(&self.gpu, Place::default());
        let synthetic = of(&self.recorded.synthetic);
        let reals: Vec<f64> = self
            .real_counts
            .iter()
            .map(|count| self.recorded.real[count].iter().map(|part| of(&part.recording)).sum())
            .collect();
        let moved = of(&self.recorded.update);
        let batches = self.batches.iter().map(|batch| of(&self.recorded.train[&batch.len()]));
        let pass: f64 = batches.sum();
        // Of an outer step, what its classes take, and what its training does.
        let classes: f64 = reals.iter().map(|real| real + synthetic).sum::<f64>() + moved;
        let train = f64::from(self.inner) * pass;
        let (weights, outer) = (&self.buffers.weights, f64::from(self.outer));
        let network = of(weights.drawing()) + of(&self.recorded.pack);
        let steps = outer * classes + (outer - 1.0) * train;
        let whole = network + steps;
        let from_class = |class: usize| -> f64 {
            reals[class..].iter().map(|real| real + synthetic).sum::<f64>() + moved
        };
        // What is left of the outer steps behind one, with the training before them.
        let behind = |outer: u32| f64::from(self.outer - 1 - outer) * (classes + train);
        let place = self.recording(progress.stage).0.expected(&self.gpu, progress.place);
        let left = match progress.stage {
            Stage::Network => return (whole, place + of(&self.recorded.pack) + steps),
            Stage::Pack => place + steps,
            Stage::Real { outer, class, part } => {
                let rest: f64 =
                    self.parts(class)[part + 1..].iter().map(|part| of(&part.recording)).sum();
                place + rest + synthetic + from_class(class + 1) + behind(outer)
            }
            Stage::Synthetic { outer, class } => place + from_class(class + 1) + behind(outer),
            Stage::Move { outer } => place + behind(outer),
            Stage::Train { outer, pass: done, batch } => {
                let rest: f64 = self.batches[batch + 1..]
                    .iter()
                    .map(|batch| of(&self.recorded.train[&batch.len()]))
                    .sum();
                let passes = f64::from(self.inner - 1 - done) * pass;
                place + rest + passes + behind(outer) - train
            }
            Stage::End => 0.0,
        };
        (whole, left)
    }
}

impl Stage {
    /// The beginning of the outer step after this one.
    fn next(outer: u32) -> Self {
        Self::Real { outer: outer + 1, class: 0, part: 0 }
    }
}
