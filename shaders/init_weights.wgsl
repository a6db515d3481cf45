// Weights of one layer, drawn as PyTorch's default for Conv2d and Linear, U(−1/√fan_in, 1/√fan_in), or NORMAL, as Xavier's:
// of mean 0 and deviation √(2 / (fan_in + fan_out)).
//
// Values 4q … 4q + 3 of network n come from the Philox block with counter (q, layer, number + n, purpose) under the seed as
// key: a word each, or NORMAL, by Box–Muller, words 0 and 1 the first two, words 2 and 3 the others. One invocation makes
// four values.

override NORMAL: bool;

struct Params {
    // Values of one network.
    len: u32,
    // The bound, or the deviation.
    scale: f32,
    layer: u32,
    nets: u32,
}

struct Key {
    seed: vec2u,
    // Of the first network: the iteration, when one network is drawn in each.
    number: u32,
    purpose: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var<storage, read> key: Key;
@group(0) @binding(2) var<storage, read_write> weights: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let flat = flat_group(group) * 64u + lane;
    let quads = (params.len + 3u) / 4u;
    let net = flat / quads;
    let quad = flat % quads;
    if net >= params.nets {
        return;
    }
    let words = philox4x32(key.seed, vec4u(quad, params.layer, key.number + net, key.purpose));
    // 24 bits: every value is exact in f32, and 1 is never reached.
    let bits = vec4f(words >> vec4u(8u));
    var values = bits * 0x1p-23f - 1.0;
    if NORMAL {
        let uniform = bits * 0x1p-24f;
        let length = sqrt(-2.0 * log(1.0 - uniform.xz));
        let angle = 6.28318530718 * uniform.yw;
        let x = length * cos(angle);
        let y = length * sin(angle);
        values = vec4f(x.x, y.x, x.y, y.y);
    }
    values *= params.scale;
    for (var i = 0u; i < 4u; i++) {
        let at = quad * 4u + i;
        if at < params.len {
            weights[net * params.len + at] = values[i];
        }
    }
}
