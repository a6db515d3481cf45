// How the gradient at a norm's weight and bias changes along a direction: norm_backward_affine, derived. One task a
// channel, with PER_VALUE of its values one after the other.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> x_change: array<f32>;
@group(0) @binding(3) var<storage, read> segments: array<Kept>;
@group(0) @binding(4) var<storage, read> dy: array<f32>;
@group(0) @binding(5) var<storage, read> dy_change: array<f32>;
// (nets, channels or values of an image, 2).
@group(0) @binding(6) var<storage, read_write> d_affine_change: array<vec2f>;

// What value `at` of a plane adds.
fn term(own: Plane, kept: Kept, at: u32) -> vec2f {
    let i = own.start + at;
    let hat = normalised(kept, x[i], x_change[i]);
    return vec2f(dy_change[i] * hat.x + dy[i] * hat.y, dy_change[i]);
}

fn add(affine: u32, sums: vec2f) {
    let before = select(vec2f(), d_affine_change[affine], params.accumulate == 1u);
    d_affine_change[affine] = sums + before;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
    let place = parts(task(group, index), params.channels);
    let lane = task_lane(index);
    let first = place.x * params.images_per_net;
    if first >= params.images {
        return;
    }
    if PER_VALUE {
        for (var at = lane; at < params.positions; at += TEAM) {
            var sums = vec2f();
            for (var i = 0u; i < params.images_per_net; i++) {
                let own = plane(place.x, first + i, place.y);
                sums += term(own, segments[own.segment], at);
            }
            add(plane(place.x, first, place.y).affine + at, sums);
        }
        return;
    }
    var sums = vec2f();
    for (var i = 0u; i < params.images_per_net; i++) {
        let own = plane(place.x, first + i, place.y);
        let kept = segments[own.segment];
        var of_plane = vec2f();
        for (var at = lane; at < params.positions; at += TEAM) {
            of_plane += term(own, kept, at);
        }
        sums += of_plane;
    }
    let both = workgroup_sum(lane, sums);
    if lane == 0u {
        add(plane(place.x, first, place.y).affine, both);
    }
}
