// `weight` times the cross-entropy of softmax(logits) with two labels in shares that add up to 1, of each image as much as
// it counts, and its gradient: softmax − share · one-hot − (1 − share) · the other one-hot. One invocation per image.

struct Params {
    classes: u32,
    images: u32,
    // Of targets and losses: where those of these images begin.
    first: u32,
    weight: f32,
}

struct Target {
    label: u32,
    other: u32,
    share: f32,
    weight: f32,
}

@group(0) @binding(0) var<storage, read> params: Params;
// (images, classes).
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> targets: array<Target>;
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
    let own = targets[params.first + image];
    let rest = 1.0 - own.share;
    let expected = own.share * (logits[start + own.label] - all.largest)
        + rest * (logits[start + own.other] - all.largest);
    let weight = params.weight * own.weight;
    losses[params.first + image] = weight * (log(all.sum) - expected);
    for (var k = 0u; k < params.classes; k++) {
        let p = exp(logits[start + k] - all.largest) / all.sum;
        let wanted = select(0.0, own.share, k == own.label) + select(0.0, rest, k == own.other);
        d_logits[start + k] = weight * (p - wanted);
    }
}
