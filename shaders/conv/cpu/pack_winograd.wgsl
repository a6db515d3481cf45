// Rearranges convolution weights for the kernels of CPU adapters, transformed for Winograd's F(4, 3) along
// rows: [net][output / LANES][input / per_turn][texel][output % LANES]. The texels of a lane hold, input
// channel after input channel of a turn, the six values of each of the three rows of taps. Channels beyond the last are
// zero.
//
// With TRANSPOSED they are those of the gradient at the input: the kernel turned by half a turn, its two
// channel axes exchanged. `outputs` and `inputs` are those of the result.

struct Params {
    outputs: u32,
    inputs: u32,
    lanes: u32,
    per_turn: u32,
    // Of a lane in a turn.
    texels: u32,
    // Of everything.
    len: u32,
    pad0: u32,
    pad1: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;
// (nets, outputs, inputs, 3, 3) of the forward convolution.
@group(0) @binding(1) var<storage, read> weights: array<f32>;
@group(0) @binding(2) var packed: texture_storage_2d<rgba32float, write>;

override TRANSPOSED: bool;

// Product i of three taps.
fn transformed(a: f32, b: f32, c: f32, i: u32) -> f32 {
    switch i {
        case 0u: { return 0.25 * a; }
        case 1u: { return -((a + c) + b) / 6.0; }
        case 2u: { return -((a + c) - b) / 6.0; }
        case 3u: { return (a + 4.0 * c) / 24.0 + b / 12.0; }
        case 4u: { return (a + 4.0 * c) / 24.0 - b / 12.0; }
        default: { return c; }
    }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
    let at = flat_group(group) * 64u + index;
    if at >= params.len {
        return;
    }
    let blocks = (params.outputs + params.lanes - 1u) / params.lanes;
    let turns = (params.inputs + params.per_turn - 1u) / params.per_turn;
    let turn = at / params.lanes / params.texels;
    let net = turn / turns / blocks;
    let k = turn / turns % blocks * params.lanes + at % params.lanes;
    var values = vec4f();
    for (var j = 0u; j < 4u; j++) {
        let value = at / params.lanes % params.texels * 4u + j;
        let c = turn % turns * params.per_turn + value / 18u;
        if value / 18u < params.per_turn && c < params.inputs && k < params.outputs {
            let row = value % 18u / 6u;
            let plain = (k * params.inputs + c) * 9u + 3u * row;
            let turned = (c * params.outputs + k) * 9u + 8u - 3u * row;
            let first = net * params.outputs * params.inputs * 9u + select(plain, turned, TRANSPOSED);
            let step = select(1u, 0xffffffffu, TRANSPOSED);
            let taps = vec3f(weights[first], weights[first + step], weights[first + 2u * step]);
            values[j] = transformed(taps.x, taps.y, taps.z, value % 6u);
        }
    }
    textureStore(packed, texel(at), values);
}
