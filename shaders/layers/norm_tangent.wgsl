// How what a norm makes changes along a direction: x̂ and the weights and biases both do. One task a plane.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> x_change: array<f32>;
@group(0) @binding(3) var<storage, read> segments: array<Kept>;
@group(0) @binding(4) var<storage, read> affines: array<Affine>;
@group(0) @binding(5) var<storage, read_write> y_change: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
    let number = task(group, index);
    let lane = task_lane(index);
    if number >= params.images * params.channels {
        return;
    }
    let own = plane_of(number);
    let kept = segments[own.segment];
    for (var at = lane; at < params.positions; at += TEAM) {
        let affine = affines[affine_at(own, at)];
        let hat = normalised(kept, x[own.start + at], x_change[own.start + at]);
        y_change[own.start + at] =
            hat.y * affine.weight + hat.x * affine.weight_change + affine.bias_change;
    }
}
