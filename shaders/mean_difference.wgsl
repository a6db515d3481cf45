// Distribution matching's loss (Zhao & Bilen, WACV 2023, eq. 4) of each class, and its gradient at
// each of the class's synthetic embeddings: ‖d‖² and −2 d / ipc, with d = mean_real − mean_syn.
// One workgroup per class.

struct Params {
    features: u32,
    classes: u32,
    pad0: u32,
    pad1: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var<storage, read> real_starts: array<u32>;
@group(0) @binding(2) var<storage, read> real_sums: array<f32>;
@group(0) @binding(3) var<storage, read> syn_starts: array<u32>;
@group(0) @binding(4) var<storage, read> syn_sums: array<f32>;
@group(0) @binding(5) var<storage, read_write> d_embedding: array<f32>;
@group(0) @binding(6) var<storage, read_write> losses: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let k = flat_group(group);
    if k >= params.classes {
        return;
    }
    let reals = f32(real_starts[k + 1u] - real_starts[k]);
    let syns = f32(syn_starts[k + 1u] - syn_starts[k]);
    var squares = 0.0;
    for (var f = lane; f < params.features; f += 64u) {
        let at = k * params.features + f;
        let d = real_sums[at] / reals - syn_sums[at] / syns;
        d_embedding[at] = -2.0 * d / syns;
        squares += d * d;
    }
    let loss = workgroup_sum(lane, vec2f(squares, 0.0)).x;
    if lane == 0u {
        losses[k] = loss;
    }
}
