// Weights of one block, drawn as PyTorch's default for Conv2d: U(−1/√fan_in, 1/√fan_in).
//
// Value i is word i mod 4 of the Philox block with counter (i / 4, block, iteration, 1) under the
// seed as key. One invocation makes four values.

struct Params {
    len: u32,
    bound: f32,
    block: u32,
    pad: u32,
}

struct Step {
    seed: vec2u,
    iteration: u32,
    pad: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<uniform> step: Step;
@group(0) @binding(2) var<storage, read_write> weights: array<f32>;

const PURPOSE_WEIGHTS = 1u;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let quad = flat_group(group) * 64u + lane;
    let words = philox4x32(step.seed, vec4u(quad, params.block, step.iteration, PURPOSE_WEIGHTS));
    // 24 bits: every value is exact in f32, and 1 is never reached.
    let values = (vec4f(words >> vec4u(8u)) * 0x1p-23f - 1.0) * params.bound;
    for (var i = 0u; i < 4u; i++) {
        let at = quad * 4u + i;
        if at < params.len {
            weights[at] = values[i];
        }
    }
}
