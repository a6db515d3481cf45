// Counts, for each network, the images whose largest logit is their label's. Of equal logits, the
// first counts as the largest. One workgroup per network. Adds to the counts that are there.

struct Params {
    classes: u32,
    images_per_net: u32,
    nets: u32,
    pad: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;
// (nets, images_per_net, classes).
@group(0) @binding(1) var<storage, read> logits: array<f32>;
// (images_per_net): all networks see the same images.
@group(0) @binding(2) var<storage, read> labels: array<u32>;
@group(0) @binding(3) var<storage, read_write> counts: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let net = flat_group(group);
    if net >= params.nets {
        return;
    }
    var correct = 0.0;
    for (var i = lane; i < params.images_per_net; i += 64u) {
        let start = (net * params.images_per_net + i) * params.classes;
        var best = 0u;
        for (var k = 1u; k < params.classes; k++) {
            if logits[start + k] > logits[start + best] {
                best = k;
            }
        }
        correct += select(0.0, 1.0, best == labels[i]);
    }
    // Exact: a chunk has far fewer than 2²⁴ images.
    let total = workgroup_sum(lane, vec2f(correct, 0.0)).x;
    if lane == 0u {
        counts[net] += u32(total);
    }
}
