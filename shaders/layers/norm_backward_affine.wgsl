// The gradient at a norm's weight and bias: the sums of dy · x̂ and of dy over the values that share them, where x̂ is
// the normalised value. One task per channel; with PER_VALUE, it goes through the channel's values one by one.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> statistics: array<vec2f>;
// Weight and bias, (nets, channels or values of an image, 2), and the gradient at them.
@group(0) @binding(3) var<storage, read> affine: array<vec2f>;
@group(0) @binding(4) var<storage, read> dy: array<f32>;
@group(0) @binding(5) var<storage, read_write> d_affine: array<vec2f>;

// What value `at` of a plane adds.
fn term(own: Plane, mean_variance: vec2f, at: u32) -> vec2f {
    let weight_bias = affine[affine_at(own, at)];
    let hat = (x[own.start + at] - mean_variance.x) * inverseSqrt(mean_variance.y + EPSILON);
    let d = rectified_back(hat * weight_bias.x + weight_bias.y, dy[own.start + at]);
    return vec2f(d * hat, d);
}

fn add(to: u32, sums: vec2f) {
    d_affine[to] = sums + select(vec2f(), d_affine[to], params.accumulate == 1u);
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
                sums += term(own, statistics[own.segment], at);
            }
            add(plane(place.x, first, place.y).affine + at, sums);
        }
        return;
    }
    var sums = vec2f();
    for (var i = 0u; i < params.images_per_net; i++) {
        let own = plane(place.x, first + i, place.y);
        let mean_variance = statistics[own.segment];
        var of_plane = vec2f();
        for (var at = lane; at < params.positions; at += TEAM) {
            of_plane += term(own, mean_variance, at);
        }
        sums += of_plane;
    }
    let both = workgroup_sum(lane, sums);
    if lane == 0u {
        add(plane(place.x, first, place.y).affine, both);
    }
}
