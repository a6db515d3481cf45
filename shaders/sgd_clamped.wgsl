// Gradient descent with momentum on pixels in 0…1, of images that are stored normalised, x = (p − mean) / deviation:
// v ← momentum · v + ∂/∂p; p ← clamp(p − lr · v, 0, 1), where ∂/∂p = ∂/∂x / deviation.

struct Rates {
    lr: f32,
    momentum: f32,
    weight_decay: f32,
    pad: f32,
}

struct Params {
    mean: vec4f,
    deviation: vec4f,
    // Values of a plane, and planes of an image.
    plane: u32,
    channels: u32,
    pad0: u32,
    pad1: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var<storage, read> rates: Rates;
@group(0) @binding(2) var<storage, read_write> values: array<f32>;
@group(0) @binding(3) var<storage, read_write> velocity: array<f32>;
@group(0) @binding(4) var<storage, read> gradient: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = flat_group(group) * 64u + lane;
    if i >= arrayLength(&values) {
        return;
    }
    let channel = i / params.plane % params.channels;
    let mean = params.mean[channel];
    let deviation = params.deviation[channel];
    let v = rates.momentum * velocity[i] + gradient[i] / deviation;
    velocity[i] = v;
    let moved = values[i] - rates.lr * v / deviation;
    values[i] = clamp(moved, -mean / deviation, (1.0 - mean) / deviation);
}
