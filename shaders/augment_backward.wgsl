// The exact transpose of augment_forward's linear part: from the gradient at its output (the
// `source` here) to the one at its input. One invocation a pixel of the input, all its channels.
//
// Bilinear sampling scatters; without float atomics each input pixel instead looks for the output
// pixels that sampled it, among the few that the inverse grid brings near.

@group(0) @binding(4) var<storage, read> means: array<f32>;
@group(0) @binding(5) var<storage, read_write> result: array<f32>;

fn gradient_or_zero(start: u32, y: i32, x: i32) -> f32 {
    let size = i32(params.source.size);
    if y < 0 || x < 0 || y >= size || x >= size {
        return 0.0;
    }
    return source_value(start, 0u, u32(y) * params.source.pitch + u32(x));
}

// Output pixels that may have sampled input pixel (y, x): a box of (first y, first x, last y, last x).
fn samplers(m: vec4f, y: i32, x: i32) -> vec4i {
    let size = params.source.size;
    let det = m.x * m.w - m.y * m.z;
    let inverse = vec4f(m.w, -m.y, -m.z, m.x) / det;
    let centre = affine_source(inverse, y, x, size);
    // Anything closer than a pixel counts, seen through the inverse; a little more for rounding.
    let reach = vec2f(abs(inverse.z) + abs(inverse.w), abs(inverse.x) + abs(inverse.y)) + 0.01;
    let last = vec2f(f32(size) - 1.0);
    return vec4i(
        vec2i(max(ceil(centre - reach), vec2f(0.0))),
        vec2i(min(floor(centre + reach), last)),
    );
}

// The weight with which sampling at `at` took (y, x): just as the forward pass computes it.
fn tap_weight(at: vec2f, y: i32, x: i32) -> f32 {
    let corner = floor(at);
    let w = at - corner;
    let d = vec2i(y, x) - vec2i(corner);
    if any(d < vec2i(0)) || any(d > vec2i(1)) {
        return 0.0;
    }
    let along = select(vec2f(1.0) - w, w, d == vec2i(1));
    return along.x * along.y;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let size = params.source.size;
    let flat = flat_group(group) * 64u + lane;
    let i = flat / (size * size);
    if i >= params.images {
        return;
    }
    let pixel = flat % (size * size);
    let y = i32(pixel / size);
    let x = i32(pixel % size);
    let channels = params.source.channels;
    let row = row_of(i);

    // Of the gradient after the contrast's transpose, the mean over this pixel's channels.
    var grey = 0.0;
    if row.kind == COLOR {
        for (var c = 0u; c < channels; c++) {
            grey += gradient_or_zero(plane_start(params.source, i, c), y, x);
        }
        grey = row.contrast * grey / f32(channels) + (1.0 - row.contrast) * means[i];
    }
    var box = vec4i(0, 0, -1, -1);
    if row.kind == AFFINE {
        box = samplers(row.affine, y, x);
    }

    for (var c = 0u; c < channels; c++) {
        let start = plane_start(params.source, i, c);
        var v = 0.0;
        switch row.kind {
            case COLOR {
                let g = row.contrast * gradient_or_zero(start, y, x)
                    + (1.0 - row.contrast) * means[i];
                v = row.saturation * g + (1.0 - row.saturation) * grey;
            }
            case CROP {
                v = gradient_or_zero(start, y - row.crop.x, x - row.crop.y);
            }
            case CUTOUT {
                v = select(gradient_or_zero(start, y, x), 0.0, is_cut(row.cutout, y, x, size));
            }
            case FLIP {
                v = gradient_or_zero(start, y, i32(size) - 1 - x);
            }
            case AFFINE {
                for (var oy = box.x; oy <= box.z; oy++) {
                    for (var ox = box.y; ox <= box.w; ox++) {
                        let weight = tap_weight(affine_source(row.affine, oy, ox, size), y, x);
                        v += weight * gradient_or_zero(start, oy, ox);
                    }
                }
            }
            default {
                v = gradient_or_zero(start, y, x);
            }
        }
        let image = items[params.first_item + i].image;
        let at = plane_start(params.result, image, c) + u32(y) * params.result.pitch + u32(x);
        result[at] = v;
    }
}
