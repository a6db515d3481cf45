//! Twin of `augment_backward`: the transpose of each operation, written as a scatter.
//!
//! Every output pixel hands its gradient to the input pixels it was made of. The shader gathers
//! instead (no float atomics), so that the two formulations check each other.

use super::{Batch, Op, augment_forward::taps};

/// The gradient at the input of `augment_forward` from the one at its output.
pub fn augment_backward(dy: &Batch, ops: &[Op]) -> Batch {
    assert_eq!(ops.len(), dy.n, "one operation an image");
    let mut out = dy.zeros_like();
    for (i, op) in ops.iter().enumerate() {
        let image = transpose(*op, &dy.slice(i, i + 1));
        let each = image.values.len();
        out.values[i * each..(i + 1) * each].copy_from_slice(&image.values);
    }
    out
}

fn transpose(op: Op, dy: &Batch) -> Batch {
    let last = dy.size - 1;
    match op {
        Op::None => dy.clone(),
        Op::Color { saturation, contrast, .. } => {
            // In reverse; brightness only adds a constant and has no part in it.
            let dy = transpose_contrast(dy, contrast.into());
            transpose_saturation(&dy, saturation.into())
        }
        Op::Crop { y, x } => scatter(dy, |row, column| {
            let source = dy.inside(row as isize + y as isize, column as isize + x as isize);
            source.map(|(row, column)| (1.0, row, column)).into_iter().collect()
        }),
        Op::Cutout { y, x } => scatter(dy, |row, column| {
            let cut = Op::cut_lines(y, dy.size).any(|r| r == row)
                && Op::cut_lines(x, dy.size).any(|c| c == column);
            if cut { vec![] } else { vec![(1.0, row, column)] }
        }),
        Op::Flip => scatter(dy, |row, column| vec![(1.0, row, last - column)]),
        Op::Scale { .. } | Op::Rotate(_) => scatter(dy, |row, column| taps(op, dy, row, column)),
    }
}

/// For operations that treat every channel alike: `sources` names what an output pixel was made of.
fn scatter(dy: &Batch, sources: impl Fn(usize, usize) -> Vec<(f64, usize, usize)>) -> Batch {
    let mut dx = dy.zeros_like();
    for c in 0..dy.channels {
        for row in 0..dy.size {
            for column in 0..dy.size {
                for (weight, y, x) in sources(row, column) {
                    *dx.at_mut(0, c, y, x) += weight * dy.at(0, c, row, column);
                }
            }
        }
    }
    dx
}

/// y = s·x + (1 − s)·mean over channels.
fn transpose_saturation(dy: &Batch, saturation: f64) -> Batch {
    let mut dx = dy.zeros_like();
    for row in 0..dy.size {
        for column in 0..dy.size {
            for c in 0..dy.channels {
                let gradient = dy.at(0, c, row, column);
                *dx.at_mut(0, c, row, column) += saturation * gradient;
                for source in 0..dy.channels {
                    *dx.at_mut(0, source, row, column) +=
                        (1.0 - saturation) * gradient / dy.channels as f64;
                }
            }
        }
    }
    dx
}

/// y = k·x + (1 − k)·mean of the image: every output hands each input the same share.
fn transpose_contrast(dy: &Batch, contrast: f64) -> Batch {
    let pixels = dy.values.len() as f64;
    let share = (1.0 - contrast) * dy.values.iter().sum::<f64>() / pixels;
    dy.with(dy.values.iter().map(|gradient| contrast * gradient + share).collect())
}
