// How the gradient at a norm's input changes along a direction: norm_backward_data, derived. One task a plane.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> x_change: array<f32>;
@group(0) @binding(3) var<storage, read> segments: array<Kept>;
@group(0) @binding(4) var<storage, read> affines: array<Affine>;
@group(0) @binding(5) var<storage, read> dy: array<f32>;
@group(0) @binding(6) var<storage, read> dy_change: array<f32>;
@group(0) @binding(7) var<storage, read_write> dx_change: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
    let number = task(group, index);
    let lane = task_lane(index);
    if number >= params.images * params.channels {
        return;
    }
    let own = plane_of(number);
    let kept = segments[own.segment];
    let mean = kept.gradient;
    let mean_change = kept.gradient_change;
    for (var at = lane; at < params.positions; at += TEAM) {
        let i = own.start + at;
        let hat = normalised(kept, x[i], x_change[i]);
        let g = scaled(affines[affine_at(own, at)], dy[i], dy_change[i]);
        let dx = (g.x - mean.x - hat.x * mean.y) * kept.inv_std;
        let change = g.y - mean_change.x - hat.y * mean.y - hat.x * mean_change.y;
        // 1/std changes by −(1/std)² times the mean of x̂ · the change of x.
        dx_change[i] = (change - dx * kept.change.y) * kept.inv_std;
    }
}
