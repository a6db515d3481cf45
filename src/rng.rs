//! The host's random numbers: Philox4x32-10, a counter-based generator, so that every draw follows
//! from (seed, purpose, iteration, class) alone and never from order, threads or chunking.
//!
//! Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.

/// What a stream's numbers are for. The value is the counter's last word.
///
/// Part of the promise that a seed gives the same result again: a value, once released, keeps its
/// meaning, and a new purpose gets a new value.
#[allow(dead_code, reason = "the values are reserved here, also for draws that shaders make")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Purpose {
    /// Weights of the random networks.
    Weights = 1,
    /// Which real images an iteration uses.
    RealBatch = 2,
    /// Which augmentation, and its parameters.
    Augment = 3,
    /// How the synthetic images begin.
    InitImages = 4,
    /// The embedded data set.
    Glyphs = 5,
    /// Weights of the networks that are trained to judge a set.
    EvaluationWeights = 6,
    /// The order in which those networks see the images.
    EvaluationOrder = 7,
    /// How those images are augmented.
    EvaluationAugment = 8,
    /// Which real images a selection takes.
    Selection = 9,
    /// Pixels of made-up data sets, where only time is measured.
    MadeUp = 10,
    /// In which order a network sees the synthetic images that it is trained on between moves of the pixels.
    TrainOrder = 11,
    /// How those images are augmented.
    TrainAugment = 12,
    /// Which real images an iteration's batch norms, or those of a move of gradient matching, go by.
    NormStatistics = 13,
    /// Weights of the networks whose whole training is distilled.
    TrainedWeights = 14,
    /// How those images of an evaluation are mixed.
    EvaluationMix = 15,
    /// Which snapshots an iteration goes by.
    Snapshots = 16,
    /// Which of the images in packed ones an iteration shows.
    Shown = 17,
}

/// One block of four words: ten rounds of Philox on `counter` under `key`.
pub(crate) fn philox4x32(key: [u32; 2], counter: [u32; 4]) -> [u32; 4] {
    let (mut key, mut c) = (key, counter);
    for round in 0..10 {
        if round > 0 {
            key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
        }
        let (a, b) = (u64::from(c[0]) * 0xD251_1F53, u64::from(c[2]) * 0xCD9E_8D57);
        c = [
            (b >> 32) as u32 ^ c[1] ^ key[0],
            b as u32,
            (a >> 32) as u32 ^ c[3] ^ key[1],
            a as u32,
        ];
    }
    c
}

/// The numbers of one (seed, purpose, iteration, class), in order.
#[derive(Debug, Clone)]
pub(crate) struct Stream {
    key: [u32; 2],
    /// The next block's counter: [index, class, iteration, purpose].
    counter: [u32; 4],
    block: [u32; 4],
    used: usize,
}

impl Stream {
    /// The stream from its beginning.
    pub(crate) fn new(seed: u64, purpose: Purpose, iteration: u32, class: u32) -> Self {
        Self {
            key: [seed as u32, (seed >> 32) as u32],
            counter: [0, class, iteration, purpose as u32],
            block: [0; 4],
            used: 4,
        }
    }

    /// 32 random bits.
    pub(crate) fn next_u32(&mut self) -> u32 {
        if self.used == self.block.len() {
            self.block = philox4x32(self.key, self.counter);
            self.counter[0] = self.counter[0].wrapping_add(1);
            self.used = 0;
        }
        let word = self.block[self.used];
        self.used += 1;
        word
    }

    /// A multiple of 2⁻²⁴ in [0, 1).
    pub(crate) fn uniform(&mut self) -> f32 {
        (self.next_u32() >> 8) as f32 * (1.0 / 16_777_216.0)
    }

    /// An integer in 0…n−1 (0 if `n` is 0); its bias, below n / 2³², is too small to be noticed.
    pub(crate) fn below(&mut self, n: u32) -> u32 {
        ((u64::from(self.next_u32()) * u64::from(n)) >> 32) as u32
    }

    /// A standard normal number (Box–Muller, cosine half). Takes two words each time, so that the
    /// k-th number does not depend on what was drawn between.
    ///
    /// `ln` and `cos` are the platform's: equal on one machine; on another, the last bits may differ.
    pub(crate) fn normal(&mut self) -> f32 {
        let (u, v) = (self.uniform(), self.uniform());
        (-2.0 * (1.0 - u).ln()).sqrt() * (std::f32::consts::TAU * v).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn philox_gives_the_known_answers_of_random123() {
        assert_eq!(
            philox4x32([0; 2], [0; 4]),
            [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]
        );
        assert_eq!(
            philox4x32([u32::MAX; 2], [u32::MAX; 4]),
            [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
        );
        assert_eq!(
            philox4x32(
                [0xa409_3822, 0x299f_31d0],
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344]
            ),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn a_stream_is_the_blocks_of_its_counter() {
        let seed = 0x0123_4567_89ab_cdef;
        let mut stream = Stream::new(seed, Purpose::RealBatch, 7, 3);
        for index in 0..3 {
            let block = philox4x32([0x89ab_cdef, 0x0123_4567], [index, 3, 7, 2]);
            assert_eq!(block, [(); 4].map(|()| stream.next_u32()));
        }
    }

    #[test]
    fn draws_stay_in_range_and_fill_it() {
        let mut stream = Stream::new(1, Purpose::Glyphs, 0, 0);
        let mut seen = [0; 7];
        let (mut low, mut high) = (1.0f32, 0.0f32);
        for _ in 0..7000 {
            seen[stream.below(7) as usize] += 1;
            let u = stream.uniform();
            assert!((0.0..1.0).contains(&u));
            (low, high) = (low.min(u), high.max(u));
        }
        assert!(seen.iter().all(|n| (850..1150).contains(n)), "{seen:?}");
        assert!(low < 0.01 && high > 0.99, "{low} {high}");
        assert_eq!(stream.below(1), 0);
    }

    #[test]
    fn normals_have_mean_0_and_variance_1() {
        let mut stream = Stream::new(2, Purpose::InitImages, 0, 0);
        let draws: Vec<f64> = (0..20_000).map(|_| f64::from(stream.normal())).collect();
        assert!(draws.iter().all(|x| x.is_finite()));
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / draws.len() as f64;
        assert!(mean.abs() < 0.03, "{mean}");
        assert!((variance - 1.0).abs() < 0.04, "{variance}");
    }
}
