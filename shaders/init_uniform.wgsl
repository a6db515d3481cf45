// Weights of one layer, drawn as PyTorch's default for Conv2d and Linear: U(−1/√fan_in, 1/√fan_in).
//
// Value i of network n is word i mod 4 of the Philox block with counter
// (i / 4, layer, number + n, purpose) under the seed as key. One invocation makes four values.

struct Params {
    // Values of one network.
    len: u32,
    bound: f32,
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
    let values = (vec4f(words >> vec4u(8u)) * 0x1p-23f - 1.0) * params.bound;
    for (var i = 0u; i < 4u; i++) {
        let at = quad * 4u + i;
        if at < params.len {
            weights[net * params.len + at] = values[i];
        }
    }
}
