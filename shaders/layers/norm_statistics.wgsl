// The mean and the biased variance of each segment. One task per segment.

@group(0) @binding(1) var<storage, read> x: array<f32>;
// Mean and variance, (segments, 2).
@group(0) @binding(2) var<storage, read_write> statistics: array<vec2f>;

// The sum over a segment of how far values are from the origin, or of the squares of that.
fn sum_from(lane: u32, own: Segment, origin: f32, squared: bool) -> f32 {
    var sum = vec2f();
    for (var p = 0u; p < own.count; p++) {
        let start = (own.first + p * own.step) * params.positions;
        // Two sums by turns, and each plane summed by itself: the shorter a sum, the less it is rounded.
        var of_plane = vec2f();
        for (var at = lane; at < params.positions; at += TEAM) {
            let d = x[start + at] - origin;
            of_plane = vec2f(of_plane.y, of_plane.x + select(d, d * d, squared));
        }
        sum += of_plane;
    }
    let halves = workgroup_sum(lane, sum);
    return halves.x + halves.y;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
    let segment = task(group, index);
    let lane = task_lane(index);
    let own = segment_planes(segment);
    if !own.exists {
        return;
    }
    let count = f32(own.count * params.positions);
    let mean = sum_from(lane, own, 0.0, false) / count;
    let variance = sum_from(lane, own, mean, true) / count;
    if lane == 0u {
        statistics[segment] = vec2f(mean, variance);
    }
}
