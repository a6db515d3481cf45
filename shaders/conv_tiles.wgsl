// Convolution 3×3, stride 1, padding 1, without bias, for GPUs: workgroups share what they load through
// workgroup memory; alone, or with the block's norm, ReLU and pool. A template, which kernels/template.rs
// writes out because drivers do not reliably unroll.
//
// A workgroup computes TILES tiles of pixels × GROUPS · OUTPUTS output channels. A tile is ACROSS × DOWN
// threads, each of which has 4 × 2 pixels of OUTPUTS channels in registers; threads side by side have
// the same channels, so that all of a subgroup read the same weight at a time. STEP input channels at a
// time are staged: the pixels with their halo once, not once per tap, and the weights of all nine taps.
//
// With `fused` the whole block follows in registers: instance norm → ReLU → average pool. A tile then
// holds a whole plane, and only pooled values are stored, a quarter as many. What such blocks need besides
// is in shared/fused.wgsl; without it, shared/put.wgsl stores.
//
// Ladder, by count, for a thread and input channel on planes of 16 with 64 outputs (see docs/kernels.md):
//   conv.wgsl: 9 multiply-adds per output, each with 2 values loaded from caches: 1 to 4 % of peak.
//   Pixels and weights staged, one output per thread: 2 values from workgroup memory each, 10 %.
//   4 × 2 pixels × 8 outputs per thread: 576 multiply-adds for 26 vec4f from workgroup memory, of which 18
//   are the same for a whole subgroup. Two barriers for 4 channels, 2304 multiply-adds. 15.8 KiB.

// Haloed planes, whose rows are whole vec4f.
@group(0) @binding(1) var<storage, read> input: array<vec4f>;
// [net][output / (GROUPS · OUTPUTS)][input][tap][output % (GROUPS · OUTPUTS)].
@group(0) @binding(2) var<storage, read> weights: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> result: array<f32>;

const ACROSS = {{ across }}u;
const DOWN = {{ down }}u;
const TILES = {{ tiles }}u;
const GROUPS = {{ groups }}u;
const OUTPUTS = {{ outputs }}u;
const THREADS = {{ threads }}u;
const STEP = {{ step }}u;
const PITCH = {{ pitch }}u;
const STRIDE = {{ stride }}u;
const PATCH = {{ patch }}u;
// Pixels of a tile, and the vec4f of its patch: with a halo of a row above and below, and of one
// vec4f to the right, since the halo shifts pixel (y, x) to (y + 1, x + 1).
const WIDE = 4u * ACROSS;
const HIGH = 2u * DOWN;
const ROWS = HIGH + 2u;
const QUADS = ACROSS + 1u;
// vec4f of one input channel's weights.
const VECS = OUTPUTS / 4u;
const CHUNK = 9u * GROUPS * VECS;

// [channel][tile][row][quad]: PITCH vec4f per row and STRIDE per tile, so that the eight threads that are
// served at a time read from different banks. When the sums are ready, also for adding up planes.
var<workgroup> staged: array<vec4f, PATCH>;
// Indexed level by level: naga clamps every index that is not constant, and these only once per channel.
var<workgroup> taps: array<array<array<array<vec4f, VECS>, GROUPS>, 9>, STEP>;
// Where each tile's patch begins in the input's first channel.
var<workgroup> corners: array<u32, TILES>;

fn total(v: vec4f) -> f32 {
    return (v.x + v.y) + (v.z + v.w);
}

{% if fused %}
{# Threads that hold a plane. #}
{% set team = across * down %}
// Sums over the threads that hold one plane, for four output channels at a time, always in the same
// order. Every thread must call this, and receives the sums.
fn plane_sum(thread: u32, value: vec4f) -> vec4f {
{% if team == 1 %}
    return value;
{% else %}
    // What was there before has been read.
    workgroupBarrier();
    staged[thread] = value;
    workgroupBarrier();
{# Four to one until two are left, which everyone adds. #}
{% for left in [32, 8, 2] if left < team %}
    if thread % {{ team }}u < {{ left }}u {
        staged[thread] = (staged[thread] + staged[thread + {{ left }}u])
            + (staged[thread + {{ 2 * left }}u] + staged[thread + {{ 3 * left }}u]);
    }
    workgroupBarrier();
{% endfor %}
    let first = thread / {{ team }}u * {{ team }}u;
    return staged[first] + staged[first + 1u];
{% endif %}
}

// Where a thread's two pooled values belong, if anywhere.
struct Place {
    net: u32,
    image: u32,
    y: u32,
    x: u32,
    live: bool,
}

// Two rows of four centred values of an output channel become two pooled ones.
fn pool(output: u32, scale: f32, upper: vec4f, lower: vec4f, place: Place) {
    let pooled = params.result;
    if !place.live || output >= pooled.channels || place.y >= pooled.size {
        return;
    }
    let weight_bias = affine[place.net * pooled.channels + output];
    let slope = scale * weight_bias.x;
    let both = 0.25 * (max(upper * slope + weight_bias.y, vec4f())
        + max(lower * slope + weight_bias.y, vec4f()));
    let at = plane_start(pooled, place.image, output) + place.y * pooled.pitch + place.x;
    if place.x < pooled.size {
        result[at] = both.x + both.y;
    }
    if place.x + 1u < pooled.size {
        result[at + 1u] = both.z + both.w;
    }
}
{% endif %}

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
{% for k in range(outputs) %}{% for j in range(2) %}
    var a{{ j }}_{{ k }} = vec4f();
{% endfor %}{% endfor %}
    // The corners are known.
    workgroupBarrier();
    // What this thread stages at every step: vec4f of pixels and of weights, where they come from and go to.
{% for n in range(loads) %}
    let i{{ n }} = thread + {{ n * threads }}u;
    let c{{ n }} = i{{ n }} / (QUADS * ROWS * TILES);
    let tile{{ n }} = i{{ n }} / (QUADS * ROWS) % TILES;
    let row{{ n }} = i{{ n }} / QUADS % ROWS;
    let to{{ n }} = (c{{ n }} * TILES + tile{{ n }}) * STRIDE + row{{ n }} * PITCH + i{{ n }} % QUADS;
    let from{{ n }} = corners[tile{{ n }}] + c{{ n }} * plane + row{{ n }} * pitch + i{{ n }} % QUADS;
{% endfor %}
{% for n in range(weights) %}
    let j{{ n }} = thread + {{ n * threads }}u;
{% endfor %}
{% if not ahead %}
    for (var first = 0u; first < inputs; first += STEP) {
        // What was staged before has been read.
        workgroupBarrier();
{% for n in range(loads) %}
        if i{{ n }} < STEP * TILES * ROWS * QUADS && first + c{{ n }} < inputs {
            staged[to{{ n }}] = input[from{{ n }} + first * plane];
        }
{% endfor %}
{% for n in range(weights) %}
        if j{{ n }} < STEP * CHUNK && first + j{{ n }} / CHUNK < inputs {
            taps[j{{ n }} / CHUNK][j{{ n }} / (GROUPS * VECS) % 9u][j{{ n }} / VECS % GROUPS][j{{ n }} % VECS] =
                weights[first_weight + first * CHUNK + j{{ n }}];
        }
{% endfor %}
        workgroupBarrier();
        let count = min(STEP, inputs - first);
{% else %}
    // They are loaded while the step before is computed.
{% for n in range(loads) %}
    var pixels{{ n }} = vec4f();
{% endfor %}
{% for n in range(weights) %}
    var weights{{ n }} = vec4f();
{% endfor %}
    for (var next = 0u; next < inputs + STEP; next += STEP) {
        if next > 0u {
            // What was staged before has been read.
            workgroupBarrier();
{% for n in range(loads) %}
            if i{{ n }} < STEP * TILES * ROWS * QUADS {
                staged[to{{ n }}] = pixels{{ n }};
            }
{% endfor %}
{% for n in range(weights) %}
            if j{{ n }} < STEP * CHUNK {
                taps[j{{ n }} / CHUNK][j{{ n }} / (GROUPS * VECS) % 9u][j{{ n }} / VECS % GROUPS][j{{ n }} % VECS] =
                    weights{{ n }};
            }
{% endfor %}
            workgroupBarrier();
        }
{% for n in range(loads) %}
        if i{{ n }} < STEP * TILES * ROWS * QUADS && next + c{{ n }} < inputs {
            pixels{{ n }} = input[from{{ n }} + next * plane];
        }
{% endfor %}
{% for n in range(weights) %}
        if j{{ n }} < STEP * CHUNK && next + j{{ n }} / CHUNK < inputs {
            weights{{ n }} = weights[first_weight + next * CHUNK + j{{ n }}];
        }
{% endfor %}
        if next == 0u {
            continue;
        }
        let count = min(STEP, inputs - (next - STEP));
{% endif %}
        for (var c = 0u; c < count; c++) {
            let at = mine + c * TILES * STRIDE;
{% for r in range(4) %}
            let l{{ r }} = staged[at + {{ r * pitch }}u];
            let n{{ r }} = staged[at + {{ r * pitch + 1 }}u];
            // The same pixels as seen by the middle and by the right tap.
            let m{{ r }} = vec4f(l{{ r }}.yzw, n{{ r }}.x);
            let r{{ r }} = vec4f(l{{ r }}.zw, n{{ r }}.xy);
{% endfor %}
{% for tap in range(9) %}
{% for h in range(outputs // 4) %}
            let w{{ tap }}_{{ h }} = taps[c][{{ tap }}][lot][{{ h }}];
{% endfor %}
{% for k in range(outputs) %}{% for j in range(2) %}
            a{{ j }}_{{ k }} += {{ "lmr"[tap % 3] }}{{ j + tap // 3 }} * w{{ tap }}_{{ k // 4 }}.{{ "xyzw"[k % 4] }};
{% endfor %}{% endfor %}{% endfor %}
        }
    }

    let tile = first_tile + slot;
    let live = tile < tiles_per_net;
    let image = first_image + tile / tiles;
    let y = tile % tiles / tiles_x * HIGH + 2u * down;
    let x = tile % tiles % tiles_x * WIDE + 4u * across;
    let first_output = (block * GROUPS + lot) * OUTPUTS;
{% if fused %}
    let columns = vec4u(x, x + 1u, x + 2u, x + 3u) < vec4u(size);
    let inside0 = select(vec4<bool>(false), columns, y < size);
    let inside1 = select(vec4<bool>(false), columns, y + 1u < size);
    let pixels = f32(size * size);
    let place = Place(net, image, y / 2u, x / 2u, live);
{# Four output channels at a time. #}
{% for h in range(outputs // 4) %}
{% set four = range(4 * h, 4 * h + 4) %}
{% for k in four %}{% for j in range(2) %}
    a{{ j }}_{{ k }} = keep(a{{ j }}_{{ k }}, inside{{ j }});
{% endfor %}{% endfor %}
    let mean{{ h }} = plane_sum(thread, vec4f(
{%- for k in four %}total(a0_{{ k }} + a1_{{ k }}){{ ", " if not loop.last }}{% endfor %})) / pixels;
{% for k in four %}{% for j in range(2) %}
    a{{ j }}_{{ k }} = keep(a{{ j }}_{{ k }} - mean{{ h }}.{{ "xyzw"[k % 4] }}, inside{{ j }});
{% endfor %}{% endfor %}
    let variance{{ h }} = plane_sum(thread, vec4f(
{%- for k in four %}total(a0_{{ k }} * a0_{{ k }} + a1_{{ k }} * a1_{{ k }}){{ ", " if not loop.last }}{% endfor %})) / pixels;
    let scale{{ h }} = inverseSqrt(variance{{ h }} + 1e-5);
{% endfor %}
{% for k in range(outputs) %}
    pool(first_output + {{ k }}u, scale{{ k // 4 }}.{{ "xyzw"[k % 4] }}, a0_{{ k }}, a1_{{ k }}, place);
{% endfor %}
{% else %}
{% for k in range(outputs) %}
    if live && first_output + {{ k }}u < outputs {
        let start = plane_start(params.result, image, first_output + {{ k }}u);
        put(start, y, x, a0_{{ k }});
        put(start, y + 1u, x, a1_{{ k }});
    }
{% endfor %}
{% endif %}
}
