// Weights of one layer, drawn from a normal distribution of mean 0 (Box–Muller): Xavier's, whose deviation is
// √(2 / (fan_in + fan_out)). With the deviation 0 they are zeros.
//
// Values 4q … 4q + 3 of network n come from the Philox block with counter (q, layer, number + n, purpose) under the seed as
// key: words 0 and 1 make the first two, words 2 and 3 the others. One invocation makes four values.

struct Params {
    // Values of one network.
    len: u32,
    deviation: f32,
    layer: u32,
    nets: u32,
}

struct Key {
    seed: vec2u,
    // Of the first network.
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
    // Multiples of 2⁻²⁴ in [0, 1): 1 − u is never 0.
    let uniform = vec4f(words >> vec4u(8u)) * 0x1p-24f;
    let length = sqrt(-2.0 * log(1.0 - uniform.xz));
    let angle = 6.28318530718 * uniform.yw;
    let x = length * cos(angle);
    let y = length * sin(angle);
    let values = vec4f(x.x, y.x, x.y, y.y) * params.deviation;
    for (var i = 0u; i < 4u; i++) {
        let at = quad * 4u + i;
        if at < params.len {
            weights[net * params.len + at] = values[i];
        }
    }
}
