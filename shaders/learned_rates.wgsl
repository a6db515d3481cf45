// The learning rates of steps of training from what is learned of them: softplus(raw) = log(1 + exp(raw)), without momentum
// and decay, as `sgd` reads them. One invocation per step.

struct Rates {
    lr: f32,
    momentum: f32,
    weight_decay: f32,
    pad: f32,
}

@group(0) @binding(0) var<storage, read> raw: array<f32>;
@group(0) @binding(1) var<storage, read_write> rates: array<Rates>;

// log(1 + x) for x in [0, 1]: below 0.125 by its series, as 1 + x keeps little of a small x.
fn log_of_more(x: f32) -> f32 {
    if x > 0.125 {
        return log(1.0 + x);
    }
    var sum = 0.0;
    for (var n = 8; n > 0; n--) {
        sum = 1.0 / f32(n) - x * sum;
    }
    return x * sum;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = flat_group(group) * 64u + lane;
    if i < arrayLength(&raw) {
        let rate = max(raw[i], 0.0) + log_of_more(exp(-abs(raw[i])));
        rates[i] = Rates(rate, 0.0, 0.0, 0.0);
    }
}
