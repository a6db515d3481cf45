// Reads images, normalises them if they are 8-bit, and applies its row to each
// (tests/golden/README.md has the formulas). One workgroup per image, so that
// its parameters are read once.

@group(0) @binding(4) var<storage, read> means: array<f32>;
@group(0) @binding(5) var<storage, read_write> result: array<f32>;

// Zero outside the image, as padding after normalisation gives.
fn value_or_zero(plane: SourcePlane, y: i32, x: i32) -> f32 {
    if y < 0 || x < 0 || y >= plane.size || x >= plane.size {
        return 0.0;
    }
    return source_value(plane, u32(y), u32(x));
}

// One channel of output pixel (y, x).
//
// Drivers for CPUs run every branch of a condition, masked, but skip a loop that no invocation
// enters. So all kinds share one load where they can, and expensive work stands in a loop.
fn augmented(row: Row, plane: SourcePlane, y: i32, x: i32, grey: f32, mean: f32) -> f32 {
    let size = u32(plane.size);
    let before = before_flip(row, x, plane.size);
    var v = value_or_zero(plane, y + row.crop.x, before + row.crop.y);
    if does(row, COLOR) {
        let saturated = (v + row.brightness - grey) * row.saturation + grey;
        v = (saturated - mean) * row.contrast + mean;
    }
    v = select(0.0, v, is_shown(row, y, before, plane.size));
    for (var again = does(row, AFFINE); again; again = false) {
        let at = affine_source(row.affine, y, x, size);
        let corner = floor(at);
        let w = at - corner;
        let p = vec2i(corner);
        let top = value_or_zero(plane, p.x, p.y) * (1.0 - w.y)
            + value_or_zero(plane, p.x, p.y + 1) * w.y;
        let bottom = value_or_zero(plane, p.x + 1, p.y) * (1.0 - w.y)
            + value_or_zero(plane, p.x + 1, p.y + 1) * w.y;
        v = top * (1.0 - w.x) + bottom * w.x;
    }
    return v;
}

@compute @workgroup_size(TEAM)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = flat_group(group);
    if i >= params.images {
        return;
    }
    let channels = params.source.channels;
    let image = source_image(i);
    let row = row_of(i);
    // Saturation keeps the image's mean, brightness shifts it.
    let mean = means[i] + row.brightness;

    for (var c = 0u; c < channels; c++) {
        let plane = source_plane(image, c);
        let start = plane_start(params.result, i, c);
        let pitch = params.result.pitch;
        for (var w = walk(lane, u32(plane.size)); w.y < u32(plane.size); w = step(w)) {
            let y = i32(w.y);
            let x = i32(w.x);
            let before_crop = vec2i(y, before_flip(row, x, plane.size)) + row.crop;
            // The mean over channels of where it comes from, after brightness.
            var grey = 0.0;
            for (var other = 0u; other < select(0u, channels, does(row, COLOR)); other++) {
                grey += value_or_zero(source_plane(image, other), before_crop.x, before_crop.y) + row.brightness;
            }
            grey /= f32(channels);
            result[start + w.y * pitch + w.x] = augmented(row, plane, y, x, grey, mean);
        }
    }
}
