use dm_wgpu::PoolKind;

use crate::reference::Batch;

/// A pool's sizes.
#[derive(Debug, Clone, Copy)]
pub struct Pool {
    pub kind: PoolKind,
    pub kernel: usize,
    pub stride: usize,
    pub pad: usize,
}

impl Pool {
    fn empty(self, x: &Batch) -> Batch {
        let size = (x.size + 2 * self.pad - self.kernel) / self.stride + 1;
        Batch::zeros(x.n, x.channels, size)
    }

    /// The pixels of window (oy, ox), row by row.
    fn window(self, x: &Batch, oy: usize, ox: usize) -> Vec<(usize, usize)> {
        let corner = |o: usize| (o * self.stride) as isize - self.pad as isize;
        let taps = (0..self.kernel * self.kernel).map(|t| (t / self.kernel, t % self.kernel));
        let pixel =
            |(ky, kx): (usize, usize)| x.inside(corner(oy) + ky as isize, corner(ox) + kx as isize);
        taps.filter_map(pixel).collect()
    }

    /// What each pixel of the window counts for.
    fn weights(self, x: &Batch, i: usize, c: usize, window: &[(usize, usize)]) -> Vec<f64> {
        match self.kind {
            PoolKind::Avg => vec![1.0 / (self.kernel * self.kernel) as f64; window.len()],
            PoolKind::Max => {
                let values: Vec<_> = window.iter().map(|&(y, col)| x.at(i, c, y, col)).collect();
                let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let first = values.iter().position(|&v| v == largest);
                (0..window.len()).map(|w| f64::from(Some(w) == first)).collect()
            }
        }
    }

    /// Calls `meet` with (image, channel, output row and column, input row and column) and what the pixel counts for.
    pub(super) fn pixels(self, x: &Batch, mut meet: impl FnMut([usize; 6], f64)) {
        let size = self.empty(x).size;
        for at in 0..x.n * x.channels * size * size {
            let (i, c) = (at / size / size / x.channels, at / size / size % x.channels);
            let (oy, ox) = (at / size % size, at % size);
            let window = self.window(x, oy, ox);
            for (&(y, col), weight) in window.iter().zip(self.weights(x, i, c, &window)) {
                meet([i, c, oy, ox, y, col], weight);
            }
        }
    }
}

pub fn pool_forward(pool: Pool, x: &Batch) -> Batch {
    let mut y = pool.empty(x);
    pool.pixels(x, |[i, c, oy, ox, iy, ix], weight| {
        *y.at_mut(i, c, oy, ox) += weight * x.at(i, c, iy, ix);
    });
    y
}

pub fn pool_backward(pool: Pool, x: &Batch, dy: &Batch) -> Batch {
    let mut dx = x.zeros_like();
    pool.pixels(x, |[i, c, oy, ox, iy, ix], weight| {
        *dx.at_mut(i, c, iy, ix) += weight * dy.at(i, c, oy, ox);
    });
    dx
}
