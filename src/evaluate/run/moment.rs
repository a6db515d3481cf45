//! The state of networks in training, read and restored: what trajectories are made of.

#[cfg(feature = "files")]
use crate::{
    Error,
    evaluate::{EvaluationSettings, schedule::rates},
};
use crate::{
    Result,
    evaluate::Evaluation,
    gpu::{Buffer, Submissions},
    kernels::NetworkKey,
    rng::Purpose,
};

/// What the networks of a turn are at some time: all their parameters, and how fast they move.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Moment {
    pub parameters: Vec<Vec<f32>>,
    #[cfg_attr(not(feature = "files"), allow(dead_code))]
    pub velocities: Vec<Vec<f32>>,
}

impl Evaluation {
    /// Draws the first turn's networks, at rest, and returns what they are before their training.
    pub(in crate::evaluate) fn begin_blocking(&self) -> Result<Moment> {
        let key = NetworkKey::new(self.settings.seed, Purpose::EvaluationWeights, 0);
        let mut submissions = Submissions::new(&self.gpu);
        let classifiers = &self.bench.buffers.classifiers;
        classifiers.draw(&self.gpu, &mut submissions, key);
        classifiers.velocities().iter().for_each(|velocity| velocity.clear(submissions.encoder()));
        submissions.finish();
        self.moment_blocking()
    }

    /// Waits for everything submitted and returns what the turn's networks are.
    pub(in crate::evaluate) fn moment_blocking(&self) -> Result<Moment> {
        let classifiers = &self.bench.buffers.classifiers;
        let read = |buffer: &Buffer<f32>| buffer.read_blocking(&self.gpu);
        Ok(Moment {
            parameters: classifiers.parameters().into_iter().map(read).collect::<Result<_>>()?,
            velocities: classifiers.velocities().iter().map(read).collect::<Result<_>>()?,
        })
    }

    /// Continues after so many epochs of the first turn, which left the networks like this.
    #[cfg(feature = "files")]
    pub(in crate::evaluate) fn restore(
        &mut self,
        epochs: u32,
        parameters: &[Vec<f32>],
        velocities: &[Vec<f32>],
    ) -> Result<()> {
        let classifiers = &self.bench.buffers.classifiers;
        let fits = |buffer: &Buffer<f32>, values: &Vec<f32>| buffer.len() == values.len();
        let slots = || classifiers.parameters().into_iter().chain(classifiers.velocities());
        let values = || parameters.iter().chain(velocities);
        if slots().count() != values().count() || !slots().zip(values()).all(|(b, v)| fits(b, v)) {
            return Err(Error::shape("saved training", "it is of another network"));
        }
        slots().zip(values()).for_each(|(buffer, values)| buffer.write(&self.gpu, values));
        let EvaluationSettings { protocol, epochs: all, lr, .. } = self.settings;
        let last = (0..=epochs).rev().find_map(|epoch| rates(protocol, epoch, all, lr));
        if let Some((last, _)) = last {
            classifiers.set_rates(&self.gpu, last);
        }
        classifiers.packing().submit(&self.gpu, "pack weights");
        self.done = epochs;
        Ok(())
    }
}
