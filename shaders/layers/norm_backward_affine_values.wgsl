// The gradient at a norm's weights and biases if each value of an image has its own: the sums of d · x̂ and of d over
// images, where d is the gradient at the output and x̂ the normalised value. One invocation per network and value.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> statistics: array<vec2f>;
// Weight and bias, (nets, channels, positions, 2), and the gradient at them.
@group(0) @binding(3) var<storage, read> affine: array<vec2f>;
@group(0) @binding(4) var<storage, read> dy: array<f32>;
@group(0) @binding(5) var<storage, read_write> d_affine: array<vec2f>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let number = flat_group(group) * 64u + lane;
    let place = parts(number, params.positions);
    let row = parts(place.x, params.channels);
    let first = row.x * params.images_per_net;
    if first >= params.images {
        return;
    }
    let weight_bias = affine[number];
    var sums = vec2f();
    for (var i = 0u; i < params.images_per_net; i++) {
        let own = plane(row.x, first + i, row.y);
        let at = own.start + place.y;
        let mean_variance = statistics[own.segment];
        let hat = (x[at] - mean_variance.x) * inverseSqrt(mean_variance.y + EPSILON);
        let d = rectified_back(hat * weight_bias.x + weight_bias.y, dy[at]);
        sums += vec2f(d * hat, d);
    }
    d_affine[number] = sums + select(vec2f(), d_affine[number], params.accumulate == 1u);
}
