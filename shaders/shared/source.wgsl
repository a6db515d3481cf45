// The images that augmentation reads: f32 values, or 8-bit pixels that are normalised on the way.

struct Params {
    source: Planes,
    result: Planes,
    mean: vec4f,
    deviation: vec4f,
    // Items of this dispatch: first_item … first_item + images.
    first_item: u32,
    images: u32,
    // 1: item i reads source image items[i].image. 0: it reads image i − first_item.
    gather: u32,
    pad: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var<storage, read> items: array<Item>;
@group(0) @binding(2) var<storage, read> rows: array<Row>;
// Four pixels, or the bits of one f32.
@group(0) @binding(3) var<storage, read> source: array<u32>;

override PIXELS: bool;

fn source_image(i: u32) -> u32 {
    return select(i, items[params.first_item + i].image, params.gather == 1u);
}

fn row_of(i: u32) -> Row {
    return rows[items[params.first_item + i].row];
}

// A plane of the source, whose description is read from memory once. Some drivers load again what a
// loop reads again, and on CPUs that costs as much as the pixel itself.
struct SourcePlane {
    start: u32,
    size: i32,
    pitch: u32,
    mean: f32,
    deviation: f32,
}

fn source_plane(image: u32, channel: u32) -> SourcePlane {
    return SourcePlane(
        plane_start(params.source, image, channel),
        i32(params.source.size),
        params.source.pitch,
        params.mean[channel],
        params.deviation[channel],
    );
}

fn source_value(plane: SourcePlane, y: u32, x: u32) -> f32 {
    let at = plane.start + y * plane.pitch + x;
    if PIXELS {
        let byte = (source[at >> 2u] >> ((at & 3u) * 8u)) & 0xffu;
        return (f32(byte) / 255.0 - plane.mean) / plane.deviation;
    }
    return bitcast<f32>(source[at]);
}
