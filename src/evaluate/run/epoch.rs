//! An epoch of a turn's networks: their order of images, how these look, and the learning rate.

use crate::{
    Protocol,
    augment::Row,
    evaluate::{
        Evaluation, EvaluationSettings, bench::Looks, mixing, order, schedule::rates,
        train::Lessons,
    },
    gpu::Submissions,
    kernels::{NetworkKey, Rates},
    rng::Purpose,
};

impl Evaluation {
    /// Submits an epoch of the networks from `first_net` on.
    pub(super) fn epoch(&self, first_net: u32, epoch: u32, submissions: &mut Submissions<'_>) {
        if let Some(lessons) = self.train.lessons() {
            return self.pass(lessons, first_net, epoch, submissions);
        }
        let EvaluationSettings { seed, epochs, lr, batch, protocol, ref augment, .. } =
            self.settings;
        let bench = &self.bench;
        if epoch == 0 {
            let key = NetworkKey::new(seed, Purpose::EvaluationWeights, first_net);
            bench.buffers.classifiers.draw(&self.gpu, submissions, key);
        }
        if let Some((rates, anew)) = rates(protocol, epoch, epochs, lr) {
            let classifiers = &bench.buffers.classifiers;
            match anew {
                true => classifiers.restart(&self.gpu, submissions.encoder(), rates),
                false => classifiers.set_rates(&self.gpu, rates),
            }
        }

        let len = self.train.len(&self.dataset);
        let nets = first_net..first_net + bench.nets as u32;
        let orders: Vec<_> =
            nets.clone().map(|net| order::shuffled(len, seed, epoch, net)).collect();
        let size = self.dataset.size();
        let looks = match protocol {
            Protocol::Dm => Looks::Rows(
                nets.map(|net| order::rows((len, batch), augment, size, seed, epoch, net))
                    .collect(),
            ),
            Protocol::Idc => Looks::Mixed(
                nets.map(|net| mixing::drawn((len, batch), augment, size, (seed, epoch, net)))
                    .collect(),
            ),
        };
        for first in (0..len).step_by(batch) {
            let range = first..len.min(first + batch);
            let (train, dataset) = (&self.train, &self.dataset);
            bench.step(train, dataset, &orders, &looks, range, submissions);
        }
    }

    /// The same by a set's own course.
    fn pass(
        &self,
        lessons: &Lessons,
        first_net: u32,
        pass: u32,
        submissions: &mut Submissions<'_>,
    ) {
        let (bench, dataset) = (&self.bench, &self.dataset);
        let Lessons { course, order, .. } = lessons;
        if pass == 0 {
            let key = lessons.key(self.settings.seed, first_net);
            bench.buffers.classifiers.draw(&self.gpu, submissions, key);
        }
        let orders = vec![order.clone(); bench.nets];
        let looks = Looks::Rows(vec![vec![Row::NONE; order.len()]; bench.nets]);
        let (steps, batch) = (course.order.len(), course.batch());
        let rates = course.rates.iter().skip(pass as usize * steps).take(steps);
        for (step, rate) in rates.enumerate() {
            // The rate takes effect before the next submission.
            submissions.submit();
            let rates = Rates::new(*rate, 0.0, 0.0);
            bench.buffers.classifiers.restart(&self.gpu, submissions.encoder(), rates);
            let range = step * batch..(step + 1) * batch;
            bench.step(&self.train, dataset, &orders, &looks, range, submissions);
        }
    }
}
