// The classifier's last layer: logits = weight · embedding + bias. One invocation a logit.

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
    for (; f + 4u <= params.features; f += 4u) {
        sums += vec4f(embeddings[e + f], embeddings[e + f + 1u], embeddings[e + f + 2u],
                embeddings[e + f + 3u])
            * vec4f(weights[w + f], weights[w + f + 1u], weights[w + f + 2u], weights[w + f + 3u]);
    }
    var sum = (sums.x + sums.y) + (sums.z + sums.w);
    for (; f < params.features; f++) {
        sum += embeddings[e + f] * weights[w + f];
    }
    logits[flat] = sum + bias[row];
}
