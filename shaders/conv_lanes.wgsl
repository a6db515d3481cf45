// Convolution 3×3, stride 1, padding 1, without bias, for adapters with subgroups of one fixed
// size. A template, which kernels/template.rs writes out because drivers do not reliably unroll.
//
// A workgroup is one subgroup. Each lane owns a tile of 4·QUADS × ROWS pixels for OUTPUTS output
// channels, in named vec4f variables. Weights are loaded once per subgroup: each lane loads a
// different vec4f, and subgroupBroadcast brings it to the others: no workgroup memory, no barrier,
// and many multiply-adds for each value loaded. Surplus lanes repeat the last tile and store
// nothing.

// Haloed planes, whose rows are whole vec4f.
@group(0) @binding(1) var<storage, read> input: array<vec4f>;
// [net][output / OUTPUTS][input] [tap][output % OUTPUTS], each [tap][output] padded to CHUNK vec4f.
@group(0) @binding(2) var<storage, read> weights: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> result: array<f32>;

const LANES = {{ lanes }}u;
const QUADS = {{ quads }}u;
const ROWS = {{ rows }}u;
const OUTPUTS = {{ outputs }}u;
const CHUNK = {{ chunk }}u;

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
{# Row j, four columns q and output channel k of a tile. #}
{% for k in range(outputs) %}{% for j in range(rows) %}{% for q in range(quads) %}
    var a{{ j }}_{{ q }}_{{ k }} = vec4f();
{% endfor %}{% endfor %}{% endfor %}
    for (var c = 0u; c < inputs; c++) {
{% for r in range(rows + 2) %}
{% for q in range(quads + 1) %}
        let l{{ r }}_{{ q }} = input[at + {{ r }}u * pitch + {{ q }}u];
{% endfor %}
        // The same pixels as seen by the middle and by the right tap.
{% for q in range(quads) %}
        let m{{ r }}_{{ q }} = vec4f(l{{ r }}_{{ q }}.yzw, l{{ r }}_{{ q + 1 }}.x);
        let r{{ r }}_{{ q }} = vec4f(l{{ r }}_{{ q }}.zw, l{{ r }}_{{ q + 1 }}.xy);
{% endfor %}{% endfor %}
{% for load in range(chunk // lanes) %}
        let w{{ load }} = weights[w_at + {{ load * lanes }}u];
{% endfor %}
{% for k in range(outputs) %}
{% for tap in range(9) %}
{% set weight = tap * outputs + k %}
{% set vec = weight // 4 %}
        let b{{ tap }}_{{ k }} = subgroupBroadcast(w{{ vec // lanes }}.{{ "xyzw"[weight % 4] }}, {{ vec % lanes }}u);
{% endfor %}
{% for j in range(rows) %}{% for q in range(quads) %}{% for tap in range(9) %}
        a{{ j }}_{{ q }}_{{ k }} += {{ "lmr"[tap % 3] }}{{ j + tap // 3 }}_{{ q }} * b{{ tap }}_{{ k }};
{% endfor %}{% endfor %}{% endfor %}{% endfor %}
        at += plane;
        w_at += CHUNK;
    }
    if mine != tile {
        return;
    }
{% for k in range(outputs) %}
    if block * OUTPUTS + {{ k }}u < outputs {
        let start = plane_start(params.result, image, block * OUTPUTS + {{ k }}u);
{% for j in range(rows) %}{% for q in range(quads) %}
        put(start, y + {{ j }}u, x + {{ 4 * q }}u, a{{ j }}_{{ q }}_{{ k }});
{% endfor %}{% endfor %}
    }
{% endfor %}
}
