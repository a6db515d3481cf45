// y = (x − mean) / √(variance + 1e-5) · weight + bias, perhaps with a ReLU, for CPU adapters: planes lie in textures, and
// their positions are a multiple of four. One invocation per plane.

@group(0) @binding(1) var x: texture_storage_2d<rgba32float, read>;
// Mean and variance, (segments, 2).
@group(0) @binding(2) var<storage, read> statistics: array<vec2f>;
// Weight and bias, (nets, channels, 2).
@group(0) @binding(3) var<storage, read> affine: array<vec2f>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4f>;

@compute @workgroup_size(16)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let number = flat_group(group) * 16u + lane;
    if number >= params.images * params.channels {
        return;
    }
    let own = plane_of(number);
    let mean_variance = statistics[own.segment];
    let inv_std = inverseSqrt(mean_variance.y + EPSILON);
    let weight_bias = affine[own.affine];
    let end = (own.start + params.positions) / 4u;
    for (var at = own.start / 4u; at < end; at++) {
        let hat = (textureLoad(x, texel(at)) - mean_variance.x) * inv_std;
        y[at] = all_rectified(hat * weight_bias.x + weight_bias.y);
    }
}
