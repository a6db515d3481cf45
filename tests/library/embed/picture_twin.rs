/// A picture of images (n, channels, size, size): the four channels of each texel, 0 to 1, row after
/// row, and the picture's width. An image's left upper texel is at `corner(image)`.
pub fn picture(
    images: &[f64],
    (channels, size): (usize, usize),
    (mean, std): (&[f64], &[f64]),
    (width, height): (usize, usize),
    corner: impl Fn(usize) -> (usize, usize),
) -> Vec<[f64; 4]> {
    let mut texels = vec![[0.0; 4]; width * height];
    for (index, image) in images.chunks(channels * size * size).enumerate() {
        let (left, top) = corner(index);
        for y in 0..size {
            for x in 0..size {
                let value = |channel: usize| {
                    let c = channel.min(channels - 1);
                    let value = image[(c * size + y) * size + x] * std[c] + mean[c];
                    value.clamp(0.0, 1.0)
                };
                texels[(top + y) * width + left + x] = [value(0), value(1), value(2), 1.0];
            }
        }
    }
    texels
}
