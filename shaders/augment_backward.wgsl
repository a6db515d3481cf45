// The exact transpose of augment_forward's linear part: from the gradient at its output (the
// `source` here) to the one at its input. One workgroup per image.
//
// Bilinear sampling scatters; without float atomics each input pixel instead looks for the output
// pixels that sampled it, among the few that the inverse grid brings near.

@group(0) @binding(4) var<storage, read> means: array<f32>;
@group(0) @binding(5) var<storage, read_write> result: array<f32>;

fn gradient_or_zero(plane: SourcePlane, y: i32, x: i32) -> f32 {
    if y < 0 || x < 0 || y >= plane.size || x >= plane.size {
        return 0.0;
    }
    return source_value(plane, u32(y), u32(x));
}

// Back through flip, cutout and crop, of input pixel (y, x).
fn uncropped(row: Row, plane: SourcePlane, y: i32, x: i32) -> f32 {
    let to = vec2i(y, x) - row.crop;
    let v = gradient_or_zero(plane, to.x, before_flip(row, to.y, plane.size));
    return select(v, 0.0, is_cut(row, to.x, to.y, plane.size));
}

// One channel of the gradient at input pixel (y, x). As in augment_forward, all kinds share one
// load where they can, and expensive work stands in loops.
fn gathered(row: Row, plane: SourcePlane, y: i32, x: i32, grey: f32, mean: f32) -> f32 {
    let size = u32(plane.size);
    var v = uncropped(row, plane, y, x);
    if does(row, COLOR) {
        let g = row.contrast * v + (1.0 - row.contrast) * mean;
        v = row.saturation * g + (1.0 - row.saturation) * grey;
    }
    for (var again = does(row, AFFINE); again; again = false) {
        let box = samplers(row.affine, y, x);
        v = 0.0;
        for (var oy = box.x; oy <= box.z; oy++) {
            for (var ox = box.y; ox <= box.w; ox++) {
                let weight = tap_weight(affine_source(row.affine, oy, ox, size), y, x);
                v += weight * gradient_or_zero(plane, oy, ox);
            }
        }
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
    let image = items[params.first_item + i].image;
    let row = row_of(i);
    let mean = means[i];

    for (var w = walk(lane, params.source.size); w.y < params.source.size; w = step(w)) {
        let y = i32(w.y);
        let x = i32(w.x);
        // Of the gradient after the contrast's transpose, the mean over this pixel's channels.
        var grey = 0.0;
        for (var c = 0u; c < select(0u, channels, does(row, COLOR)); c++) {
            grey += uncropped(row, source_plane(i, c), y, x);
        }
        grey = row.contrast * grey / f32(channels) + (1.0 - row.contrast) * mean;
        for (var c = 0u; c < channels; c++) {
            let v = gathered(row, source_plane(i, c), y, x, grey, mean);
            result[plane_start(params.result, image, c) + w.y * params.result.pitch + w.x] = v;
        }
    }
}
