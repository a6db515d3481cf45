// The gradient at the weight and bias of each channel, from the sums of norm_backward_sums. One task per network and
// channel.

@group(0) @binding(1) var<storage, read> sums: array<vec2f>;
// (nets, channels, 2).
@group(0) @binding(2) var<storage, read_write> d_affine: array<vec2f>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
    let row = task(group, index);
    let lane = task_lane(index);
    let place = parts(row, params.channels);
    let first = place.x * params.images_per_net;
    if first >= params.images {
        return;
    }
    var of_lane = vec2f();
    for (var i = lane; i < params.images_per_net; i += TEAM) {
        of_lane += sums[(first + i) * params.channels + place.y];
    }
    let both = workgroup_sum(lane, of_lane);
    if lane == 0u {
        d_affine[row] = both + select(vec2f(), d_affine[row], params.accumulate == 1u);
    }
}
