// Convolution 3×3, stride 1, padding 1, without bias, for adapters with subgroups of one fixed
// size. A template: kernels/conv_lanes.rs puts the constants in front and writes out the lines
// that are marked, since only loops that are unrolled in the text are unrolled by every driver.
//
// A workgroup is one subgroup. Each lane owns a tile of 4·QUADS × ROWS pixels for OUTPUTS output
// channels, in named vec4f variables. Weights are loaded once a subgroup, a different vec4f by
// each lane, and reach the others by subgroupBroadcast: no workgroup memory, no barrier, and many
// multiply-adds for each value loaded. Surplus lanes repeat the last tile and store nothing.

// Haloed planes, whose rows are whole vec4f.
@group(0) @binding(1) var<storage, read> input: array<vec4f>;
// [net][output / OUTPUTS][input] [tap][output % OUTPUTS], each [tap][output] padded to CHUNK vec4f.
@group(0) @binding(2) var<storage, read> weights: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> result: array<f32>;

// Stores four pixels of a row, those that lie inside.
fn put(start: u32, y: u32, x: u32, v: vec4f) {
    let size = params.result.size;
    let at = start + y * params.result.pitch + x;
    if y < size {
        if x < size { result[at] = v.x; }
        if x + 1u < size { result[at + 1u] = v.y; }
        if x + 2u < size { result[at + 2u] = v.z; }
        if x + 3u < size { result[at + 3u] = v.w; }
    }
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
    let size = params.input.size;
    let outputs = params.result.channels;
    let inputs = params.input.channels;
    let tiles_x = (size + 4u * QUADS - 1u) / (4u * QUADS);
    let tiles_y = (size + ROWS - 1u) / ROWS;
    let tiles = tiles_x * tiles_y;
    let blocks = (outputs + OUTPUTS - 1u) / OUTPUTS;
    // Neighbouring workgroups read the same pixels. No workgroup serves two networks.
    let flat = flat_group(group);
    let block = flat % blocks;
    let tiles_per_net = params.images_per_net * tiles;
    let groups_per_net = (tiles_per_net + LANES - 1u) / LANES;
    let net = (flat / blocks) / groups_per_net;
    let first_image = net * params.images_per_net;
    if first_image >= params.images {
        return;
    }
    let mine = (flat / blocks) % groups_per_net * LANES + lane;
    let tile = min(mine, tiles_per_net - 1u);
    let image = first_image + tile / tiles;
    let x = (tile % tiles) % tiles_x * (4u * QUADS);
    let y = (tile % tiles) / tiles_x * ROWS;

    // The halo shifts pixel (y, x) to (y + 1, x + 1): its taps begin at (y, x).
    let pitch = params.input.pitch / 4u;
    let plane = params.input.stride / 4u;
    var at = image * inputs * plane + y * pitch + x / 4u;
    var w_at = (net * blocks + block) * inputs * CHUNK + lane;
    //{accumulators}
    for (var c = 0u; c < inputs; c++) {
        //{taps}
        at += plane;
        w_at += CHUNK;
    }
    if mine != tile {
        return;
    }
    //{store}
}
