// The activations, by number; twin of `Activation` in kernels/layers/act.rs.

const RELU = 0u;
const LEAKY_RELU = 1u;
const SIGMOID = 2u;
const SWISH = 3u;

override KIND: u32;

// σ(x). exp gets −|x|, so it never overflows.
fn sigmoid(x: f32) -> f32 {
    let e = exp(-abs(x));
    return select(e, 1.0, x >= 0.0) / (1.0 + e);
}

fn sigmoids(x: vec4f) -> vec4f {
    let e = exp(-abs(x));
    return select(e, vec4f(1.0), x >= vec4f()) / (1.0 + e);
}
