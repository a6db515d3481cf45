// Gradient descent with momentum, as torch.optim.SGD: v ← momentum · v + g; x ← x − lr · v.

struct Params {
    len: u32,
    lr: f32,
    momentum: f32,
    pad: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> values: array<f32>;
@group(0) @binding(2) var<storage, read_write> velocity: array<f32>;
@group(0) @binding(3) var<storage, read> gradient: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = flat_group(group) * 64u + lane;
    if i >= params.len {
        return;
    }
    let v = params.momentum * velocity[i] + gradient[i];
    velocity[i] = v;
    values[i] -= params.lr * v;
}
