// Convolution 3×3, stride 1, padding 1, without bias, by cooperative matrices: f16 factors, f32 sums. A
// template: kernels/conv_matrices.rs puts the constants in front and writes out the lines that are marked.
//
// A product of matrices adds SIDE pixels × SIDE input channels times SIDE input × SIDE output channels.
// A workgroup computes SLOTS tiles of WIDE × HIGH pixels × COLUMNS · BLOCKS · SIDE output channels; each of
// its subgroups RUN rows of fragments × BLOCKS. The pixels, rounded to f16, are staged with their halo,
// channels innermost, so that a tap is only another place to load from. A matrix's rows lie at equal
// distances: where a tile's rows are shorter than SIDE, MIXED tiles lie pixel beside pixel, each pixel of
// one followed by the same of the next. Weights come from the cache, packed as whole matrices.
//
// With FUSED the whole block follows: instance norm → ReLU → average pool, in f32. A tile then holds a whole
// plane, and only pooled values are stored, a quarter as many.
//
// Ladder, by count, for a subgroup on planes of 16, SIDE of 16 (see docs/kernels.md):
//   A product for each tap, row and 16 outputs, each with 2 matrices loaded: 2 loads a product.
//   4 rows × 2 fragments of outputs: 6 loads for 8 products, 0.75.
//   The same, a row of pixels loaded once for the three taps above each other: 6 + 6 for 24, 0.5.

// Haloed planes, whose rows are whole vec4f.
@group(0) @binding(1) var<storage, read> input: array<vec4f>;
// [net][output / OUTPUTS][input / SIDE][tap, column by column][output % OUTPUTS / SIDE], each a matrix
// [output % SIDE][input % SIDE].
@group(0) @binding(2) var<storage, read> weights: array<f16>;
@group(0) @binding(3) var<storage, read_write> result: array<f32>;
// Of FUSED alone: the norm's weight and bias, (nets, outputs).
//{affine}

// Staged rows of a tile, vec4f that each is read as, and pixels of MIXED such rows beside each other.
const ROWS = HIGH + 2u;
const QUADS = WIDE / 4u + 1u;
const ACROSS = (WIDE + 2u) * MIXED;
// Fragments beside each other in MIXED tiles.
const ASIDE = WIDE * MIXED / SIDE;
const OUTPUTS = COLUMNS * BLOCKS * SIDE;
// Pixels of all tiles.
const PIXELS = SLOTS * WIDE * HIGH;
// Subgroups that share the same outputs.
const TEAM = PIXELS / SIDE / RUN;

// [tile / MIXED][row][pixel, tile % MIXED], then channels. An array for each pixel, so that what a matrix is
// loaded from is known to be aligned: naga clamps the index before, not after, it is multiplied by PITCH.
var<workgroup> staged: array<array<f16, PITCH>, SLOTS / MIXED * ROWS * ACROSS>;
// The sums of SIDE output channels: [output][fragment][pixel of the fragment].
var<workgroup> sums: array<f32, SIDE * DISTANCE>;
// Where each tile's patch begins in the input's first channel, and where it belongs: image, row, column.
var<workgroup> corners: array<u32, SLOTS>;
var<workgroup> homes: array<vec3u, SLOTS>;

// The image of a tile that repeats another and is not stored.
const NOBODY = 0xffffffffu;

// Where a pixel of a tile lies among `sums` of an output channel.
fn pixel_at(slot: u32, y: u32, x: u32) -> u32 {
    let along = x * MIXED + slot % MIXED;
    return ((slot / MIXED * ASIDE + along / SIDE) * HIGH + y) * SIDE + along % SIDE;
}

//{finish}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(local_invocation_index) thread: u32,
    @builtin(subgroup_id) subgroup: u32,
) {
    let size = params.input.size;
    let inputs = params.input.channels;
    let tiles_x = (size + WIDE - 1u) / WIDE;
    let tiles = tiles_x * ((size + HIGH - 1u) / HIGH);
    let blocks = (params.result.channels + OUTPUTS - 1u) / OUTPUTS;
    // Neighbouring workgroups read the same pixels. No workgroup serves two networks. Written out, or naga
    // takes what depends on it for not uniform.
    let flat = first_group.x + group.y * GRID_ROW + group.x;
    let block = flat % blocks;
    let tiles_per_net = params.images_per_net * tiles;
    let groups_per_net = (tiles_per_net + SLOTS - 1u) / SLOTS;
    let net = (flat / blocks) / groups_per_net;
    let first_image = net * params.images_per_net;
    if first_image >= params.images {
        return;
    }
    let first_tile = (flat / blocks) % groups_per_net * SLOTS;
    let pitch = params.input.pitch / 4u;
    let plane = params.input.stride / 4u;
    if thread < SLOTS {
        // Surplus tiles repeat the last one and store nothing.
        let wanted = first_tile + thread;
        let tile = min(wanted, tiles_per_net - 1u);
        let within = tile % tiles;
        let image = first_image + tile / tiles;
        let corner = vec2u(within / tiles_x * HIGH, within % tiles_x * WIDE);
        corners[thread] = image * inputs * plane + corner.x * pitch + corner.y / 4u;
        homes[thread] = vec3u(select(NOBODY, image, wanted == tile), corner);
    }

    // Surplus subgroups, where they are smaller than was reckoned with, repeat one and store nothing.
    let job = min(subgroup, TEAM * COLUMNS - 1u);
    let run = job % TEAM;
    let column = subgroup / TEAM;
    let strip = run / (HIGH / RUN);
    let origin = (strip / ASIDE * ROWS + run % (HIGH / RUN) * RUN) * ACROSS + strip % ASIDE * SIDE;
    let steps = (inputs + SIDE - 1u) / SIDE;
    var matrices = ((net * blocks + block) * steps * 9u * COLUMNS + job / TEAM) * BLOCKS;
    //{accumulators}
    for (var first = 0u; first < inputs; first += SIDE) {
        // The corners are known, and what was staged before has been read.
        workgroupBarrier();
        for (var i = thread; i < SLOTS * ROWS * QUADS * SIDE; i += THREADS) {
            let c = i % SIDE;
            let quad = i / SIDE % QUADS;
            let row = i / (SIDE * QUADS) % ROWS;
            let slot = i / (SIDE * QUADS * ROWS);
            var v = vec4f();
            if first + c < inputs {
                v = input[corners[slot] + (first + c) * plane + row * pitch + quad];
            }
            let half = vec4<f16>(v);
            let at = (slot / MIXED * ROWS + row) * ACROSS + 4u * quad * MIXED + slot % MIXED;
            staged[at][c] = half.x;
            staged[at + MIXED][c] = half.y;
            // The last vec4f ends beyond the halo.
            if quad + 1u < QUADS {
                staged[at + 2u * MIXED][c] = half.z;
                staged[at + 3u * MIXED][c] = half.w;
            }
        }
        workgroupBarrier();
        //{products}
        matrices += 9u * COLUMNS * BLOCKS;
    }

    //{rounds}
}
