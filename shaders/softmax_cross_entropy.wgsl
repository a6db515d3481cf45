// Cross-entropy of softmax(logits) with a label, of each image, and its share of the gradient of the
// batch's mean: (softmax − one-hot) / batch. One invocation per image.

struct Params {
    classes: u32,
    images: u32,
    // Images over which the mean is taken: one network's whole batch.
    batch: u32,
    // Of labels and losses: where those of these images begin.
    first: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;
// (images, classes).
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> labels: array<u32>;
@group(0) @binding(3) var<storage, read_write> losses: array<f32>;
@group(0) @binding(4) var<storage, read_write> d_logits: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let image = flat_group(group) * 64u + lane;
    if image >= params.images {
        return;
    }
    let start = image * params.classes;
    let all = softmax_of(start, params.classes);
    let label = labels[params.first + image];
    losses[params.first + image] = log(all.sum) - (logits[start + label] - all.largest);
    for (var k = 0u; k < params.classes; k++) {
        let p = exp(logits[start + k] - all.largest) / all.sum;
        d_logits[start + k] = (p - select(0.0, 1.0, k == label)) / f32(params.batch);
    }
}
