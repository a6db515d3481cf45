// Adds the bias of each output channel. One task per plane.

struct Params {
    channels: u32,
    positions: u32,
    images: u32,
    // Images of the same network follow each other.
    images_per_net: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;
// (nets, channels).
@group(0) @binding(1) var<storage, read> bias: array<f32>;
// (images, channels, positions).
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
    let plane = task(group, index);
    let lane = task_lane(index);
    let place = parts(plane, params.channels);
    if place.x >= params.images {
        return;
    }
    let own = bias[quotient(place.x, params.images_per_net) * params.channels + place.y];
    for (var at = lane; at < params.positions; at += TEAM) {
        y[plane * params.positions + at] += own;
    }
}
