//! Work recorded once and submitted as often as wanted, whole or slice by slice.

use super::{Dispatch, Gpu, Share};

/// How far a recording has been encoded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Place {
    dispatch: usize,
    group: usize,
}

/// Dispatches in order. Each sees what those before it wrote.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recording(Vec<Dispatch>);

impl Recording {
    pub fn push(&mut self, dispatch: Dispatch) {
        self.0.push(dispatch);
    }

    /// What another has, after what is here.
    pub fn extend(&mut self, more: &Self) {
        self.0.extend_from_slice(&more.0);
    }

    pub(super) fn dispatches(&self) -> &[Dispatch] {
        &self.0
    }

    /// Encodes everything.
    pub fn encode(&self, encoder: &mut wgpu::CommandEncoder, label: &str) {
        for dispatches in passes(&self.0) {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                label: Some(label),
                timestamp_writes: None,
            });
            dispatches.iter().for_each(|dispatch| dispatch.encode(&mut pass));
            drop(pass);
            dispatches.iter().for_each(|dispatch| dispatch.encode_copies(encoder));
        }
    }

    /// Encodes as much as there is room for, from `place` on, and advances `place`. Returns whether that was all.
    pub fn encode_some(
        &self,
        gpu: &Gpu,
        place: &mut Place,
        share: &mut Share,
        encoder: &mut wgpu::CommandEncoder,
        label: &str,
    ) -> bool {
        for dispatches in passes(&self.0[place.dispatch..]) {
            if !share.has_room() {
                return false;
            }
            let mut pass = share.begin_pass(gpu, encoder, label);
            for dispatch in dispatches {
                let count = dispatch.encode_some(gpu, place.group, share, &mut pass);
                place.group += count;
                if place.group < dispatch.groups() {
                    return false;
                }
                *place = Place { dispatch: place.dispatch + 1, group: 0 };
            }
            drop(pass);
            dispatches.iter().for_each(|dispatch| dispatch.encode_copies(encoder));
        }
        true
    }

    /// Encodes everything, whether there is room or not: for work that nobody may see half done.
    pub fn encode_at_once(
        &self,
        gpu: &Gpu,
        share: &mut Share,
        encoder: &mut wgpu::CommandEncoder,
        label: &str,
    ) {
        for dispatches in passes(&self.0) {
            let mut pass = share.begin_pass(gpu, encoder, label);
            for dispatch in dispatches {
                dispatch.encode(&mut pass);
                share.take(&dispatch.pipeline, dispatch.expected(gpu, 0));
            }
            drop(pass);
            dispatches.iter().for_each(|dispatch| dispatch.encode_copies(encoder));
        }
    }

    /// Seconds that the work from `place` on is expected to take.
    pub fn expected(&self, gpu: &Gpu, place: Place) -> f64 {
        let left = self.0.iter().enumerate().skip(place.dispatch);
        left.map(|(at, dispatch)| match at == place.dispatch {
            true => dispatch.expected(gpu, place.group),
            false => dispatch.expected(gpu, 0),
        })
        .sum()
    }
}

/// Runs of dispatches that can be one compute pass: only the last of a run is followed by copies.
fn passes(dispatches: &[Dispatch]) -> impl Iterator<Item = &[Dispatch]> {
    dispatches.split_inclusive(|dispatch| !dispatch.copies.is_empty())
}
