// Gradient of convolution 3×3 at its weights over whole small planes, for CPU adapters with subgroups of
// one fixed size. A template, like conv_lanes.wgsl.
//
// A workgroup is one subgroup: an output channel per lane, INPUTS input channels, one network. Image by
// image it goes down the planes in strips of 16 pixels. A lane loads the gradient in its own channel's
// strip; the input's is loaded once by all lanes together, several channels at a time, and reaches them
// by subgroupBroadcast. The strip before and the strip behind stay in registers. Each strip is summed by
// itself, then added: that rounds less than one long sum.
//
// Ladder (planes of 16, 128 channels, 16 lanes, GFLOP/s of a core): as conv_backward_weight_strips.wgsl,
// each strip with its surroundings loaded anew, 64 pixels and four input channels: 33, its text outgrows
// the cache of instructions; 16 pixels and eight channels: 50. With two of three strips kept: 63; with
// twelve channels 53.

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
    let inputs = params.input.channels;
    let outputs = params.planes.channels;
    let input_blocks = (inputs + INPUTS - 1u) / INPUTS;
    let output_blocks = (outputs + LANES - 1u) / LANES;
    let flat = flat_group(group);
    let first_c = flat % input_blocks * INPUTS;
    let mine = flat / input_blocks % output_blocks * LANES + lane;
    let net = flat / input_blocks / output_blocks;
    if net >= params.nets {
        return;
    }
    // Surplus lanes and channels repeat the last and store nothing.
    let k = min(mine, outputs - 1u);
    let first_image = net * params.images_per_net;
    //{accumulators}
    for (var image = first_image; image < first_image + params.images_per_net; image++) {
        let d_image = (image * outputs + k) * (STRIPS * 4u);
        //{first}
        for (var s = 0u; s < STRIPS; s++) {
            //{strip}
        }
    }
    let kept = select(0.0, 1.0, params.accumulate == 1u);
    //{store}
}
