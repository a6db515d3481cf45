// Gradient of convolution 3×3 at its weights, for adapters with subgroups of one fixed size.
// A template, like conv_lanes.wgsl.
//
// A workgroup is one subgroup, and owns the nine taps of OUTPUTS × INPUTS channel pairs of one
// network. Its lanes share out the tiles of 4 × ROWS pixels of all images; each value loaded serves
// many multiply-adds. At the end the lanes' parts are added, always in the same order.
//
// Tiles may reach past a plane's edge: there the gradient's halo is zero.

fn lanes_sum(v: vec4f) -> f32 {
    var sum = (v.x + v.y) + (v.z + v.w);
    //{lanes_sum}
    return sum;
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
    let inputs = params.input.channels;
    let outputs = params.planes.channels;
    let input_blocks = (inputs + INPUTS - 1u) / INPUTS;
    let output_blocks = (outputs + OUTPUTS - 1u) / OUTPUTS;
    let flat = flat_group(group);
    let first_c = flat % input_blocks * INPUTS;
    let first_k = flat / input_blocks % output_blocks * OUTPUTS;
    let net = flat / input_blocks / output_blocks;
    if net >= params.nets {
        return;
    }
    let size = params.planes.size;
    let tiles_x = (size + 3u) / 4u;
    let tiles = tiles_x * ((size + ROWS - 1u) / ROWS);
    let total = tiles * params.images_per_net;
    let pitch = params.input.pitch / 4u;
    let x_plane = params.input.stride / 4u;
    let d_plane = params.planes.stride / 4u;
    //{accumulators}
    for (var first = 0u; first < total; first += LANES) {
        // Surplus lanes repeat the last tile, with a gradient of zero.
        let live = select(0.0, 1.0, first + lane < total);
        let tile = min(first + lane, total - 1u);
        let image_in_net = divide(tile, tiles);
        let in_plane = tile - image_in_net * tiles;
        let image = net * params.images_per_net + image_in_net;
        let row = divide(in_plane, tiles_x);
        let offset = row * ROWS * pitch + in_plane - row * tiles_x;
        //{taps}
    }
    let kept = select(0.0, 1.0, params.accumulate == 1u);
    //{store}
}
