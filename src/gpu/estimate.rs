//! How long recorded work takes on a device, measured on slices of it.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Gpu, Place, Recording, Share, record::Dispatch};
use crate::{Error, Result};

/// What is measured of each pipeline: long beside what a submission costs.
const SLICE: Duration = Duration::from_millis(30);

/// Times that a dispatch is repeated at most, to fill a slice.
const REPEATS: u32 = 32;

impl Gpu {
    /// Times a slice of each pipeline's longest dispatch, from which their paces follow. What the recordings write
    /// holds anything afterwards.
    pub(crate) fn measure_paces<'a>(
        &self,
        recordings: impl IntoIterator<Item = &'a Recording>,
    ) -> Result<()> {
        let mut longest: Vec<_> = recordings.into_iter().flat_map(Recording::dispatches).collect();
        longest.sort_by(|a, b| b.expected(self, 0).total_cmp(&a.expected(self, 0)));
        let mut measured = HashSet::new();
        longest.retain(|dispatch| measured.insert(Arc::as_ptr(&dispatch.pipeline)));
        longest.into_iter().try_for_each(|dispatch| self.measure_pace(dispatch))
    }

    fn measure_pace(&self, dispatch: &Dispatch) -> Result<()> {
        // Many a driver compiles at the first use. After the second it is known how much fits into a slice.
        for time in 0..3 {
            let doing = "measure how long the work takes";
            let mut encoder = self.device().create_command_encoder(&Default::default());
            let (mut share, pace) = (Share::of(SLICE), &dispatch.pipeline.pace);
            let then = pace.factor();
            let label = "a slice";
            let mut pass = share.begin_pass(self, &mut encoder, label);
            // One whole dispatch is too short on a fast GPU: submitting it takes longer.
            let mut repeats = 0;
            while share.has_room()
                && repeats < REPEATS
                && dispatch.encode_some(self, 0, &mut share, &mut pass) > 0
            {
                repeats += 1;
            }
            drop(pass);
            let expected = share.expected().as_secs_f64();
            let begun = Instant::now();
            let mut ticket = share.submit(self, encoder);
            let submission_index = ticket.submission();
            let wait = wgpu::PollType::Wait { submission_index, timeout: None };
            self.device().poll(wait).map_err(|error| Error::gpu(doing, error))?;
            let seconds = begun.elapsed().as_secs_f64();
            ticket.settle(self)?;
            self.check(doing)?;
            if time > 0 && expected > 0.0 {
                // In place of what the ticket taught, which goes half of the way only.
                pace.correct(then, seconds / expected);
                if repeats == REPEATS || seconds > 0.5 * SLICE.as_secs_f64() {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Seconds that recorded work is expected to take.
    pub(crate) fn expected<'a>(&self, recordings: impl IntoIterator<Item = &'a Recording>) -> f64 {
        recordings.into_iter().map(|recording| recording.expected(self, Place::default())).sum()
    }
}
