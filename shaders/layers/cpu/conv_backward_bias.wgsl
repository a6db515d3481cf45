// The gradient at the bias of a convolution: the sum of the one at its output over images and positions. For CPU adapters:
// planes lie in a texture, and their positions are a multiple of four. One invocation per output channel.

@group(0) @binding(1) var dy: texture_storage_2d<rgba32float, read>;
// (nets, outputs).
@group(0) @binding(2) var<storage, read_write> d_bias: array<f32>;

@compute @workgroup_size(16)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let row = flat_group(group) * 16u + lane;
    let place = parts(row, params.outputs);
    let first = place.x * params.images_per_net;
    if first >= params.images {
        return;
    }
    let quads = params.out_size * params.out_size / 4u;
    var sum = vec4f();
    for (var i = 0u; i < params.images_per_net; i++) {
        let start = ((first + i) * params.outputs + place.y) * quads;
        // Each plane is summed by itself: the shorter a sum, the less it is rounded.
        var of_plane = vec4f();
        for (var at = start; at < start + quads; at++) {
            of_plane += textureLoad(dy, texel(at));
        }
        sum += of_plane;
    }
    let total = (sum.x + sum.y) + (sum.z + sum.w);
    d_bias[row] = total + select(0.0, d_bias[row], params.accumulate == 1u);
}
