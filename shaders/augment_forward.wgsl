// Reads images, normalises them if they are 8-bit, and applies one augmentation to each
// (tests/golden/README.md has the formulas). One workgroup an image, so that
// its parameters are read once.

@group(0) @binding(4) var<storage, read> means: array<f32>;
@group(0) @binding(5) var<storage, read_write> result: array<f32>;

// Zero outside the image, as padding after normalisation gives.
fn value_or_zero(start: u32, channel: u32, y: i32, x: i32) -> f32 {
    let size = i32(params.source.size);
    if y < 0 || x < 0 || y >= size || x >= size {
        return 0.0;
    }
    return source_value(start, channel, u32(y) * params.source.pitch + u32(x));
}

// Channel `c` of output pixel (y, x).
fn augmented(row: Row, start: u32, c: u32, y: i32, x: i32, grey: f32, mean: f32) -> f32 {
    let size = params.source.size;
    switch row.kind {
        case COLOR {
            let bright = value_or_zero(start, c, y, x) + row.brightness;
            let saturated = (bright - grey) * row.saturation + grey;
            return (saturated - mean) * row.contrast + mean;
        }
        case CROP {
            return value_or_zero(start, c, y + row.crop.x, x + row.crop.y);
        }
        case CUTOUT {
            return select(value_or_zero(start, c, y, x), 0.0, is_cut(row.cutout, y, x, size));
        }
        case FLIP {
            return value_or_zero(start, c, y, i32(size) - 1 - x);
        }
        case AFFINE {
            let at = affine_source(row.affine, y, x, size);
            let corner = floor(at);
            let w = at - corner;
            let p = vec2i(corner);
            let top = value_or_zero(start, c, p.x, p.y) * (1.0 - w.y)
                + value_or_zero(start, c, p.x, p.y + 1) * w.y;
            let bottom = value_or_zero(start, c, p.x + 1, p.y) * (1.0 - w.y)
                + value_or_zero(start, c, p.x + 1, p.y + 1) * w.y;
            return top * (1.0 - w.x) + bottom * w.x;
        }
        default {
            return value_or_zero(start, c, y, x);
        }
    }
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

    for (var w = walk(lane, params.source.size); w.y < params.source.size; step(&w)) {
        let y = i32(w.y);
        let x = i32(w.x);
        // The pixel's mean over channels, after brightness.
        var grey = 0.0;
        if row.kind == COLOR {
            for (var c = 0u; c < channels; c++) {
                grey += value_or_zero(plane_start(params.source, image, c), c, y, x)
                    + row.brightness;
            }
            grey /= f32(channels);
        }
        for (var c = 0u; c < channels; c++) {
            let start = plane_start(params.source, image, c);
            let v = augmented(row, start, c, y, x, grey, mean);
            result[plane_start(params.result, i, c) + w.y * params.result.pitch + w.x] = v;
        }
    }
}
