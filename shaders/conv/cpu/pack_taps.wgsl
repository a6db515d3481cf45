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
@group(0) @binding(2) var packed: texture_storage_2d<rgba32float, write>;

override TRANSPOSED: bool;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let at = flat_group(group) * 64u + lane;
    if at >= params.len {
        return;
    }
    let row = parts(at, params.padded);
    let tap = parts(row.x, (params.inputs + 3u) / 4u);
    let net = parts(tap.x, params.taps);
    let output = row.y;
    let input = 4u * tap.y;
    var values = vec4f();
    for (var j = 0u; j < 4u; j++) {
        if input + j < params.inputs && output < params.outputs {
            let plain = (net.x * params.outputs + output) * params.inputs + input + j;
            let turned = (net.x * params.inputs + input + j) * params.outputs + output;
            values[j] = weights[select(plain, turned, TRANSPOSED) * params.taps + net.y];
        }
    }
    textureStore(packed, texel(at), values);
}
