// Gradient of the classifier's last layer at its embeddings: the weights, transposed, times the
// gradient at the logits. One invocation per embedding's value.

struct Params {
    features: u32,
    classes: u32,
    images: u32,
    images_per_net: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;
// (images, classes).
@group(0) @binding(1) var<storage, read> d_logits: array<f32>;
// (nets, classes, features).
@group(0) @binding(2) var<storage, read> weights: array<f32>;
// (images, features).
@group(0) @binding(3) var<storage, read_write> d_embeddings: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let flat = flat_group(group) * 64u + lane;
    let image = flat / params.features;
    if image >= params.images {
        return;
    }
    let first_row = image / params.images_per_net * params.classes;
    let feature = flat % params.features;
    var sum = 0.0;
    for (var k = 0u; k < params.classes; k++) {
        let weight = weights[(first_row + k) * params.features + feature];
        sum += d_logits[image * params.classes + k] * weight;
    }
    d_embeddings[flat] = sum;
}
