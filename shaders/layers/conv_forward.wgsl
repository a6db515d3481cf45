// A convolution of any square kernel, stride and zero padding, forward: y = w ⋆ x (cross-correlation) + bias.
// One invocation per position of four channels.

@group(0) @binding(1) var<storage, read> x: array<f32>;
// (nets, outputs, inputs, kernel, kernel).
@group(0) @binding(2) var<storage, read> weights: array<f32>;
// (nets, outputs); without BIAS any other buffer, which is not read.
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

override BIAS: bool;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let positions = params.out_size * params.out_size;
    let at = tile(flat_group(group), lane, params.outputs, positions);
    if at.image >= params.images {
        return;
    }
    // What is left of or above the plane wraps around, and so is beyond its size.
    let corner = parts(at.position, params.out_size) * params.stride - params.padding;
    let top = corner.x;
    let left = corner.y;
    let taps = params.kernel * params.kernel;
    let rows = at.net * params.outputs + four(at.channel, params.outputs);
    var w = rows * params.inputs * taps;
    var sums = vec4f();
    for (var input = 0u; input < params.inputs; input++) {
        let plane = (at.image * params.inputs + input) * params.size * params.size;
        var own = vec4f();
        for (var ky = 0u; ky < params.kernel; ky++) {
            for (var kx = 0u; kx < params.kernel; kx++) {
                if top + ky < params.size && left + kx < params.size {
                    let v = x[plane + (top + ky) * params.size + left + kx];
                    own += vec4f(weights[w.x], weights[w.y], weights[w.z], weights[w.w]) * v;
                }
                w += 1u;
            }
        }
        sums += own;
    }
    if BIAS {
        sums += vec4f(bias[rows.x], bias[rows.y], bias[rows.z], bias[rows.w]);
    }
    let result = (at.image * params.outputs + at.channel) * positions + at.position;
    for (var o = 0u; o < min(4u, params.outputs - at.channel); o++) {
        y[result + o * positions] = sums[o];
    }
}
