//! Twin of `augment_forward`: one operation per image, and the normalisation of 8-bit pixels.

use super::{Batch, Op, image_mean};

/// (u8 / 255 − mean) / std, each channel with its own mean and std.
pub fn normalise(pixels: &[u8], channels: usize, size: usize, mean: &[f32], std: &[f32]) -> Batch {
    let plane = size * size;
    let values = pixels.iter().enumerate().map(|(i, pixel)| {
        let c = i / plane % channels;
        (f64::from(*pixel) / 255.0 - f64::from(mean[c])) / f64::from(std[c])
    });
    Batch::new(values.collect(), pixels.len() / (channels * plane), channels, size)
}

/// Applies `ops[i]` to image i.
pub fn augment_forward(x: &Batch, ops: &[Op]) -> Batch {
    assert_eq!(ops.len(), x.n, "one operation an image");
    let mut out = x.zeros_like();
    for (i, op) in ops.iter().enumerate() {
        let image = apply(*op, &x.slice(i, i + 1));
        let each = image.values.len();
        out.values[i * each..(i + 1) * each].copy_from_slice(&image.values);
    }
    out
}

fn apply(op: Op, x: &Batch) -> Batch {
    match op {
        Op::None => x.clone(),
        Op::Color { brightness, saturation, contrast } => {
            let x = brighten(x, brightness.into());
            let x = saturate(&x, saturation.into());
            scale_contrast(&x, contrast.into())
        }
        Op::Crop { y, x: shift_x } => map(x, |c, row, column| {
            let source = x.inside(row as isize + y as isize, column as isize + shift_x as isize);
            source.map_or(0.0, |(row, column)| x.at(0, c, row, column))
        }),
        Op::Cutout { y, x: position_x } => {
            let mut out = x.clone();
            for c in 0..x.channels {
                for row in Op::cut_lines(y, x.size) {
                    for column in Op::cut_lines(position_x, x.size) {
                        *out.at_mut(0, c, row, column) = 0.0;
                    }
                }
            }
            out
        }
        Op::Flip => map(x, |c, row, column| x.at(0, c, row, x.size - 1 - column)),
        Op::Scale { .. } | Op::Rotate(_) => map(x, |c, row, column| {
            taps(op, x, row, column)
                .into_iter()
                .map(|(w, y, column)| w * x.at(0, c, y, column))
                .sum()
        }),
    }
}

/// A one-image batch of `value(channel, row, column)`.
fn map(like: &Batch, value: impl Fn(usize, usize, usize) -> f64) -> Batch {
    let mut out = like.zeros_like();
    for c in 0..like.channels {
        for row in 0..like.size {
            for column in 0..like.size {
                *out.at_mut(0, c, row, column) = value(c, row, column);
            }
        }
    }
    out
}

fn brighten(x: &Batch, brightness: f64) -> Batch {
    map(x, |c, row, column| x.at(0, c, row, column) + brightness)
}

fn saturate(x: &Batch, saturation: f64) -> Batch {
    map(x, |c, row, column| {
        let mean =
            (0..x.channels).map(|c| x.at(0, c, row, column)).sum::<f64>() / x.channels as f64;
        (x.at(0, c, row, column) - mean) * saturation + mean
    })
}

fn scale_contrast(x: &Batch, contrast: f64) -> Batch {
    let mean = image_mean(x)[0];
    map(x, |c, row, column| (x.at(0, c, row, column) - mean) * contrast + mean)
}

/// The input pixels that an affine operation's output pixel is made of: (weight, row, column).
/// Those outside the image are zeros and left out.
pub fn taps(op: Op, x: &Batch, row: usize, column: usize) -> Vec<(f64, usize, usize)> {
    let size = x.size as f64;
    let normalised = |pixel: usize| (2.0 * pixel as f64 + 1.0) / size - 1.0;
    let to_pixels = |coordinate: f64| ((coordinate + 1.0) * size - 1.0) / 2.0;

    let [[xx, xy], [yx, yy]] = op.matrix().expect("an affine operation");
    let (u, v) = (normalised(column), normalised(row));
    let (source_x, source_y) = (to_pixels(xx * u + xy * v), to_pixels(yx * u + yy * v));

    let (left, top) = (source_x.floor(), source_y.floor());
    let (right_share, lower_share) = (source_x - left, source_y - top);
    let mut found = Vec::with_capacity(4);
    for (dy, weight_y) in [(0, 1.0 - lower_share), (1, lower_share)] {
        for (dx, weight_x) in [(0, 1.0 - right_share), (1, right_share)] {
            if let Some((y, column)) = x.inside(top as isize + dy, left as isize + dx) {
                found.push((weight_y * weight_x, y, column));
            }
        }
    }
    found
}
