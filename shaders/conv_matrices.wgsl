// Convolution 3×3, stride 1, padding 1, without bias, by cooperative matrices: f16 factors, f32 sums; alone, or
// with the block's norm, ReLU and pool. A template, which kernels/template.rs writes out because drivers do
// not reliably unroll.
//
// A product of matrices adds SIDE pixels × SIDE input channels times SIDE input × SIDE output channels.
// A workgroup computes SLOTS tiles of WIDE × HIGH pixels × COLUMNS · BLOCKS · SIDE output channels; each of
// its subgroups RUN rows of fragments × BLOCKS. The pixels, rounded to f16, are staged with their halo,
// channels innermost, so that a tap is only another place to load from. A matrix's rows lie at equal
// distances: where a tile's rows are shorter than SIDE, MIXED tiles lie pixel beside pixel, each pixel of
// one followed by the same of the next. Weights come from the cache, packed as whole matrices.
//
// With `fused` the whole block follows: instance norm → ReLU → average pool, in f32. A tile then holds a whole
// plane, and only pooled values are stored, a quarter as many. What such blocks need besides is in
// shared/fused.wgsl.
//
// Ladder, by count, for a subgroup on planes of 16, SIDE of 16 (see docs/kernels.md):
//   A product for each tap, row and 16 outputs, each with 2 matrices loaded: 2 loads per product.
//   4 rows × 2 fragments of outputs: 6 loads for 8 products, 0.75.
//   The same, a row of pixels loaded once for the three taps above each other: 6 + 6 for 24, 0.5.

// Haloed planes, whose rows are whole vec4f.
@group(0) @binding(1) var<storage, read> input: array<vec4f>;
// [net][output / OUTPUTS][input / SIDE][tap, column by column][output % OUTPUTS / SIDE], each a matrix
// [output % SIDE][input % SIDE].
@group(0) @binding(2) var<storage, read> weights: array<f16>;
@group(0) @binding(3) var<storage, read_write> result: array<f32>;

const SIDE = {{ side }}u;
const WIDE = {{ wide }}u;
const HIGH = {{ wide }}u;
const SLOTS = {{ slots }}u;
const MIXED = {{ mixed }}u;
const RUN = {{ run }}u;
const COLUMNS = {{ columns }}u;
const BLOCKS = {{ blocks }}u;
const THREADS = {{ threads }}u;
const PITCH = {{ pitch }}u;
const DISTANCE = {{ distance }}u;
{% set matrix = "coop_mat" ~ side ~ "x" ~ side %}
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

// Every variable takes whole 16 bytes: matrices must be loaded from multiples of that, and NVIDIA's compiler rounds
// other addresses down.
//
// [tile / MIXED][row][pixel, tile % MIXED], then channels. An array for each pixel, so that what a matrix is
// loaded from is known to be aligned: naga clamps the index before, not after, it is multiplied by PITCH.
var<workgroup> staged: array<array<f16, PITCH>, SLOTS / MIXED * ROWS * ACROSS>;
// The sums of SIDE output channels: [output][fragment][pixel of the fragment].
var<workgroup> sums: array<f32, SIDE * DISTANCE>;
// Where each tile belongs: image, row, column; and where its patch begins in the input's first channel.
var<workgroup> homes: array<vec4u, SLOTS>;

// The image of a tile that repeats another and is not stored.
const NOBODY = 0xffffffffu;

// Where a pixel of a tile lies among `sums` of an output channel.
fn pixel_at(slot: u32, y: u32, x: u32) -> u32 {
    let along = x * MIXED + slot % MIXED;
    return ((slot / MIXED * ASIDE + along / SIDE) * HIGH + y) * SIDE + along % SIDE;
}

{% if fused %}
{% set parts = threads // side %}
{% set share = slots * wide * wide // 4 // parts %}
// Threads that share the sums of one output channel, and the squares of pixels that each of them has.
const PARTS = {{ parts }}u;
const SHARE = {{ share }}u;
// Squares of 2 × 2 pixels in a tile.
const SQUARES = WIDE * HIGH / 4u;

// Row and column of the square with this number.
fn place(square: u32) -> vec2u {
    return vec2u(square % SQUARES / (WIDE / 2u), square % (WIDE / 2u));
}

fn inside(place: vec2u) -> vec4<bool> {
    let y = 2u * place.x;
    let x = 2u * place.y;
    return vec4u(max(y, x), max(y, x + 1u), max(y + 1u, x), max(y, x) + 1u)
        < vec4u(params.input.size);
}

fn quad(lot: u32, slot: u32, place: vec2u) -> vec4f {
    let at = lot * DISTANCE + pixel_at(slot, 2u * place.x, 2u * place.y);
    return vec4f(sums[at], sums[at + MIXED], sums[at + SIDE], sums[at + SIDE + MIXED]);
}

// Four centred and scaled values become a pooled one.
fn pool(output: u32, slot: u32, place: vec2u, v: vec4f) {
    let image = homes[slot].x;
    if image != NOBODY && output < params.result.channels && all(place < vec2u(params.result.size)) {
        let at = plane_start(params.result, image, output) + place.x * params.result.pitch + place.y;
        result[at] = 0.25 * dot(max(v, vec4f()), vec4f(1.0));
    }
}

// The sum of what the threads of the same plane have stored, always in the same order.
fn plane_sum(first: u32) -> f32 {
    var sum = 0.0;
    for (var i = 0u; i < PARTS / SLOTS; i++) {
        sum += sums[first + i];
    }
    return sum;
}

// Normalises SIDE output channels, rectifies, pools and stores. Every thread must call it.
fn finish(thread: u32, net: u32, first_output: u32) {
    let lot = thread / PARTS;
    let first = thread % PARTS * SHARE;
    let slot = first / SQUARES;
    let output = first_output + lot;
{% for q in range(share) %}
    let place{{ q }} = place(first + {{ q }}u);
    let inside{{ q }} = inside(place{{ q }});
    var v{{ q }} = keep(quad(lot, slot, place{{ q }}), inside{{ q }});
{% endfor %}
    let team = thread / (PARTS / SLOTS) * (PARTS / SLOTS);
    let pixels = f32(params.input.size * params.input.size);
    // The sums are in registers now, and leave room.
    workgroupBarrier();
    sums[thread] = {% for q in range(share) %}{{ " + " if q > 0 }}dot(v{{ q }}, vec4f(1.0)){% endfor %};
    workgroupBarrier();
    let mean = plane_sum(team) / pixels;
{% for q in range(share) %}
    v{{ q }} = keep(v{{ q }} - mean, inside{{ q }});
{% endfor %}
    sums[THREADS + thread] = {% for q in range(share) %}{{ " + " if q > 0 }}dot(v{{ q }}, v{{ q }}){% endfor %};
    workgroupBarrier();
    let variance = plane_sum(THREADS + team) / pixels;
    let weight_bias = affine[net * params.result.channels + min(output, params.result.channels - 1u)];
    let slope = inverseSqrt(variance + 1e-5) * weight_bias.x;
    let bias = weight_bias.y;
{% for q in range(share) %}
    pool(output, slot, place{{ q }}, v{{ q }} * slope + bias);
{% endfor %}
}
{% else %}
// Stores what of SIDE output channels lies inside.
fn finish(thread: u32, net: u32, first_output: u32) {
    for (var i = thread; i < SIDE * PIXELS; i += THREADS) {
        let output = first_output + i / PIXELS;
        let slot = i / (WIDE * HIGH) % SLOTS;
        let y = i / WIDE % HIGH;
        let x = i % WIDE;
        let home = homes[slot];
        let place = home.yz + vec2u(y, x);
        if home.x != NOBODY && output < params.result.channels && all(place < vec2u(params.result.size)) {
            result[plane_start(params.result, home.x, output) + place.x * params.result.pitch + place.y] =
                sums[i / PIXELS * DISTANCE + pixel_at(slot, y, x)];
        }
    }
}
{% endif %}

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
    // Neighbouring workgroups read the same pixels. No workgroup serves two networks. Written out here, because naga
    // would otherwise not see that values that depend on it are uniform.
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
        let start = image * inputs * plane + corner.x * pitch + corner.y / 4u;
        homes[thread] = vec4u(select(NOBODY, image, wanted == tile), corner, start);
    }

    // Where subgroups are smaller than expected, the surplus ones repeat one and store nothing.
    let job = min(subgroup, TEAM * COLUMNS - 1u);
    let run = job % TEAM;
    let column = subgroup / TEAM;
    let strip = run / (HIGH / RUN);
    let origin = (strip / ASIDE * ROWS + run % (HIGH / RUN) * RUN) * ACROSS + strip % ASIDE * SIDE;
    let steps = (inputs + SIDE - 1u) / SIDE;
    var matrices = ((net * blocks + block) * steps * 9u * COLUMNS + job / TEAM) * BLOCKS;
{% for r in range(run) %}{% for b in range(blocks) %}
    var a{{ r }}_{{ b }} = {{ matrix }}<f32, C>();
{% endfor %}{% endfor %}
    for (var first = 0u; first < inputs; first += SIDE) {
        // The homes are known, and what was staged before has been read.
        workgroupBarrier();
        for (var i = thread; i < SLOTS * ROWS * QUADS * SIDE; i += THREADS) {
            let c = i % SIDE;
            let quad = i / SIDE % QUADS;
            let row = i / (SIDE * QUADS) % ROWS;
            let slot = i / (SIDE * QUADS * ROWS);
            var v = vec4f();
            if first + c < inputs {
                v = input[homes[slot].w + (first + c) * plane + row * pitch + quad];
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
{# Column by column of the taps: a row of pixels serves the three above each other. #}
{% for dx in range(3) %}
{% for r in range(run + 2) %}
        let p{{ dx }}_{{ r }} = coopLoadT<{{ matrix }}<f16, A>>(
            &staged[origin + {{ r }}u * ACROSS + {{ dx }}u * MIXED][0], PITCH);
{% endfor %}
{% for dy in range(3) %}{% for b in range(blocks) %}
{% set tap = 3 * dx + dy %}
        let w{{ tap }}_{{ b }} = coopLoad<{{ matrix }}<f16, B>>(
            &weights[(matrices + {{ tap }}u * COLUMNS * BLOCKS + {{ b }}u) * (SIDE * SIDE)], SIDE);
{% for r in range(run) %}
        a{{ r }}_{{ b }} = coopMultiplyAdd(p{{ dx }}_{{ r + dy }}, w{{ tap }}_{{ b }}, a{{ r }}_{{ b }});
{% endfor %}{% endfor %}{% endfor %}{% endfor %}
        matrices += 9u * COLUMNS * BLOCKS;
    }

    // SIDE output channels after the other: from the subgroups that have them to all threads.
{% for n in range(columns * blocks) %}
    // What was there before has been read.
    workgroupBarrier();
    if column == {{ n // blocks }}u {
{% for r in range(run) %}
        coopStore(a{{ r }}_{{ n % blocks }}, &sums[(run * RUN + {{ r }}u) * SIDE], DISTANCE);
{% endfor %}
    }
    workgroupBarrier();
    finish(thread, net, block * OUTPUTS + {{ n }}u * SIDE);
{% endfor %}
}
