// Takes dense planes from a texture, an even number of each image, to a buffer of any layout: for what the kernels of
// CPU adapters leave to others. One invocation per four values.

struct Params {
    planes: Planes,
    images: u32,
    pad0: u32,
    pad1: u32,
    pad2: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var texels: texture_storage_2d<rgba32float, read>;
@group(0) @binding(2) var<storage, read_write> planes: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let flat = flat_group(group) * 64u + lane;
    let to = params.planes;
    let plane = to.size * to.size / 4u;
    let channel = flat / plane % to.channels;
    let image = flat / plane / to.channels;
    if image >= params.images {
        return;
    }
    let padded = (to.channels + 1u) & ~1u;
    let place = flat % plane;
    let values = textureLoad(texels, texel((image * padded + channel) * plane + place));
    let start = plane_start(to, image, channel);
    for (var j = 0u; j < 4u; j++) {
        let at = 4u * place + j;
        planes[start + at / to.size * to.pitch + at % to.size] = values[j];
    }
}
