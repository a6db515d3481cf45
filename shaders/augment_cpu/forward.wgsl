// As augment_forward, of images in a texture: four pixels of a row per invocation. It fills the planes of the result: there
// are zeros around a smaller image, and in planes after the image's last. Drivers for CPUs skip a loop that no invocation
// enters, and nothing else, so both ways stand in loops.

@group(0) @binding(4) var<storage, read> means: array<f32>;
@group(0) @binding(5) var<storage, read_write> result: array<vec4f>;

// Four pixels of a row of any kind but affine.
fn augmented(row: Row, plane: TexelPlane, y: i32, x: i32, grey: vec4f, mean: f32) -> vec4f {
    let size = plane.size;
    let before = four_before_flip(row, x, size);
    let before_crop = vec2i(y, before) + row.crop;
    var v = four_or_zero(plane, before_crop.x, before_crop.y);
    if does(row, COLOR) {
        let saturated = (v + row.brightness - grey) * row.saturation + grey;
        v = (saturated - mean) * row.contrast + mean;
        v = inside(v, before_crop.x, before_crop.y, size);
    }
    return flipped(row, uncut(v, row, y, before, size));
}

struct Sample {
    corner: vec2i,
    w: vec2f,
}

fn sample_at(at: vec2f) -> Sample {
    let corner = floor(at);
    return Sample(vec2i(corner), at - corner);
}

fn bilinear(plane: TexelPlane, s: Sample) -> f32 {
    let p = s.corner;
    let top = value_or_zero(plane, p.x, p.y) * (1.0 - s.w.y)
        + value_or_zero(plane, p.x, p.y + 1) * s.w.y;
    let bottom = value_or_zero(plane, p.x + 1, p.y) * (1.0 - s.w.y)
        + value_or_zero(plane, p.x + 1, p.y + 1) * s.w.y;
    return top * (1.0 - s.w.x) + bottom * s.w.x;
}

@compute @workgroup_size(TEAM)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = flat_group(group);
    if i >= params.images {
        return;
    }
    let size = params.source.size;
    let channels = params.source.channels;
    let row = row_of(i);
    // Saturation keeps the image's mean, brightness shifts it.
    let mean = means[i] + row.brightness;
    let origin = plane_start(params.result, i, 0u);
    let pitch = params.result.pitch;
    let stride = params.result.stride;
    let affine = does(row, AFFINE);
    let side = params.result.size;
    let border = i32(side - size) / 2;

    for (var w = walk(lane, side / 4u); w.y < side; w = step(w)) {
        let y = i32(w.y) - border;
        let x = i32(4u * w.x) - border;
        let start = origin + w.y * pitch + 4u * w.x;
        // The means over channels of where the pixels come from, after brightness.
        let before_crop = vec2i(y, four_before_flip(row, x, i32(size))) + row.crop;
        var grey = vec4f();
        for (var c = 0u; c < select(0u, channels, does(row, COLOR)); c++) {
            grey += four_or_zero(texel_plane(i, c), before_crop.x, before_crop.y) + row.brightness;
        }
        grey /= f32(channels);
        for (var c = 0u; c < select(channels, 0u, affine); c++) {
            let v = augmented(row, texel_plane(i, c), y, x, grey, mean);
            put(start + c * stride, inside(v, y, x, i32(size)));
        }
        for (var c = channels; c < params.result.channels; c++) {
            put(start + c * stride, vec4f());
        }
        for (var again = affine; again; again = false) {
            let a = sample_at(affine_source(row.affine, y, x, size));
            let b = sample_at(affine_source(row.affine, y, x + 1, size));
            let c = sample_at(affine_source(row.affine, y, x + 2, size));
            let d = sample_at(affine_source(row.affine, y, x + 3, size));
            for (var channel = 0u; channel < channels; channel++) {
                let p = texel_plane(i, channel);
                let four = vec4f(bilinear(p, a), bilinear(p, b), bilinear(p, c), bilinear(p, d));
                put(start + channel * stride, inside(four, y, x, i32(size)));
            }
        }
    }
}
