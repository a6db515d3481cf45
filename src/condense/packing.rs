//! Packed pictures on the host: several small images in each (multi-formation, Kim et al., ICML 2022). What is computed is
//! in `tests/golden/README.md`, under Packing; the kernels `unpack` and `unpack_backward` do the same on devices.

/// The most tiles of a side.
pub(crate) const MOST: usize = 4;

/// Height and width of a tile.
pub(crate) fn tile(size: usize, factor: usize) -> usize {
    size.div_ceil(factor)
}

/// Whether each tile has a part of the picture.
pub(crate) fn is_possible(size: usize, factor: usize) -> bool {
    (1..=MOST).contains(&factor) && (factor - 1) * tile(size, factor) < size
}

/// What stands where tiles reach beyond a picture: 0.5, as networks see it.
pub(crate) fn padding(mean: &[f32], std: &[f32]) -> Vec<f32> {
    mean.iter().zip(std).map(|(mean, std)| (0.5 - mean) / std).collect()
}

/// Pictures (N, C, H, W), in groups of so many, as the images that are packed into them. Of each group, the first tiles of
/// all pictures come first.
pub(crate) fn decode(
    pictures: &[f32],
    (size, factor): (usize, usize),
    groups: &[usize],
    padding: &[f32],
) -> Vec<f32> {
    let (channels, tile) = (padding.len(), tile(size, factor));
    let taps: Vec<_> = (0..size).map(|row| tap(row, size, tile)).collect();
    let image = channels * size * size;
    let mut images = Vec::with_capacity(pictures.len() * factor * factor);
    let mut rest = pictures;
    for &count in groups {
        let group;
        (group, rest) = rest.split_at(count * image);
        for (top, left) in tiles(factor, tile) {
            for picture in group.chunks(image) {
                for (plane, padding) in picture.chunks(size * size).zip(padding) {
                    let value = |y: usize, x: usize| match y.max(x) < size {
                        true => plane[y * size + x],
                        false => *padding,
                    };
                    for &(low, high, down) in &taps {
                        let row = |y: usize, (l, r, along): (usize, usize, f32)| {
                            value(top + y, left + l) * (1.0 - along)
                                + value(top + y, left + r) * along
                        };
                        let both = |&at: &_| row(low, at) * (1.0 - down) + row(high, at) * down;
                        images.extend(taps.iter().map(both));
                    }
                }
            }
        }
    }
    images
}

/// Images (N, C, H, W), factor² for each picture, shrunk into its tiles: each pixel of a tile is the mean of what it
/// covers.
pub(crate) fn pack(images: &[f32], (channels, size, factor): (usize, usize, usize)) -> Vec<f32> {
    let (image, tile) = (channels * size * size, tile(size, factor));
    let mut pictures = Vec::with_capacity(images.len() / (factor * factor));
    for of_picture in images.chunks(factor * factor * image) {
        let mut picture = vec![0.0; image];
        for ((top, left), image) in tiles(factor, tile).zip(of_picture.chunks(image)) {
            for (to, from) in picture.chunks_mut(size * size).zip(image.chunks(size * size)) {
                for y in 0..tile.min(size - top) {
                    for x in 0..tile.min(size - left) {
                        to[(top + y) * size + left + x] = mean(from, size, tile, y, x);
                    }
                }
            }
        }
        pictures.extend(picture);
    }
    pictures
}

/// Where each tile begins, row by row.
fn tiles(factor: usize, tile: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..factor).flat_map(move |y| (0..factor).map(move |x| (y * tile, x * tile)))
}

/// What an image's row reads of its tile: two rows, and the weight of the second.
fn tap(row: usize, size: usize, tile: usize) -> (usize, usize, f32) {
    let at = ((row as f64 + 0.5) * tile as f64 / size as f64 - 0.5).max(0.0);
    let low = at as usize;
    (low, (low + 1).min(tile - 1), (at - low as f64) as f32)
}

/// The mean of the part of an image that pixel (y, x) of a tile covers.
fn mean(plane: &[f32], size: usize, tile: usize, y: usize, x: usize) -> f32 {
    let (mut sum, mut area) = (0.0, 0.0);
    for (row, down) in covered(y, size, tile) {
        for (column, along) in covered(x, size, tile) {
            sum += down * along * f64::from(plane[row * size + column]);
            area += down * along;
        }
    }
    (sum / area) as f32
}

/// The rows of an image that row `at` of a tile covers, and how much of each.
fn covered(at: usize, size: usize, tile: usize) -> impl Iterator<Item = (usize, f64)> + Clone {
    let edge = |at: usize| at as f64 * size as f64 / tile as f64;
    let (from, to) = (edge(at), edge(at + 1));
    let last = (to.ceil() as usize).min(size);
    (from as usize..last).map(move |row| (row, (row as f64 + 1.0).min(to) - (row as f64).max(from)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_factor_of_one_changes_nothing() {
        let images: Vec<_> = (0..2 * 3 * 25).map(|value| value as f32).collect();
        assert_eq!(decode(&images, (5, 1), &[2], &[0.5; 3]), images);
        assert_eq!(pack(&images, (3, 5, 1)), images);
    }

    #[test]
    fn tiles_are_means_and_come_back_in_their_order() {
        // Four images of one value each, of two pictures.
        let images: Vec<_> = (0..8).flat_map(|value| vec![value as f32; 16]).collect();
        let pictures = pack(&images, (1, 4, 2));
        assert_eq!(pictures[..4], [0.0, 0.0, 1.0, 1.0]);
        assert_eq!(pictures[16..20], [4.0, 4.0, 5.0, 5.0]);
        let decoded = decode(&pictures, (4, 2), &[2], &[9.0]);
        let values: Vec<_> = decoded.chunks(16).map(|image| image[5]).collect();
        assert_eq!(values, [0.0, 4.0, 1.0, 5.0, 2.0, 6.0, 3.0, 7.0], "tile by tile");
        let apart = decode(&pictures, (4, 2), &[1, 1], &[9.0]);
        assert_eq!(apart[3 * 16], 3.0, "picture by picture");
    }

    #[test]
    fn pixels_that_are_cut_count_by_their_share() {
        let ramp: Vec<_> = (0..9).map(|at| (at % 3) as f32).collect();
        // Tiles of 2×2 in pictures of 3×3: a pixel covers one and a half.
        let picture = pack(&ramp.repeat(4), (1, 3, 2));
        assert_eq!(picture[0], (0.0 + 0.5 * 1.0) / 1.5);
        assert_eq!(picture[1], (0.5 * 1.0 + 2.0) / 1.5);
        assert_eq!(
            picture[2], picture[0],
            "the second tile, whose second column is beyond the picture"
        );
    }

    #[test]
    fn every_tile_needs_a_part_of_the_picture() {
        for (size, factor, possible) in [
            (28, 3, true),
            (5, 4, false),
            (5, 3, true),
            (2, 3, false),
            (32, 0, false),
            (32, 5, false),
        ] {
            assert_eq!(is_possible(size, factor), possible, "{size}, {factor}");
        }
    }
}
