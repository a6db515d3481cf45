// Gradient of convolution 3×3 at its weights, for CPU adapters with subgroups of one fixed size and
// planes whose rows are whole vec4f. A template, like conv_lanes.wgsl.
//
// A workgroup is one subgroup: an output channel a lane, INPUTS input channels, one network. Image
// by image it takes strips of ROWS rows. A lane loads the gradient in its own channel's strip; the
// input's strip is loaded once by all lanes together, a different vec4f each, and reaches them by
// subgroupBroadcast. Each strip is summed by itself, then added: that rounds less than one long sum.
//
// Ladder, multiply-adds for each vec4f loaded: conv_backward_weight_lanes.wgsl, pixels in lanes: 24.
// Outputs in lanes, 64 pixels a strip, four input channels: 82, but its text outgrows the cache of
// instructions. 16 pixels, eight channels: 89.

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
    let x_plane = params.input.stride / 4u;
    let d_plane = params.planes.stride / 4u;
    let first_image = net * params.images_per_net;
    //{accumulators}
    for (var image = first_image; image < first_image + params.images_per_net; image++) {
        let d_image = (image * outputs + k) * d_plane + VECS;
        //{channels}
        for (var y = 0u; y < SIZE; y += ROWS) {
            //{strip}
        }
    }
    let kept = select(0.0, 1.0, params.accumulate == 1u);
    //{store}
}
