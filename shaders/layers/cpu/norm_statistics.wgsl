// The mean and the biased variance of each segment, for CPU adapters: planes lie in a texture, and their positions are a
// multiple of four. One invocation per segment.

@group(0) @binding(1) var x: texture_storage_2d<rgba32float, read>;
// Mean and variance, (segments, 2).
@group(0) @binding(2) var<storage, read_write> statistics: array<vec2f>;

// The sum over a segment of how far values are from the origin, or of the squares of that.
fn sum_from(own: Segment, origin: f32, squared: bool) -> f32 {
    let quads = params.positions / 4u;
    var sum = vec4f();
    for (var p = 0u; p < own.count; p++) {
        let start = (own.first + p * own.step) * quads;
        // Each plane is summed by itself: the shorter a sum, the less it is rounded.
        var of_plane = vec4f();
        for (var at = start; at < start + quads; at++) {
            let d = textureLoad(x, texel(at)) - origin;
            of_plane += select(d, d * d, squared);
        }
        sum += of_plane;
    }
    return (sum.x + sum.y) + (sum.z + sum.w);
}

@compute @workgroup_size(16)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let segment = flat_group(group) * 16u + lane;
    let own = segment_planes(segment);
    if !own.exists {
        return;
    }
    let count = f32(own.count * params.positions);
    let mean = sum_from(own, 0.0, false) / count;
    let variance = sum_from(own, mean, true) / count;
    statistics[segment] = vec2f(mean, variance);
}
