//! Measures how long recorded work takes on a device, on slices of it.

use std::{collections::HashSet, sync::Arc, time::Duration};

use super::{Dispatch, Gpu, Place, Recording, Share, Ticket};
use crate::{Result, clock::Instant};

const DOING: &str = "measure how long the work takes";

/// The time that is measured per pipeline: long compared with the cost of a submission.
const SLICE: Duration = Duration::from_millis(30);

/// The time that short dispatches are repeated to fill: several times the cost of a submission.
const ENOUGH: Duration = Duration::from_millis(2);

/// The most repetitions of a dispatch.
const REPEATS: u32 = 32;

impl Gpu {
    /// Times a slice of each pipeline's longest dispatch, and sets the pipelines' paces from it. The buffers that the
    /// recordings write hold arbitrary values afterwards.
    pub(crate) fn measure_paces<'a>(
        &self,
        recordings: impl IntoIterator<Item = &'a Recording>,
    ) -> Result<()> {
        for dispatch in self.longest(recordings) {
            let mut slice = Slice::of(dispatch);
            while let Some(begun) = slice.begin(self) {
                self.wait_for(begun.ticket.submission(), DOING)?;
                slice.end(self, begun)?;
            }
        }
        Ok(())
    }

    /// The same for programs that must not block.
    pub(crate) async fn measure_paces_async<'a>(
        &self,
        recordings: impl IntoIterator<Item = &'a Recording>,
    ) -> Result<()> {
        for dispatch in self.longest(recordings) {
            let mut slice = Slice::of(dispatch);
            while let Some(mut begun) = slice.begin(self) {
                begun.ticket.done(self).await?;
                slice.end(self, begun)?;
            }
        }
        Ok(())
    }

    /// Each pipeline's longest dispatch.
    fn longest<'a>(
        &self,
        recordings: impl IntoIterator<Item = &'a Recording>,
    ) -> Vec<&'a Dispatch> {
        let mut longest: Vec<_> = recordings.into_iter().flat_map(Recording::dispatches).collect();
        longest.sort_by(|a, b| b.expected(self, 0).total_cmp(&a.expected(self, 0)));
        let mut measured = HashSet::new();
        longest.retain(|dispatch| measured.insert(Arc::as_ptr(&dispatch.pipeline)));
        longest
    }

    /// Seconds that recorded work is expected to take.
    pub(crate) fn expected<'a>(&self, recordings: impl IntoIterator<Item = &'a Recording>) -> f64 {
        recordings.into_iter().map(|recording| recording.expected(self, Place::default())).sum()
    }
}

/// A dispatch of which slices are timed. Many drivers compile at the first use. After the second use it is known how
/// much fits into a slice.
struct Slice<'a> {
    dispatch: &'a Dispatch,
    time: u32,
    measured: bool,
}

/// A slice on its way.
struct Begun {
    ticket: Ticket,
    at: Instant,
    /// The pace by which it was cut, the seconds that it should take, and how often it repeats the dispatch.
    then: f64,
    expected: f64,
    repeats: u32,
}

impl<'a> Slice<'a> {
    fn of(dispatch: &'a Dispatch) -> Self {
        Self { dispatch, time: 0, measured: false }
    }

    /// Submits the next slice, if another is needed.
    fn begin(&self, gpu: &Gpu) -> Option<Begun> {
        if self.measured || self.time == 3 {
            return None;
        }
        let mut encoder = gpu.device().create_command_encoder(&Default::default());
        let mut share = Share::of(SLICE);
        let then = self.dispatch.pipeline.pace.factor();
        let mut pass = share.begin_pass(gpu, &mut encoder, "a slice");
        // One whole dispatch is too short on a fast GPU: submitting it takes longer.
        let mut repeats = 0;
        while (share.is_untouched() || share.expected() < ENOUGH)
            && repeats < REPEATS
            && self.dispatch.encode_some(gpu, 0, &mut share, &mut pass) > 0
        {
            repeats += 1;
        }
        drop(pass);
        let expected = share.expected().as_secs_f64();
        let at = Instant::now();
        Some(Begun { ticket: share.submit(gpu, encoder), at, then, expected, repeats })
    }

    /// Learns from one that is done.
    fn end(&mut self, gpu: &Gpu, begun: Begun) -> Result<()> {
        let Begun { mut ticket, at, then, expected, repeats } = begun;
        let seconds = at.elapsed().as_secs_f64();
        ticket.settle(gpu)?;
        gpu.check(DOING)?;
        if self.time > 0 && expected > 0.0 {
            // This replaces the ticket's correction, which goes only half of the way.
            self.dispatch.pipeline.pace.correct(then, seconds / expected);
            self.measured = repeats == REPEATS || seconds > 0.5 * ENOUGH.as_secs_f64();
        }
        self.time += 1;
        Ok(())
    }
}
