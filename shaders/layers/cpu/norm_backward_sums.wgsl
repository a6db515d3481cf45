// What the gradients at a norm's input, weight and bias need of each plane: the sums of d · x̂ and of d, where d is the
// gradient at the output and x̂ the normalised value. For CPU adapters: planes lie in textures, and their positions are a
// multiple of four. One invocation per plane.

@group(0) @binding(1) var x: texture_storage_2d<rgba32float, read>;
@group(0) @binding(2) var<storage, read> statistics: array<vec2f>;
@group(0) @binding(3) var<storage, read> affine: array<vec2f>;
@group(0) @binding(4) var dy: texture_storage_2d<rgba32float, read>;
// (images, channels, 2).
@group(0) @binding(5) var<storage, read_write> sums: array<vec2f>;

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
    var d = vec4f();
    var d_hat = vec4f();
    for (var at = own.start / 4u; at < end; at++) {
        let hat = (textureLoad(x, texel(at)) - mean_variance.x) * inv_std;
        let own_d = all_rectified_back(hat * weight_bias.x + weight_bias.y, textureLoad(dy, texel(at)));
        d += own_d;
        d_hat += own_d * hat;
    }
    sums[number] = vec2f((d_hat.x + d_hat.y) + (d_hat.z + d_hat.w), (d.x + d.y) + (d.z + d.w));
}
