// The gradient at the bias of conv_forward: the sum of the one at its output over images and positions. One task per
// output channel.

@group(0) @binding(1) var<storage, read> dy: array<f32>;
// (nets, outputs).
@group(0) @binding(2) var<storage, read_write> d_bias: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
    let row = task(group, index);
    let lane = task_lane(index);
    let place = parts(row, params.outputs);
    let first = place.x * params.images_per_net;
    if first >= params.images {
        return;
    }
    let positions = params.out_size * params.out_size;
    var sum = vec2f();
    for (var i = 0u; i < params.images_per_net; i++) {
        let plane = ((first + i) * params.outputs + place.y) * positions;
        // Two sums by turns, and each plane summed by itself: the shorter a sum, the less it is rounded.
        var of_plane = vec2f();
        for (var p = lane; p < positions; p += TEAM) {
            of_plane = vec2f(of_plane.y, of_plane.x + dy[plane + p]);
        }
        sum += of_plane;
    }
    let halves = workgroup_sum(lane, sum);
    if lane == 0u {
        d_bias[row] = halves.x + halves.y + select(0.0, d_bias[row], params.accumulate == 1u);
    }
}
