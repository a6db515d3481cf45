// The images that augmentation reads: f32 values, or 8-bit pixels that are normalised on the way.

// Four pixels, or the bits of one f32.
@group(0) @binding(3) var<storage, read> source: array<u32>;

override PIXELS: bool;

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
