// Takes dense planes (images, channels, size, size) from a buffer to where product.wgsl reads them: in a texture,
// the channels of a position beside one another, four to a texel. Channels beyond the last are zero. One invocation per
// texel.

struct Params {
    channels: u32,
    // Positions of a plane.
    positions: u32,
    // Texels in all.
    len: u32,
    pad: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var<storage, read> planes: array<f32>;
@group(0) @binding(2) var<storage, read_write> texels: array<vec4f>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let at = flat_group(group) * 64u + lane;
    if at >= params.len {
        return;
    }
    let quads = (params.channels + 3u) / 4u;
    let position = parts(at, quads);
    let place = parts(position.x, params.positions);
    let channel = 4u * position.y;
    let first = (place.x * params.channels + channel) * params.positions + place.y;
    var values = vec4f();
    for (var j = 0u; j < 4u; j++) {
        if channel + j < params.channels {
            values[j] = planes[first + j * params.positions];
        }
    }
    texels[at] = values;
}
