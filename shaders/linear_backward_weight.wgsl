// Gradient of the classifier's last layer at its weights: over the images of a network, the sum of
// the gradient at a logit times an embedding's value. One invocation per weight.

struct Params {
    features: u32,
    classes: u32,
    images_per_net: u32,
    nets: u32,
    // 1: adds to what is there, for batches that are processed in parts.
    accumulate: u32,
    pad0: u32,
    pad1: u32,
    pad2: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;
// (images, classes).
@group(0) @binding(1) var<storage, read> d_logits: array<f32>;
// (images, features).
@group(0) @binding(2) var<storage, read> embeddings: array<f32>;
// (nets, classes, features).
@group(0) @binding(3) var<storage, read_write> d_weights: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let flat = flat_group(group) * 64u + lane;
    let feature = flat % params.features;
    let k = flat / params.features % params.classes;
    let net = flat / params.features / params.classes;
    if net >= params.nets {
        return;
    }
    var sum = select(0.0, d_weights[flat], params.accumulate == 1u);
    let first = net * params.images_per_net;
    for (var image = first; image < first + params.images_per_net; image++) {
        sum += d_logits[image * params.classes + k] * embeddings[image * params.features + feature];
    }
    d_weights[flat] = sum;
}
