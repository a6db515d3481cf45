// The gradient at an activation's input, from the one at its output. It reads the activation's output; for swish, where
// two inputs can have the same output, it reads the input.

struct Params {
    // Values.
    count: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var<storage, read> kept: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let at = flat_group(group) * 64u + lane;
    if at >= params.count {
        return;
    }
    let v = kept[at];
    let d = dy[at];
    switch KIND {
        case RELU: {
            dx[at] = select(0.0, d, v > 0.0);
        }
        case LEAKY_RELU: {
            dx[at] = select(0.01 * d, d, v > 0.0);
        }
        case SIGMOID: {
            dx[at] = d * v * (1.0 - v);
        }
        default: {
            let s = sigmoid(v);
            dx[at] = d * (s + v * s * (1.0 - s));
        }
    }
}
