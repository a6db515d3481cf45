//! Encoding an iteration: sending what each stage is about, then the stage, as far as there is room.

use std::iter::repeat_n;

use wgpu::util::StagingBelt;

use super::{Drawn, Draws, GradientIteration, Part};
use crate::{
    Result,
    condense::{Progress, Staged, classes_in_parts, copy},
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
    /// Batch norms, if there are any, are frozen by real images.
    Statistics {
        outer: u32,
    },
    /// Each class of a turn gets the network as it is before an outer step.
    Pack {
        outer: u32,
    },
    /// A part of a turn's real images.
    Real {
        outer: u32,
        turn: usize,
        part: usize,
    },
    Synthetic {
        outer: u32,
        turn: usize,
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
        if let Stage::Synthetic { turn, .. } = stage {
            let (first, len) = self.of_turn(turn);
            let from = (&self.buffers.turn.gradient, 0);
            copy(encoder, from, (&self.buffers.gradient, first), len);
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
            Stage::Statistics { .. } => (&recorded.statistics, "statistics of batch norms"),
            Stage::Pack { .. } => (&recorded.pack, "pack weights"),
            Stage::Real { turn, part, .. } => (&self.parts(turn)[part].recording, "real images"),
            Stage::Synthetic { turn, .. } => (self.synthetic(turn), "synthetic images"),
            Stage::Move { .. } | Stage::End => (&recorded.update, "move the pixels"),
            Stage::Train { batch, .. } => {
                (&recorded.train[&self.batches[batch].len()], "train the network")
            }
        }
    }

    /// The first stage of an outer step, if the network is not as it was before.
    fn begin(&self, outer: u32) -> Stage {
        match self.norm_images {
            0 => Stage::Pack { outer },
            _ => Stage::Statistics { outer },
        }
    }

    fn after(&self, stage: Stage) -> Stage {
        match stage {
            Stage::Network => self.begin(0),
            Stage::Statistics { outer } => Stage::Pack { outer },
            Stage::Pack { outer } => Stage::Real { outer, turn: 0, part: 0 },
            Stage::Real { outer, turn, part } if part + 1 < self.parts(turn).len() => {
                Stage::Real { outer, turn, part: part + 1 }
            }
            Stage::Real { outer, turn, .. } => Stage::Synthetic { outer, turn },
            Stage::Synthetic { outer, turn } if turn + 1 < self.turns.len() => {
                Stage::Real { outer, turn: turn + 1, part: 0 }
            }
            Stage::Synthetic { outer, .. } => Stage::Move { outer },
            // What the last one would train, nobody would use.
            Stage::Move { outer } if outer + 1 == self.outer => Stage::End,
            // The copies are as good as before.
            Stage::Move { outer } if self.inner == 0 && self.norm_images == 0 => {
                Stage::Real { outer: outer + 1, turn: 0, part: 0 }
            }
            Stage::Move { outer } if self.inner == 0 => self.begin(outer + 1),
            Stage::Move { outer } => Stage::Train { outer, pass: 0, batch: 0 },
            Stage::Train { outer, pass, batch } if batch + 1 < self.batches.len() => {
                Stage::Train { outer, pass, batch: batch + 1 }
            }
            Stage::Train { outer, pass, .. } if pass + 1 < self.inner => {
                Stage::Train { outer, pass: pass + 1, batch: 0 }
            }
            Stage::Train { outer, .. } => self.begin(outer + 1),
            Stage::End => Stage::Network,
        }
    }

    /// Parts of a turn's real images.
    fn parts(&self, turn: usize) -> &[Part] {
        let own = &self.turns[turn];
        &self.recorded.real[&(own.len(), self.real_counts[own.start])]
    }

    fn synthetic(&self, turn: usize) -> &Recording {
        let own = &self.turns[turn];
        &self.recorded.synthetic[&(own.len(), self.counts[own.start])]
    }

    /// Where the values of a turn's synthetic images begin, as networks see them, and how many they are.
    fn of_turn(&self, turn: usize) -> (usize, usize) {
        let image_len = self.buffers.gradient.len() / self.counts.iter().sum::<usize>();
        let values = |classes: &[usize]| classes.iter().sum::<usize>() * image_len;
        let own = self.turns[turn].clone();
        (values(&self.counts[..own.start]), values(&self.counts[own]))
    }

    /// What a stage needs to be on the device.
    fn send(
        &mut self,
        encoder: &mut wgpu::CommandEncoder,
        stage: Stage,
        draws: &dyn Draws,
    ) -> Result<()> {
        let (first, len) = match stage {
            Stage::Real { turn, .. } => self.of_turn(turn),
            _ => (0, 0),
        };
        let Self { cut, belt, buffers, recorded, real_counts, counts, turns, labels, .. } = self;
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
            Stage::Statistics { outer } => {
                buffers.feed.send_norm(belt, encoder, &draws.norm(outer).norms())
            }
            // Every network is a copy of the same one.
            Stage::Pack { .. } => {
                let all = buffers.weights.all().zip(buffers.copies.all()).zip(&self.lens);
                for ((from, to), &len) in all {
                    (0..cut.classes).for_each(|n| copy(encoder, (from, 0), (to, n * len), len));
                }
                Ok(())
            }
            Stage::Real { outer, turn, part } => {
                let own = turns[turn].clone();
                let (nets, count) = (own.len(), real_counts[own.start]);
                let parts = &recorded.real[&(nets, count)];
                let each: Vec<_> = own.clone().map(|class| draws.real(outer, class)).collect();
                let drawn = Drawn::in_parts(&each, count, parts);
                let batch = drawn.batch();
                let of_turn = |part: &Part| nets * part.images.start..nets * part.images.end;
                if part == 0 {
                    let rows: Vec<_> = own.clone().map(|class| draws.row(outer, class)).collect();
                    let about = (&rows[..], &vec![count; nets][..]);
                    buffers.feed.send(belt, encoder, about, &batch, parts.iter().map(of_turn))?;
                    let labels = &labels[own.clone()];
                    let turn = &buffers.turn;
                    turn.labels.stage(belt, encoder, labels)?;
                    // There is room for more classes than this turn may have.
                    let synthetic = counts[own.start];
                    let room = vec![synthetic; cut.classes];
                    buffers.feed.send_synthetic(belt, encoder, &room)?;
                    for (to, count, classes) in [
                        (&turn.real_labels, count, nets),
                        (&turn.synthetic_labels, synthetic, cut.classes),
                    ] {
                        let places = classes_in_parts(&vec![count; classes], self.part);
                        let label = |class: &u32| labels[(nets - 1).min(*class as usize)];
                        let all: Vec<_> = places.iter().map(label).collect();
                        to.stage(belt, encoder, &all)?;
                    }
                    copy(encoder, (buffers.shown(), first), (&turn.images, 0), len);
                }
                buffers.feed.send_real(belt, encoder, &batch, of_turn(&parts[part]))
            }
            Stage::Train { outer, pass, batch } => {
                let (images, rows) = draws.inner(outer, pass, self.batches[batch].clone());
                let of_class = |(&label, &count): (&u32, &usize)| repeat_n(label, count);
                let all: Vec<_> = labels.iter().zip(&*counts).flat_map(of_class).collect();
                let own: Vec<_> = images.iter().map(|&image| all[image as usize]).collect();
                let items = (0..).zip(&images).map(|(row, &image)| Item { image, row });
                let items: Vec<_> = items.collect();
                let inner = &buffers.inner;
                inner.items.stage(belt, encoder, &items)?;
                inner.rows.stage(belt, encoder, &rows)?;
                inner.labels.stage(belt, encoder, &own)
            }
            Stage::Synthetic { .. } | Stage::Move { .. } | Stage::End => Ok(()),
        }
    }

    /// Seconds that an iteration is expected to take, and what of them is behind `progress`.
    pub fn expected(&self, progress: &GradientProgress) -> (f64, f64) {
        let of = |recording: &Recording| recording.expected(&self.gpu, Place::default());
        let real = |turn: usize, from: usize| -> f64 {
            self.parts(turn)[from..].iter().map(|part| of(&part.recording)).sum()
        };
        let turns: Vec<_> =
            (0..self.turns.len()).map(|turn| real(turn, 0) + of(self.synthetic(turn))).collect();
        let moved = of(&self.recorded.update);
        let pack = of(&self.recorded.pack);
        let begin = of(&self.recorded.statistics) + pack;
        let batches = |from: usize| -> f64 {
            let all = self.batches[from..].iter();
            all.map(|batch| of(&self.recorded.train[&batch.len()])).sum()
        };
        let changes = self.inner > 0 || self.norm_images > 0;
        let train = if changes { f64::from(self.inner) * batches(0) + begin } else { 0.0 };
        let from_turn = |turn: usize| turns[turn..].iter().sum::<f64>() + moved;
        // What is left of the outer steps behind one, with the training before them.
        let behind = |outer: u32| f64::from(self.outer - 1 - outer) * (from_turn(0) + train);
        let steps = from_turn(0) + behind(0);
        let whole = of(self.buffers.weights.drawing()) + begin + steps;
        let place = self.recording(progress.stage).0.expected(&self.gpu, progress.place);
        let left = match progress.stage {
            Stage::Network => place + begin + steps,
            Stage::Statistics { outer } => place + pack + from_turn(0) + behind(outer),
            Stage::Pack { outer } => place + from_turn(0) + behind(outer),
            Stage::Real { outer, turn, part } => {
                let own = real(turn, part + 1) + of(self.synthetic(turn));
                place + own + from_turn(turn + 1) + behind(outer)
            }
            Stage::Synthetic { outer, turn } => place + from_turn(turn + 1) + behind(outer),
            Stage::Move { outer } => place + behind(outer),
            Stage::Train { outer, pass, batch } => {
                let passes = f64::from(self.inner - 1 - pass) * batches(0);
                let rest = batches(batch + 1) + passes + begin + from_turn(0);
                place + rest + behind(outer + 1)
            }
            Stage::End => 0.0,
        };
        (whole, left)
    }
}
