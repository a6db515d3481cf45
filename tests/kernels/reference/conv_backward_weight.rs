//! Twin of `conv_backward_weight`: the convolution's gradient at its weights, written as a scatter.

use super::{Batch, conv_forward::weight_index};

/// (dy.channels, x.channels, 3, 3), summed over all images.
pub fn conv_backward_weight(x: &Batch, dy: &Batch) -> Vec<f64> {
    assert_eq!((x.n, x.size), (dy.n, dy.size));
    let mut dw = vec![0.0; dy.channels * x.channels * 9];
    for n in 0..x.n {
        for o in 0..dy.channels {
            for row in 0..x.size {
                for column in 0..x.size {
                    let gradient = dy.at(n, o, row, column);
                    for i in 0..x.channels {
                        for ky in 0..3 {
                            for kx in 0..3 {
                                let source =
                                    x.inside((row + ky) as isize - 1, (column + kx) as isize - 1);
                                if let Some((y, c)) = source {
                                    dw[weight_index(x.channels, o, i, ky, kx)] +=
                                        gradient * x.at(n, i, y, c);
                                }
                            }
                        }
                    }
                }
            }
        }
    }
    dw
}
