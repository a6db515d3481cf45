// What augmentation and its transpose share: the parameters and the sampling grid.

// One image's augmentation; twin of augment::Row. Several kinds follow one another in the order color, crop, cutout, flip;
// an affine one is alone.
struct Row {
    kinds: u32,
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
const CUTOUT = 2u;
const FLIP = 4u;
const AFFINE = 8u;

fn does(row: Row, kind: u32) -> bool {
    return (row.kinds & kind) != 0u;
}

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

// Whether cutout clears pixel (y, x): a square of half the size about its centre, cut at the border.
fn is_cut(row: Row, y: i32, x: i32, size: i32) -> bool {
    let side = (size + 1) / 2;
    let p = vec2i(y, x);
    let first = row.cutout - side / 2;
    return does(row, CUTOUT) && all(p >= first) && all(p < first + side);
}

// The column that flip takes column x from.
fn before_flip(row: Row, x: i32, size: i32) -> i32 {
    return select(x, size - 1 - x, does(row, FLIP));
}

// Whether pixel (y, x) between crop and flip comes from one of the image.
fn is_shown(row: Row, y: i32, x: i32, size: i32) -> bool {
    let before_crop = vec2i(y, x) + row.crop;
    return all(before_crop >= vec2i()) && all(before_crop < vec2i(size)) && !is_cut(row, y, x, size);
}
