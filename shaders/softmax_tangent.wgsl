// How the gradient that softmax_cross_entropy makes changes along a direction: (p · (change − mean of the changes by p)) /
// batch, p = softmax(logits). One invocation per image.

struct Params {
    classes: u32,
    images: u32,
    // Images over which the loss is the mean.
    batch: u32,
    pad: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;
// (images, classes).
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> logits_change: array<f32>;
@group(0) @binding(3) var<storage, read_write> d_logits_change: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let image = flat_group(group) * 64u + lane;
    if image >= params.images {
        return;
    }
    let start = image * params.classes;
    let all = softmax_of(start, params.classes);
    var mean = 0.0;
    for (var k = 0u; k < params.classes; k++) {
        mean += exp(logits[start + k] - all.largest) / all.sum * logits_change[start + k];
    }
    for (var k = 0u; k < params.classes; k++) {
        let p = exp(logits[start + k] - all.largest) / all.sum;
        d_logits_change[start + k] = p * (logits_change[start + k] - mean) / f32(params.batch);
    }
}
