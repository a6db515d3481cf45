// The gradient at a norm's weight and bias: the sums of dy · x̂ and of dy over a channel's values, where x̂ is the
// normalised value. For CPU adapters: planes lie in textures, and their positions are a multiple of four. One invocation
// per channel.

@group(0) @binding(1) var x: texture_storage_2d<rgba32float, read>;
@group(0) @binding(2) var<storage, read> statistics: array<vec2f>;
// Weight and bias, (nets, channels, 2), and the gradient at them.
@group(0) @binding(3) var<storage, read> affine: array<vec2f>;
@group(0) @binding(4) var dy: texture_storage_2d<rgba32float, read>;
@group(0) @binding(5) var<storage, read_write> d_affine: array<vec2f>;

@compute @workgroup_size(16)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let row = flat_group(group) * 16u + lane;
    let place = parts(row, params.channels);
    let first = place.x * params.images_per_net;
    if first >= params.images {
        return;
    }
    let weight_bias = affine[row];
    var sums = vec2f();
    for (var i = 0u; i < params.images_per_net; i++) {
        let own = plane(place.x, first + i, place.y);
        let mean_variance = statistics[own.segment];
        let inv_std = inverseSqrt(mean_variance.y + EPSILON);
        let end = (own.start + params.positions) / 4u;
        var d = vec4f();
        var d_hat = vec4f();
        for (var at = own.start / 4u; at < end; at++) {
            let hat = (textureLoad(x, texel(at)) - mean_variance.x) * inv_std;
            let own_d = all_rectified_back(hat * weight_bias.x + weight_bias.y, textureLoad(dy, texel(at)));
            d += own_d;
            d_hat += own_d * hat;
        }
        sums += vec2f((d_hat.x + d_hat.y) + (d_hat.z + d_hat.w), (d.x + d.y) + (d.z + d.w));
    }
    d_affine[row] = sums + select(vec2f(), d_affine[row], params.accumulate == 1u);
}
