// A batch norm's running mean and variance after a batch: 0.9 of what they were plus 0.1 of the batch's mean and
// unbiased variance, or without `accumulate` the batch's alone. One invocation per channel.

// Mean and biased variance, (nets, channels, 2).
@group(0) @binding(1) var<storage, read> statistics: array<vec2f>;
@group(0) @binding(2) var<storage, read_write> running: array<vec2f>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let segment = flat_group(group) * 64u + lane;
    if !segment_planes(segment).exists {
        return;
    }
    let count = f32(params.images_per_net * params.positions);
    let own = statistics[segment];
    let batch = vec2f(own.x, own.y * (count / (count - 1.0)));
    running[segment] = select(batch, 0.9 * running[segment] + 0.1 * batch, params.accumulate != 0u);
}
