// What a norm's way along a direction needs of each segment: mean and 1/std, and how the former two change with x. With
// FROZEN statistics, which do not depend on x, they do not change. One task a segment.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> x_change: array<f32>;
@group(0) @binding(3) var<storage, read> statistics: array<vec2f>;
@group(0) @binding(4) var<storage, read_write> segments: array<Kept>;

override FROZEN: bool;

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
    var both = vec2f();
    if !FROZEN {
        var sums = vec2f();
        for (var p = 0u; p < own.count; p++) {
            let start = plane_of(own.first + p * own.step).start;
            var of_plane = vec2f();
            for (var at = lane; at < params.positions; at += TEAM) {
                let change = x_change[start + at];
                of_plane += vec2f(change, change * (x[start + at] - mean_variance.x) * inv_std);
            }
            sums += of_plane;
        }
        both = workgroup_sum(lane, sums) / f32(own.count * params.positions);
    }
    if lane == 0u {
        segments[segment] = Kept(mean_variance.x, inv_std, both, vec2f(), vec2f());
    }
}
