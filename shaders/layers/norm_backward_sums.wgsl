// What the gradient at a norm's input needs of each segment: the means of g and of g · x̂, where g = dy · weight and
// x̂ is the normalised value. One task per segment.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> statistics: array<vec2f>;
@group(0) @binding(3) var<storage, read> affine: array<vec2f>;
@group(0) @binding(4) var<storage, read> dy: array<f32>;
// (segments, 2).
@group(0) @binding(5) var<storage, read_write> means: array<vec2f>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
    let segment = task(group, index);
    let lane = task_lane(index);
    let own = segment_planes(segment);
    if !own.exists {
        return;
    }
    let mean_variance = statistics[segment];
    let inv_std = inverseSqrt(mean_variance.y + EPSILON);
    var sums = vec2f();
    for (var p = 0u; p < own.count; p++) {
        let plane = plane_of(own.first + p * own.step);
        var of_plane = vec2f();
        for (var at = lane; at < params.positions; at += TEAM) {
            let weight_bias = affine[affine_at(plane, at)];
            let hat = (x[plane.start + at] - mean_variance.x) * inv_std;
            let d = rectified_back(hat * weight_bias.x + weight_bias.y, dy[plane.start + at]);
            of_plane += d * weight_bias.x * vec2f(1.0, hat);
        }
        sums += of_plane;
    }
    let both = workgroup_sum(lane, sums);
    if lane == 0u {
        means[segment] = both / f32(own.count * params.positions);
    }
}
