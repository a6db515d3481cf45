// Takes planes from a buffer, whatever their layout, to where the kernels of CPU adapters read them: dense,
// in a texture, an even number of planes per image: of an odd number, a plane of zeros is added. One invocation per
// four values.

struct Params {
    planes: Planes,
    images: u32,
    pad0: u32,
    pad1: u32,
    pad2: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var<storage, read> planes: array<f32>;
@group(0) @binding(2) var texels: texture_storage_2d<rgba32float, write>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let flat = flat_group(group) * 64u + lane;
    let source = params.planes;
    let plane = source.size * source.size / 4u;
    let padded = (source.channels + 1u) & ~1u;
    let channel = flat / plane % padded;
    let image = flat / plane / padded;
    if image >= params.images {
        return;
    }
    let start = plane_start(source, image, channel);
    let place = flat % plane;
    var values = vec4f();
    for (var j = 0u; j < 4u && channel < source.channels; j++) {
        let at = 4u * place + j;
        values[j] = planes[start + at / source.size * source.pitch + at % source.size];
    }
    textureStore(texels, texel((image * padded + channel) * plane + place), values);
}
