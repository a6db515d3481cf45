// Rearranges the weights of any convolution or linear layer for product.wgsl: [net][tap][input / 4][output], a
// texel for four inputs. Channels beyond the last are zero.
//
// With TRANSPOSED they are those of the gradient at the input: the two channel axes are exchanged, `outputs` and
// `inputs` are those of the result.

struct Params {
    outputs: u32,
    inputs: u32,
    taps: u32,
    // Outputs with those that are zero.
    padded: u32,
    // Texels in all.
    len: u32,
    pad0: u32,
    pad1: u32,
    pad2: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;
// (nets, outputs, inputs, taps) of the layer forward.
@group(0) @binding(1) var<storage, read> weights: array<f32>;
@group(0) @binding(2) var<storage, read_write> packed: array<vec4f>;

override TRANSPOSED: bool;

// One weight of a tap, or the zero of a channel that there is not.
fn weight(net: u32, tap: u32, output: u32, input: u32) -> f32 {
    let inside = input < params.inputs && output < params.outputs;
    let plain = (net * params.outputs + output) * params.inputs + input;
    let turned = (net * params.inputs + input) * params.outputs + output;
    let at = select(plain, turned, TRANSPOSED) * params.taps + tap;
    return select(0.0, weights[select(0u, at, inside)], inside);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let at = flat_group(group) * 64u + lane;
    if at >= params.len {
        return;
    }
    let row = parts(at, params.padded);
    let quad = parts(row.x, (params.inputs + 3u) / 4u);
    let net = parts(quad.x, params.taps);
    let input = 4u * quad.y;
    let values = vec4f(
        weight(net.x, net.y, row.y, input),
        weight(net.x, net.y, row.y, input + 1u),
        weight(net.x, net.y, row.y, input + 2u),
        weight(net.x, net.y, row.y, input + 3u),
    );
    packed[at] = values;
}
