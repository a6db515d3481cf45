// Gradient descent with momentum and weight decay, as torch.optim.SGD:
// g ← g + decay · x; v ← momentum · v + g; x ← x − lr · v.

struct Rates {
    lr: f32,
    momentum: f32,
    weight_decay: f32,
    pad: f32,
}

@group(0) @binding(0) var<storage, read> rates: Rates;
@group(0) @binding(1) var<storage, read_write> values: array<f32>;
@group(0) @binding(2) var<storage, read_write> velocity: array<f32>;
@group(0) @binding(3) var<storage, read> gradient: array<f32>;

fn descend(i: u32, own: Rates) {
    if i >= arrayLength(&values) {
        return;
    }
    let x = values[i];
    let g = gradient[i] + own.weight_decay * x;
    let v = own.momentum * velocity[i] + g;
    velocity[i] = v;
    values[i] = x - own.lr * v;
}

// An invocation moves four values with rates that it reads once.
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let first = flat_group(group) * 256u + lane;
    let own = rates;
    descend(first, own);
    descend(first + 64u, own);
    descend(first + 128u, own);
    descend(first + 192u, own);
}
