// The gradient at `raw`, of which softplus(raw) are the rates of steps of training: a rate moves the weights against the
// step's gradient g, so that the loss has the slope −⟨λ, g⟩ there, λ its gradient at the weights after the step. The
// products are those of `gradient_rows`, of parts of each step. One invocation per step.

struct Params {
    // Products of a step.
    parts: u32,
    pad0: u32,
    pad1: u32,
    pad2: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var<storage, read> raw: array<f32>;
// ⟨a, b⟩, ⟨a, a⟩, ⟨b, b⟩, ‖a − b‖².
@group(0) @binding(2) var<storage, read> products: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> gradient: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = flat_group(group) * 64u + lane;
    if i >= arrayLength(&raw) {
        return;
    }
    var slope = 0.0;
    for (var part = 0u; part < params.parts; part++) {
        slope += products[i * params.parts + part].x;
    }
    gradient[i] = -slope / (1.0 + exp(-raw[i]));
}
