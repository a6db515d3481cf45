// What the gradient at a norm's input needs of each segment: the means of g and of g · x̂, where g = dy · weight and
// x̂ is the normalised value. For CPU adapters: planes lie in textures, and their positions are a multiple of four. One
// invocation per segment.

@group(0) @binding(1) var x: texture_storage_2d<rgba32float, read>;
@group(0) @binding(2) var<storage, read> statistics: array<vec2f>;
@group(0) @binding(3) var<storage, read> affine: array<vec2f>;
@group(0) @binding(4) var dy: texture_storage_2d<rgba32float, read>;
// (segments, 2).
@group(0) @binding(5) var<storage, read_write> means: array<vec2f>;

@compute @workgroup_size(16)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let segment = flat_group(group) * 16u + lane;
    let own = segment_planes(segment);
    if !own.exists {
        return;
    }
    let mean_variance = statistics[segment];
    let inv_std = inverseSqrt(mean_variance.y + EPSILON);
    var sums = vec2f();
    for (var p = 0u; p < own.count; p++) {
        let plane = plane_of(own.first + p * own.step);
        let end = (plane.start + params.positions) / 4u;
        let weight_bias = affine[plane.affine];
        var g = vec4f();
        var g_hat = vec4f();
        for (var at = plane.start / 4u; at < end; at++) {
            let hat = (textureLoad(x, texel(at)) - mean_variance.x) * inv_std;
            let d = all_rectified_back(hat * weight_bias.x + weight_bias.y, textureLoad(dy, texel(at)));
            g += d;
            g_hat += d * hat;
        }
        let of_plane = vec2f((g.x + g.y) + (g.z + g.w), (g_hat.x + g_hat.y) + (g_hat.z + g_hat.w));
        sums += of_plane * weight_bias.x;
    }
    means[segment] = sums / f32(own.count * params.positions);
}
