// What norm_tangent_backward_data needs of each segment: the means of g and of g · x̂, g = dy · weight, and how they
// change along the direction. One task a segment.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> x_change: array<f32>;
@group(0) @binding(3) var<storage, read> affines: array<Affine>;
@group(0) @binding(4) var<storage, read> dy: array<f32>;
@group(0) @binding(5) var<storage, read> dy_change: array<f32>;
@group(0) @binding(6) var<storage, read_write> segments: array<Kept>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
    let segment = task(group, index);
    let lane = task_lane(index);
    let own = segment_planes(segment);
    if !own.exists {
        return;
    }
    let kept = segments[segment];
    var sums = vec2f();
    var changes = vec2f();
    for (var p = 0u; p < own.count; p++) {
        let plane = plane_of(own.first + p * own.step);
        var of_plane = vec2f();
        var change_of_plane = vec2f();
        for (var at = lane; at < params.positions; at += TEAM) {
            let i = plane.start + at;
            let hat = normalised(kept, x[i], x_change[i]);
            let g = scaled(affines[affine_at(plane, at)], dy[i], dy_change[i]);
            of_plane += vec2f(g.x, g.x * hat.x);
            change_of_plane += vec2f(g.y, g.y * hat.x + g.x * hat.y);
        }
        sums += of_plane;
        changes += change_of_plane;
    }
    let count = f32(own.count * params.positions);
    let both = workgroup_sum(lane, sums) / count;
    let both_change = workgroup_sum(lane, changes) / count;
    if lane == 0u {
        segments[segment].gradient = both;
        segments[segment].gradient_change = both_change;
    }
}
