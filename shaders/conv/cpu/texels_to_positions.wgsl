// Takes dense planes (images, channels, size, size) from a texture to where product.wgsl reads them: the channels of a
// position beside one another, four to a texel. Channels beyond the last are zero. The positions of a plane are a multiple
// of four. One invocation per four channels of an image.

struct Params {
    channels: u32,
    // Positions of a plane.
    positions: u32,
    // Texels in all.
    len: u32,
    pad: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var planes: texture_storage_2d<rgba32float, read>;
@group(0) @binding(2) var<storage, read_write> texels: array<vec4f>;

@compute @workgroup_size(16)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let quads = (params.channels + 3u) / 4u;
    let task = flat_group(group) * 16u + lane;
    if task * params.positions >= params.len {
        return;
    }
    let place = parts(task, quads);
    let channel = 4u * place.y;
    let row = params.positions / 4u;
    let start = (place.x * params.channels + channel) * row;
    // Planes beyond the last are read as the last, and count as zero.
    let beyond = min(vec3u(1u, 2u, 3u), vec3u(params.channels - 1u - channel)) * row;
    let exists = vec4u(channel) + vec4u(0u, 1u, 2u, 3u) < vec4u(params.channels);
    var to = place.x * params.positions * quads + place.y;
    for (var at = start; at < start + row; at++) {
        let a = textureLoad(planes, texel(at));
        let b = textureLoad(planes, texel(at + beyond.x));
        let c = textureLoad(planes, texel(at + beyond.y));
        let d = textureLoad(planes, texel(at + beyond.z));
        texels[to] = select(vec4f(), vec4f(a.x, b.x, c.x, d.x), exists);
        texels[to + quads] = select(vec4f(), vec4f(a.y, b.y, c.y, d.y), exists);
        texels[to + 2u * quads] = select(vec4f(), vec4f(a.z, b.z, c.z, d.z), exists);
        texels[to + 3u * quads] = select(vec4f(), vec4f(a.w, b.w, c.w, d.w), exists);
        to += 4u * quads;
    }
}
