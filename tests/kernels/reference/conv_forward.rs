//! Twin of `conv_forward`: 3×3 convolution, stride 1, padding 1, no bias.

use super::Batch;

/// Where weight (o, i, ky, kx) of (outputs, inputs, 3, 3) lies.
pub fn weight_index(inputs: usize, o: usize, i: usize, ky: usize, kx: usize) -> usize {
    ((o * inputs + i) * 3 + ky) * 3 + kx
}

/// `weights`: (outputs, x.channels, 3, 3).
pub fn conv_forward(x: &Batch, weights: &[f64], outputs: usize) -> Batch {
    assert_eq!(weights.len(), outputs * x.channels * 9);
    let mut y = Batch::zeros(x.n, outputs, x.size);
    for n in 0..x.n {
        for o in 0..outputs {
            for row in 0..x.size {
                for column in 0..x.size {
                    let mut sum = 0.0;
                    for i in 0..x.channels {
                        for ky in 0..3 {
                            for kx in 0..3 {
                                let source =
                                    x.inside((row + ky) as isize - 1, (column + kx) as isize - 1);
                                if let Some((source_y, source_x)) = source {
                                    sum += weights[weight_index(x.channels, o, i, ky, kx)]
                                        * x.at(n, i, source_y, source_x);
                                }
                            }
                        }
                    }
                    *y.at_mut(n, o, row, column) = sum;
                }
            }
        }
    }
    y
}
