// An activation, value by value: ReLU, leaky ReLU (slope 0.01), sigmoid, or swish x · σ(x).

struct Params {
    // Values.
    count: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let at = flat_group(group) * 64u + lane;
    if at >= params.count {
        return;
    }
    let v = x[at];
    switch KIND {
        case RELU: {
            y[at] = max(v, 0.0);
        }
        case LEAKY_RELU: {
            y[at] = select(0.01 * v, v, v > 0.0);
        }
        case SIGMOID: {
            y[at] = sigmoid(v);
        }
        default: {
            y[at] = v * sigmoid(v);
        }
    }
}
