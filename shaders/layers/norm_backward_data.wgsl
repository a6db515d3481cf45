// The gradient at a norm's input, from the one at its output: (g − mean of g − x̂ · mean of g · x̂) / √(variance + 1e-5),
// where g = dy · weight and x̂ is the normalised value. With FROZEN statistics, which do not depend on the input, the means
// are left out. One task per plane.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> statistics: array<vec2f>;
@group(0) @binding(3) var<storage, read> affine: array<vec2f>;
@group(0) @binding(4) var<storage, read> dy: array<f32>;
// The means that norm_backward_means computes, or if segments are planes the sums from which it would; with FROZEN any
// other buffer, which is not read.
@group(0) @binding(5) var<storage, read> means: array<vec2f>;
@group(0) @binding(6) var<storage, read_write> dx: array<f32>;

override FROZEN: bool;

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
    var mean = vec2f();
    if !FROZEN {
        mean = means[own.segment];
        if params.planes == 1u {
            mean = means_of_plane(mean, affine[own.affine].x);
        }
    }
    for (var at = lane; at < params.positions; at += TEAM) {
        let weight_bias = affine[affine_at(own, at)];
        let hat = (x[own.start + at] - mean_variance.x) * inv_std;
        let d = rectified_back(hat * weight_bias.x + weight_bias.y, dy[own.start + at]);
        let g = d * weight_bias.x;
        dx[own.start + at] = (g - mean.x - hat * mean.y) * inv_std;
    }
}
