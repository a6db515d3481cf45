// The gradient at the bias of conv_forward: the sum of the one at its output over images and positions. One workgroup
// an output channel.

@group(0) @binding(1) var<storage, read> dy: array<f32>;
// (nets, outputs).
@group(0) @binding(2) var<storage, read_write> d_bias: array<f32>;

@compute @workgroup_size(TEAM)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let row = flat_group(group);
    let place = parts(row, params.outputs);
    let first = place.x * params.images_per_net;
    if first >= params.images {
        return;
    }
    let positions = params.out_size * params.out_size;
    // Two sums by turns: each is half as long, and rounded half as much.
    var sum = vec2f();
    for (var i = 0u; i < params.images_per_net; i++) {
        let plane = ((first + i) * params.outputs + place.y) * positions;
        for (var p = lane; p < positions; p += TEAM) {
            sum = vec2f(sum.y, sum.x + dy[plane + p]);
        }
    }
    let halves = workgroup_sum(lane, sum);
    if lane == 0u {
        d_bias[row] = halves.x + halves.y + select(0.0, d_bias[row], params.accumulate == 1u);
    }
}
