// Convolution 3×3, stride 1, padding 1, without bias, for GPUs: workgroups share what they load through
// workgroup memory. A template: kernels/conv_tiles.rs puts the constants in front and writes out the
// lines that are marked.
//
// A workgroup computes TILES tiles of pixels × GROUPS · OUTPUTS output channels. A tile is ACROSS × DOWN
// threads, each of which has 4 × 2 pixels of OUTPUTS channels in registers; threads side by side have
// the same channels, so that all of a subgroup read the same weight at a time. STEP input channels at a
// time are staged: the pixels with their halo once, not once a tap, and the weights of all nine taps.
//
// With FUSED the whole block follows in registers: instance norm → ReLU → average pool. A tile then
// holds a whole plane, and only pooled values are stored, a quarter as many.
//
// Ladder, by count, for a thread and input channel on planes of 16 with 64 outputs (see docs/kernels.md):
//   conv.wgsl: 9 multiply-adds an output, each with 2 values loaded from caches: 1 to 4 % of peak.
//   Pixels and weights staged, one output a thread: 2 values from workgroup memory each, 10 %.
//   4 × 2 pixels × 8 outputs a thread: 576 multiply-adds for 26 vec4f from workgroup memory, of which 18
//   are the same for a whole subgroup. Two barriers for 4 channels, 2304 multiply-adds. 15.8 KiB.

// Haloed planes, whose rows are whole vec4f.
@group(0) @binding(1) var<storage, read> input: array<vec4f>;
// [net][output / (GROUPS · OUTPUTS)][input][tap][output % (GROUPS · OUTPUTS)].
@group(0) @binding(2) var<storage, read> weights: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> result: array<f32>;
// Of FUSED alone: the norm's weight and bias, (nets, outputs).
//{affine}

// Pixels of a tile, and the vec4f of its patch: with a halo of a row above and below, and of one
// vec4f to the right, since the halo shifts pixel (y, x) to (y + 1, x + 1).
const WIDE = 4u * ACROSS;
const HIGH = 2u * DOWN;
const ROWS = HIGH + 2u;
const QUADS = ACROSS + 1u;
// vec4f of one input channel's weights.
const VECS = OUTPUTS / 4u;
const CHUNK = 9u * GROUPS * VECS;

// [channel][tile][row][quad]: PITCH vec4f a row and STRIDE a tile, so that the eight threads that are
// served at a time read from different banks. When the sums are ready, also for adding up planes.
var<workgroup> staged: array<vec4f, PATCH>;
// Indexed level by level: naga clamps every index that is not constant, and these only once a channel.
var<workgroup> taps: array<array<array<array<vec4f, VECS>, GROUPS>, 9>, STEP>;
// Where each tile's patch begins in the input's first channel.
var<workgroup> corners: array<u32, TILES>;

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

fn total(v: vec4f) -> f32 {
    return (v.x + v.y) + (v.z + v.w);
}

//{plane_sum}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
    let size = params.input.size;
    let outputs = params.result.channels;
    let inputs = params.input.channels;
    let tiles_x = (size + WIDE - 1u) / WIDE;
    let tiles = tiles_x * ((size + HIGH - 1u) / HIGH);
    let blocks = (outputs + GROUPS * OUTPUTS - 1u) / (GROUPS * OUTPUTS);
    // Neighbouring workgroups read the same pixels. No workgroup serves two networks.
    let flat = flat_group(group);
    let block = flat % blocks;
    let tiles_per_net = params.images_per_net * tiles;
    let groups_per_net = (tiles_per_net + TILES - 1u) / TILES;
    let net = (flat / blocks) / groups_per_net;
    let first_image = net * params.images_per_net;
    if first_image >= params.images {
        return;
    }
    let first_tile = (flat / blocks) % groups_per_net * TILES;
    let pitch = params.input.pitch / 4u;
    let plane = params.input.stride / 4u;
    if thread < TILES {
        // Surplus tiles repeat the last one and store nothing.
        let tile = min(first_tile + thread, tiles_per_net - 1u);
        let within = tile % tiles;
        corners[thread] = (first_image + tile / tiles) * inputs * plane
            + within / tiles_x * HIGH * pitch + within % tiles_x * ACROSS;
    }

    let position = thread % (TILES * ACROSS * DOWN);
    let lot = thread / (TILES * ACROSS * DOWN);
    let slot = position / (ACROSS * DOWN);
    let down = position / ACROSS % DOWN;
    let across = position % ACROSS;
    let mine = slot * STRIDE + 2u * down * PITCH + across;
    let first_weight = (net * blocks + block) * inputs * CHUNK;
    //{accumulators}
    for (var first = 0u; first < inputs; first += STEP) {
        let count = min(STEP, inputs - first);
        // The corners are known, and what was staged before has been read.
        workgroupBarrier();
        for (var i = thread; i < count * TILES * ROWS * QUADS; i += THREADS) {
            let quad = i % QUADS;
            let row = i / QUADS % ROWS;
            let tile = i / (QUADS * ROWS) % TILES;
            let c = i / (QUADS * ROWS * TILES);
            staged[(c * TILES + tile) * STRIDE + row * PITCH + quad] =
                input[corners[tile] + (first + c) * plane + row * pitch + quad];
        }
        for (var i = thread; i < count * CHUNK; i += THREADS) {
            taps[i / CHUNK][i / (GROUPS * VECS) % 9u][i / VECS % GROUPS][i % VECS] =
                weights[first_weight + first * CHUNK + i];
        }
        workgroupBarrier();
        for (var c = 0u; c < count; c++) {
            let at = mine + c * TILES * STRIDE;
            //{channel}
        }
    }

    let tile = first_tile + slot;
    let live = tile < tiles_per_net;
    let image = first_image + tile / tiles;
    let y = tile % tiles / tiles_x * HIGH + 2u * down;
    let x = tile % tiles % tiles_x * WIDE + 4u * across;
    let first_output = (block * GROUPS + lot) * OUTPUTS;
    //{finish}
}
