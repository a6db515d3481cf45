// Convolution 3×3, stride 1, padding 1, without bias, over whole small planes, for CPU adapters with
// subgroups of one fixed size; alone, or with the block's norm, ReLU and pool. A template, like
// conv_lanes.wgsl: kernels/conv_whole.rs writes out what is marked.
//
// A workgroup is one subgroup: an output channel a lane, and the planes of IMAGES images, whose
// values of that channel a lane has in named variables. Input channel by input channel the pixels
// are loaded once by all lanes together, a different vec4f each, and reach them by
// subgroupBroadcast; a lane loads the nine weights of its own channel. Each pixel is multiplied into
// the nine outputs that it reaches, so that no pixel is loaded twice and the zeros around a plane are
// neither stored nor multiplied. Planes of more than 128 pixels go in bands, one loop each; rows
// that two bands reach are added at the end.
//
// Ladder (planes of 16, 128 channels, 16 lanes, GFLOP/s of a core whose peak is 260):
// conv_lanes.wgsl, pixels in lanes, 32 outputs: 68. Outputs in lanes, the plane in one loop: 86,
// because its text outgrows the cache of instructions. In two bands: 100; in strips of four columns:
// 104. Without its loads a band would run at 213. Weights from a uniform buffer: no gain.

// Dense planes.
@group(0) @binding(1) var<storage, read> input: array<vec4f>;
// [net][output / LANES][input]: taps 0…3 of each lane, then 4…7 of each, then 8 of each.
@group(0) @binding(2) var<storage, read> weights: array<vec4f>;
// The same buffer.
@group(0) @binding(3) var<storage, read> last_weights: array<f32>;
// Dense planes: of the convolution, or pooled.
@group(0) @binding(4) var<storage, read_write> result: array<vec4f>;
//{more}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
    let outputs = params.result.channels;
    let inputs = params.input.channels;
    let blocks = (outputs + LANES - 1u) / LANES;
    // Neighbouring workgroups read the same pixels. No workgroup serves two networks.
    let flat = flat_group(group);
    let block = flat % blocks;
    let groups_per_net = (params.images_per_net + IMAGES - 1u) / IMAGES;
    let net = (flat / blocks) / groups_per_net;
    let first_of_net = net * params.images_per_net;
    if first_of_net >= params.images {
        return;
    }
    let first = first_of_net + (flat / blocks) % groups_per_net * IMAGES;
    let end = first_of_net + params.images_per_net;
    let first_weight = (net * blocks + block) * inputs * CHUNK;
    let k = block * LANES + lane;
    //{bands}
    if k >= outputs {
        return;
    }
    //{finish}
}
