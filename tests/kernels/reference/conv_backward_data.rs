//! Twin of `conv_backward_data`: the convolution's gradient at its input, written as a scatter.

use super::{Batch, conv_forward::weight_index};

/// `weights`: (dy.channels, inputs, 3, 3).
pub fn conv_backward_data(dy: &Batch, weights: &[f64], inputs: usize) -> Batch {
    assert_eq!(weights.len(), dy.channels * inputs * 9);
    let mut dx = Batch::zeros(dy.n, inputs, dy.size);
    for n in 0..dy.n {
        for o in 0..dy.channels {
            for row in 0..dy.size {
                for column in 0..dy.size {
                    let gradient = dy.at(n, o, row, column);
                    for i in 0..inputs {
                        for ky in 0..3 {
                            for kx in 0..3 {
                                let source =
                                    dy.inside((row + ky) as isize - 1, (column + kx) as isize - 1);
                                if let Some((y, x)) = source {
                                    *dx.at_mut(n, i, y, x) +=
                                        weights[weight_index(inputs, o, i, ky, kx)] * gradient;
                                }
                            }
                        }
                    }
                }
            }
        }
    }
    dx
}
