//! Decoding packed pictures, and the transpose.

use super::Batch;

/// Pictures in groups of `group`, of factor × factor tiles each; `padding` is what lies beyond a picture.
pub fn unpack(x: &Batch, factor: usize, group: usize, padding: f64) -> Batch {
    let mut y = Batch::zeros(x.n * factor * factor, x.channels, x.size);
    walk(x, factor, group, |picture, image, c, [row, column], taps| {
        for (r, q, weight) in taps {
            let inside = r < x.size && q < x.size;
            let value = if inside { x.at(picture, c, r, q) } else { padding };
            *y.at_mut(image, c, row, column) += weight * value;
        }
    });
    y
}

/// From the gradient at the images to the one at the pictures; what falls on the padding is dropped.
pub fn unpack_backward(dy: &Batch, factor: usize, group: usize) -> Batch {
    let mut dx = Batch::zeros(dy.n / (factor * factor), dy.channels, dy.size);
    let like = dx.clone();
    walk(&like, factor, group, |picture, image, c, [row, column], taps| {
        for (r, q, weight) in taps {
            if r < dy.size && q < dy.size {
                *dx.at_mut(picture, c, r, q) += weight * dy.at(image, c, row, column);
            }
        }
    });
    dx
}

/// Each value of each image with the four pixels of its picture that it is made of.
fn walk(
    x: &Batch,
    factor: usize,
    group: usize,
    mut each: impl FnMut(usize, usize, usize, [usize; 2], [(usize, usize, f64); 4]),
) {
    let tile = x.size.div_ceil(factor);
    let read = |at: usize| {
        let place = ((at as f64 + 0.5) * tile as f64 / x.size as f64 - 0.5).max(0.0);
        let low = place.floor() as usize;
        (low, (low + 1).min(tile - 1), place - low as f64)
    };
    for picture in 0..x.n {
        let (class, within) = (picture / group, picture % group);
        for (i, j) in (0..factor).flat_map(|i| (0..factor).map(move |j| (i, j))) {
            let image = class * group * factor * factor + (i * factor + j) * group + within;
            for c in 0..x.channels {
                for (row, column) in (0..x.size).flat_map(|r| (0..x.size).map(move |q| (r, q))) {
                    let ((top, bottom, down), (left, right, along)) = (read(row), read(column));
                    let [top, bottom] = [top, bottom].map(|r| i * tile + r);
                    let [left, right] = [left, right].map(|q| j * tile + q);
                    let taps = [
                        (top, left, (1.0 - down) * (1.0 - along)),
                        (top, right, (1.0 - down) * along),
                        (bottom, left, down * (1.0 - along)),
                        (bottom, right, down * along),
                    ];
                    each(picture, image, c, [row, column], taps);
                }
            }
        }
    }
}
