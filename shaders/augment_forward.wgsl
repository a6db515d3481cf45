// Reads images, normalises them if they are 8-bit, and applies one augmentation to each
// (tests/golden/README.md has the formulas). One invocation a pixel, all its channels.

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
    let image = source_image(i);
    let row = row_of(i);

    // The pixel's mean over channels, after brightness.
    var grey = 0.0;
    if row.kind == COLOR {
        for (var c = 0u; c < channels; c++) {
            grey += value_or_zero(plane_start(params.source, image, c), c, y, x) + row.brightness;
        }
        grey /= f32(channels);
    }
    // Saturation keeps the image's mean, brightness shifts it.
    let mean = means[i] + row.brightness;
    let at = affine_source(row.affine, y, x, size);
    let corner = floor(at);
    let near = vec2i(corner);
    let w = at - corner;

    for (var c = 0u; c < channels; c++) {
        let start = plane_start(params.source, image, c);
        var v = 0.0;
        switch row.kind {
            case COLOR {
                let bright = value_or_zero(start, c, y, x) + row.brightness;
                let saturated = (bright - grey) * row.saturation + grey;
                v = (saturated - mean) * row.contrast + mean;
            }
            case CROP {
                v = value_or_zero(start, c, y + row.crop.x, x + row.crop.y);
            }
            case CUTOUT {
                v = select(value_or_zero(start, c, y, x), 0.0, is_cut(row.cutout, y, x, size));
            }
            case FLIP {
                v = value_or_zero(start, c, y, i32(size) - 1 - x);
            }
            case AFFINE {
                let top = value_or_zero(start, c, near.x, near.y) * (1.0 - w.y)
                    + value_or_zero(start, c, near.x, near.y + 1) * w.y;
                let bottom = value_or_zero(start, c, near.x + 1, near.y) * (1.0 - w.y)
                    + value_or_zero(start, c, near.x + 1, near.y + 1) * w.y;
                v = top * (1.0 - w.x) + bottom * w.x;
            }
            default {
                v = value_or_zero(start, c, y, x);
            }
        }
        let target_start = plane_start(params.result, i, c);
        result[target_start + u32(y) * params.result.pitch + u32(x)] = v;
    }
}
