// The classifier's last layer: logits = weight · embedding + bias. One invocation per logit.

struct Params {
    features: u32,
    classes: u32,
    images: u32,
    images_per_net: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;
// (images, features).
@group(0) @binding(1) var<storage, read> embeddings: array<f32>;
// (nets, classes, features).
@group(0) @binding(2) var<storage, read> weights: array<f32>;
// (nets, classes).
@group(0) @binding(3) var<storage, read> bias: array<f32>;
// (images, classes).
@group(0) @binding(4) var<storage, read_write> logits: array<f32>;

fn embedded(at: u32) -> vec4f {
    return vec4f(embeddings[at], embeddings[at + 1u], embeddings[at + 2u], embeddings[at + 3u]);
}

fn weighted(at: u32) -> vec4f {
    return vec4f(weights[at], weights[at + 1u], weights[at + 2u], weights[at + 3u]);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let flat = flat_group(group) * 64u + lane;
    let image = flat / params.classes;
    if image >= params.images {
        return;
    }
    let row = image / params.images_per_net * params.classes + flat % params.classes;
    let e = image * params.features;
    let w = row * params.features;
    // Four sums side by side: shorter chains of rounding, and of waiting.
    var sums = vec4f();
    var f = 0u;
    // Four steps at a time, so that the loads do not wait for one another. The order of the sums is the same.
    for (; f + 16u <= params.features; f += 16u) {
        let a = embedded(e + f) * weighted(w + f);
        let b = embedded(e + f + 4u) * weighted(w + f + 4u);
        let c = embedded(e + f + 8u) * weighted(w + f + 8u);
        let d = embedded(e + f + 12u) * weighted(w + f + 12u);
        sums = sums + a + b + c + d;
    }
    for (; f + 4u <= params.features; f += 4u) {
        sums += embedded(e + f) * weighted(w + f);
    }
    var sum = (sums.x + sums.y) + (sums.z + sums.w);
    for (; f < params.features; f++) {
        sum += embeddings[e + f] * weights[w + f];
    }
    logits[flat] = sum + bias[row];
}
