// What augmentation and its transpose share: the parameters and the sampling grid.

// One image's augmentation; twin of augment::Row.
struct Row {
    kind: u32,
    brightness: f32,
    saturation: f32,
    contrast: f32,
    crop: vec2i,
    cutout: vec2i,
    affine: vec4f,
}

// Which image of the source, under which row; twin of kernels::augment::Item.
struct Item {
    image: u32,
    row: u32,
}

const COLOR = 1u;
const CROP = 2u;
const CUTOUT = 3u;
const FLIP = 4u;
const AFFINE = 5u;

// Where output pixel (y, x) of an affine grid samples the input, in pixels, as (y, x).
// Coordinates run from −1 to 1 over the image's outer edges (align_corners = false).
fn affine_source(m: vec4f, y: i32, x: i32, size: u32) -> vec2f {
    let s = f32(size);
    let gx = (2.0 * f32(x) + 1.0) / s - 1.0;
    let gy = (2.0 * f32(y) + 1.0) / s - 1.0;
    let u = m.x * gx + m.y * gy;
    let v = m.z * gx + m.w * gy;
    return (vec2f(v, u) * s + (s - 1.0)) * 0.5;
}

// Whether cutout about (y, x) = centre clears this pixel: a square of half the size, cut at the border.
fn is_cut(centre: vec2i, y: i32, x: i32, size: u32) -> bool {
    let side = i32((size + 1u) / 2u);
    let p = vec2i(y, x);
    let first = centre - side / 2;
    return all(p >= first) && all(p < first + side);
}
