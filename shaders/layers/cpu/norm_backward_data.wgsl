// The gradient at a norm's input, from the one at its output: (g − mean of g − x̂ · mean of g · x̂) / √(variance + 1e-5),
// where g = dy · weight and x̂ is the normalised value. With FROZEN statistics, which do not depend on the input, the means
// are left out. For CPU adapters: planes lie in textures, and their positions are a multiple of four. One invocation per
// plane.

@group(0) @binding(1) var x: texture_storage_2d<rgba32float, read>;
@group(0) @binding(2) var<storage, read> statistics: array<vec2f>;
@group(0) @binding(3) var<storage, read> affine: array<vec2f>;
@group(0) @binding(4) var dy: texture_storage_2d<rgba32float, read>;
// The means that norm_backward_means computes, or if segments are planes the sums from which it would; with FROZEN any
// other buffer, which is not read.
@group(0) @binding(5) var<storage, read> means: array<vec2f>;
@group(0) @binding(6) var<storage, read_write> dx: array<vec4f>;

override FROZEN: bool;

@compute @workgroup_size(16)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let number = flat_group(group) * 16u + lane;
    if number >= params.images * params.channels {
        return;
    }
    let own = plane_of(number);
    let mean_variance = statistics[own.segment];
    let inv_std = inverseSqrt(mean_variance.y + EPSILON);
    let weight_bias = affine[own.affine];
    var mean = vec2f();
    if !FROZEN {
        mean = means[own.segment];
        if params.planes == 1u {
            mean = means_of_plane(mean, affine[own.affine].x);
        }
    }
    let end = (own.start + params.positions) / 4u;
    for (var at = own.start / 4u; at < end; at++) {
        let hat = (textureLoad(x, texel(at)) - mean_variance.x) * inv_std;
        let d = all_rectified_back(hat * weight_bias.x + weight_bias.y, textureLoad(dy, texel(at)));
        let g = d * weight_bias.x;
        dx[at] = (g - mean.x - hat * mean.y) * inv_std;
    }
}
