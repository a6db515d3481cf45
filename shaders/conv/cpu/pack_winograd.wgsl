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
@group(0) @binding(2) var<storage, read_write> packed: array<vec4f>;

override TRANSPOSED: bool;

// The products of a row's three taps.
struct Six {
    four: vec4f,
    two: vec2f,
}

fn transformed(taps: vec3f) -> Six {
    let a = taps.x;
    let b = taps.y;
    let c = taps.z;
    return Six(
        vec4f(0.25 * a, -((a + c) + b) / 6.0, -((a + c) - b) / 6.0, (a + 4.0 * c) / 24.0 + b / 12.0),
        vec2f((a + 4.0 * c) / 24.0 - b / 12.0, c),
    );
}

// Row `row` of a network's kernel from input c to output k.
fn products(net: u32, k: u32, c: u32, row: u32) -> Six {
    let inside = k < params.outputs && c < params.inputs;
    let plain = (k * params.inputs + c) * 9u + 3u * row;
    let turned = (c * params.outputs + k) * 9u + 8u - 3u * row;
    let at = net * params.outputs * params.inputs * 9u + select(plain, turned, TRANSPOSED);
    let first = select(2u, at, inside);
    let step = select(1u, 0xffffffffu, TRANSPOSED);
    let taps = vec3f(weights[first], weights[first + step], weights[first + 2u * step]);
    return transformed(select(vec3f(), taps, inside));
}

// An invocation packs what a lane reads in a turn.
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) index: u32) {
    let flat = flat_group(group) * 64u + index;
    if flat * params.texels >= params.len {
        return;
    }
    let blocks = quotient(params.outputs + params.lanes - 1u, params.lanes);
    let turns = quotient(params.inputs + params.per_turn - 1u, params.per_turn);
    let turn = parts(flat, params.lanes);
    let block = parts(turn.x, turns);
    let net = parts(block.x, blocks);
    let k = net.y * params.lanes + turn.y;
    let first_c = block.y * params.per_turn;
    var at = turn.x * params.texels * params.lanes + turn.y;
    let step = params.lanes;
    // Two channels fill nine texels, and one fills five, the last by half.
    for (var i = 0u; i < params.per_turn; i += 2u) {
        let c = first_c + i;
        let a0 = products(net.x, k, c, 0u);
        let a1 = products(net.x, k, c, 1u);
        let a2 = products(net.x, k, c, 2u);
        packed[at] = a0.four;
        packed[at + step] = vec4f(a0.two, a1.four.xy);
        packed[at + 2u * step] = vec4f(a1.four.zw, a1.two);
        packed[at + 3u * step] = a2.four;
        let alone = i + 1u == params.per_turn;
        let next = select(c + 1u, params.inputs, alone);
        let b0 = products(net.x, k, next, 0u);
        packed[at + 4u * step] = vec4f(a2.two, b0.four.xy);
        if alone {
            return;
        }
        let b1 = products(net.x, k, next, 1u);
        let b2 = products(net.x, k, next, 2u);
        packed[at + 5u * step] = vec4f(b0.four.zw, b0.two);
        packed[at + 6u * step] = b1.four;
        packed[at + 7u * step] = vec4f(b1.two, b2.four.xy);
        packed[at + 8u * step] = vec4f(b2.four.zw, b2.two);
        at += 9u * step;
    }
}
