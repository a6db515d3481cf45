// Backward through a whole first block, for CPU adapters with subgroups of one fixed size: from the
// gradient at its pooled output to the one at the images, or to those at its weights. A template,
// laid out like conv_first.wgsl.
//
// Nothing was kept: the convolution of one or three channels is computed again, which costs less
// than storing its planes once and loading them twice. Gradients at the images are added up over
// the output channels in registers, a pixel's surroundings included; what lanes hold of each other's
// pixels is exchanged at the end. Gradients at weights are stored image by image, for class_sum.
//
// Ladder (100 images of three channels, 128 outputs, 16 lanes, two cores, ms for forward and backward):
// conv_lanes and a norm by rows, both ways: 91. conv_first and this: 18 to the images, 17 to the weights.

// Dense planes.
@group(0) @binding(4) var<storage, read> d_pooled: array<vec4f>;
//{results}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
    let outputs = params.result.channels;
    let image = flat_group(group);
    if image >= params.images {
        return;
    }
    let net = image / params.images_per_net;
    let giver = (params.first_image + image) / params.sharing;
    let x = lane % (SIZE / COLUMNS) * COLUMNS;
    let y = lane / (SIZE / COLUMNS) * ROWS;
    let pitch = params.input.pitch / 4u;
    let plane = params.input.stride / 4u;
    // The halo shifts pixel (y, x) to (y + 1, x + 1): its taps begin at (y, x).
    let at = image * INPUTS * plane + y * pitch + x / 4u;
    //{pixels}
    //{accumulators}
    for (var k = 0u; k < outputs; k++) {
        let first_weight = (net * outputs + k) * TAPS;
        //{weights}
        //{sums}
        //{norm}
        let weight_bias = affine[net * outputs + k];
        let sigma = inverseSqrt(variance + 1e-5);
        let given = (giver * outputs + k) * (SIZE * SIZE / 16u) + (y / 2u) * (SIZE / 8u) + x / 8u;
        //{gradients}
        let scale = sigma * weight_bias.x;
        let mean_g = plane_sum(sum_g) / COUNT;
        let mean_gv = plane_sum(sum_gv) / COUNT;
        //{target}
    }
    //{exchange}
}
