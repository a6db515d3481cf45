// What the gradients at a norm's input, weight and bias need of each plane: the sums of d · x̂ and of d, where d is the
// gradient at the output and x̂ the normalised value; with PER_VALUE, of d · weight instead. One task per plane.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> statistics: array<vec2f>;
@group(0) @binding(3) var<storage, read> affine: array<vec2f>;
@group(0) @binding(4) var<storage, read> dy: array<f32>;
// (images, channels, 2).
@group(0) @binding(5) var<storage, read_write> sums: array<vec2f>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
    let number = task(group, index);
    if number >= params.images * params.channels {
        return;
    }
    let lane = task_lane(index);
    let own = plane_of(number);
    let mean_variance = statistics[own.segment];
    let inv_std = inverseSqrt(mean_variance.y + EPSILON);
    var of_lane = vec2f();
    for (var at = lane; at < params.positions; at += TEAM) {
        let weight_bias = affine[affine_at(own, at)];
        let hat = (x[own.start + at] - mean_variance.x) * inv_std;
        let d = rectified_back(hat * weight_bias.x + weight_bias.y, dy[own.start + at]);
        of_lane += d * select(1.0, weight_bias.x, PER_VALUE) * vec2f(hat, 1.0);
    }
    let both = workgroup_sum(lane, of_lane);
    if lane == 0u {
        sums[number] = both;
    }
}
