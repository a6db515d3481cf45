// As augment_backward, of gradients in a texture: four pixels of a row per invocation, one after the other if affine.
// There are at most three channels.

@group(0) @binding(4) var<storage, read> means: array<f32>;
@group(0) @binding(5) var<storage, read_write> result: array<vec4f>;

// The channels of pixel (y, x); those that there are not repeat the last.
fn pixel_or_zero(image: u32, y: i32, x: i32) -> vec3f {
    let last = params.source.channels - 1u;
    return vec3f(
        value_or_zero(texel_plane(image, 0u), y, x),
        value_or_zero(texel_plane(image, min(1u, last)), y, x),
        value_or_zero(texel_plane(image, last), y, x),
    );
}

// Back through flip, cutout and crop, of four pixels of a row.
fn uncropped(row: Row, plane: TexelPlane, y: i32, x: i32) -> vec4f {
    let to = vec2i(y, x) - row.crop;
    let v = four_or_zero(plane, to.x, four_before_flip(row, to.y, plane.size));
    return uncut(flipped(row, v), row, to.x, to.y, plane.size);
}

// Four pixels of a row of any kind but affine.
fn gathered(row: Row, plane: TexelPlane, y: i32, x: i32, grey: vec4f, mean: f32) -> vec4f {
    let v = uncropped(row, plane, y, x);
    let g = row.contrast * v + (1.0 - row.contrast) * mean;
    let colored = row.saturation * g + (1.0 - row.saturation) * grey;
    return select(v, colored, does(row, COLOR));
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
    let mean = means[i];
    let origin = plane_start(params.result, items[params.first_item + i].image, 0u);
    let pitch = params.result.pitch;
    let stride = params.result.stride;
    let affine = does(row, AFFINE);

    for (var w = walk(lane, size / 4u); w.y < size; w = step(w)) {
        let y = i32(w.y);
        let x = i32(4u * w.x);
        let start = origin + w.y * pitch + 4u * w.x;
        // Of the gradient after the contrast's transpose, the pixels' means over channels.
        var grey = vec4f();
        for (var c = 0u; c < select(0u, channels, does(row, COLOR)); c++) {
            grey += uncropped(row, texel_plane(i, c), y, x);
        }
        grey = row.contrast * grey / f32(channels) + (1.0 - row.contrast) * mean;
        for (var c = 0u; c < select(channels, 0u, affine); c++) {
            put(start + c * stride, gathered(row, texel_plane(i, c), y, x, grey, mean));
        }
        for (var place = 0u; place < select(0u, 4u, affine); place++) {
            let at = vec2i(y, x + i32(place));
            let box = samplers(row.affine, at.x, at.y);
            var v = vec3f();
            for (var oy = box.x; oy <= box.z; oy++) {
                for (var ox = box.y; ox <= box.w; ox++) {
                    let weight = tap_weight(affine_source(row.affine, oy, ox, size), at.x, at.y);
                    v += weight * pixel_or_zero(i, oy, ox);
                }
            }
            for (var c = 0u; c < channels; c++) {
                let own = select(select(v.z, v.y, c == 1u && channels > 2u), v.x, c == 0u);
                put_one(start + place + c * stride, own);
            }
        }
    }
}
