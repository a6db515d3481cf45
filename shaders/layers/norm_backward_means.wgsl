// What the gradient at a norm's input needs of each segment: the means of g and of g · x̂, where g = d · weight, from
// the sums of norm_backward_sums; for segments of several planes. One task per segment.

@group(0) @binding(1) var<storage, read> sums: array<vec2f>;
@group(0) @binding(2) var<storage, read> affine: array<vec2f>;
// (segments, 2).
@group(0) @binding(3) var<storage, read_write> means: array<vec2f>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
    let segment = task(group, index);
    let lane = task_lane(index);
    let own = segment_planes(segment);
    if !own.exists {
        return;
    }
    var of_lane = vec2f();
    for (var p = lane; p < own.count; p += TEAM) {
        let number = own.first + p * own.step;
        of_lane += sums[number] * select(affine[plane_of(number).affine].x, 1.0, PER_VALUE);
    }
    let both = workgroup_sum(lane, of_lane);
    if lane == 0u {
        means[segment] = both.yx / f32(own.count * params.positions);
    }
}
