// y = (x − mean) / √(variance + 1e-5) · weight + bias, perhaps with a ReLU. One task per plane.

@group(0) @binding(1) var<storage, read> x: array<f32>;
// Mean and variance, (segments, 2).
@group(0) @binding(2) var<storage, read> statistics: array<vec2f>;
// Weight and bias, (nets, channels or values of an image, 2).
@group(0) @binding(3) var<storage, read> affine: array<vec2f>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
    let number = task(group, index);
    let lane = task_lane(index);
    if number >= params.images * params.channels {
        return;
    }
    let own = plane_of(number);
    let mean_variance = statistics[own.segment];
    let inv_std = inverseSqrt(mean_variance.y + EPSILON);
    for (var at = lane; at < params.positions; at += TEAM) {
        let weight_bias = affine[affine_at(own, at)];
        let hat = (x[own.start + at] - mean_variance.x) * inv_std;
        y[own.start + at] = rectified(hat * weight_bias.x + weight_bias.y);
    }
}
