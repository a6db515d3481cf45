// Gradient of convolution 3×3 at its weights, for adapters with subgroups of one fixed size. A template,
// which kernels/template.rs writes out because drivers do not reliably unroll.
//
// A workgroup is one subgroup, and owns the nine taps of OUTPUTS × INPUTS channel pairs of one
// network. Its lanes share out the tiles of 4 × ROWS pixels of all images; each value loaded serves
// many multiply-adds. At the end the lanes' parts are added, always in the same order.
//
// Tiles may reach past a plane's edge: there the gradient's halo is zero. ROWS are two at most, for the halo
// to be all that a tile can reach.

const LANES = {{ lanes }}u;
const TEAM = LANES;
const OUTPUTS = {{ outputs }}u;
const INPUTS = {{ inputs }}u;
const ROWS = {{ rows }}u;

fn lanes_sum(v: vec4f) -> f32 {
    var sum = (v.x + v.y) + (v.z + v.w);
{% for distance in [1, 2, 4, 8, 16, 32] if distance < lanes %}
    sum += subgroupShuffleXor(sum, {{ distance }}u);
{% endfor %}
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
{% for k in range(outputs) %}{% for c in range(inputs) %}{% for tap in range(9) %}
    var a{{ k }}_{{ c }}_{{ tap }} = vec4f();
{% endfor %}{% endfor %}{% endfor %}
    for (var first = 0u; first < total; first += LANES) {
        // Surplus lanes repeat the last tile, with a gradient of zero.
        let live = select(0.0, 1.0, first + lane < total);
        let tile = min(first + lane, total - 1u);
        let image_in_net = divide(tile, tiles);
        let in_plane = tile - image_in_net * tiles;
        let image = net * params.images_per_net + image_in_net;
        let row = divide(in_plane, tiles_x);
        let offset = row * ROWS * pitch + in_plane - row * tiles_x;
{% for c in range(inputs) %}
        let x{{ c }} = (image * inputs + min(first_c + {{ c }}u, inputs - 1u)) * x_plane + offset;
{% for r in range(rows + 2) %}
{% set n = c ~ "_" ~ r %}
        let l{{ n }} = input[x{{ c }} + {{ r }}u * pitch];
        let n{{ n }} = input[x{{ c }} + {{ r }}u * pitch + 1u];
        // The same pixels as seen by the middle and by the right tap.
        let m{{ n }} = vec4f(l{{ n }}.yzw, n{{ n }}.x);
        let r{{ n }} = vec4f(l{{ n }}.zw, n{{ n }}.xy);
{% endfor %}{% endfor %}
{% for k in range(outputs) %}
        let d{{ k }} = (image * outputs + min(first_k + {{ k }}u, outputs - 1u)) * d_plane + offset;
{% for j in range(rows) %}
{% set row = "d" ~ k ~ " + " ~ (j + 1) ~ "u * pitch" %}
        let g{{ k }}_{{ j }} = live * vec4f(d_planes[{{ row }}].yzw, d_planes[{{ row }} + 1u].x);
{% for c in range(inputs) %}{% for tap in range(9) %}
        a{{ k }}_{{ c }}_{{ tap }} += g{{ k }}_{{ j }} * {{ "lmr"[tap % 3] }}{{ c }}_{{ j + tap // 3 }};
{% endfor %}{% endfor %}{% endfor %}{% endfor %}
    }
    let kept = select(0.0, 1.0, params.accumulate == 1u);
{% for k in range(outputs) %}{% for c in range(inputs) %}
{% set n = k ~ "_" ~ c ~ "_" %}
{% for tap in range(9) %}
    let s{{ n }}{{ tap }} = lanes_sum(a{{ n }}{{ tap }});
{% endfor %}
    if lane == 0u && first_k + {{ k }}u < outputs && first_c + {{ c }}u < inputs {
        let at = ((net * outputs + first_k + {{ k }}u) * inputs + first_c + {{ c }}u) * 9u;
{% for tap in range(9) %}
        d_weights[at + {{ tap }}u] = s{{ n }}{{ tap }} + kept * d_weights[at + {{ tap }}u];
{% endfor %}
    }
{% endfor %}{% endfor %}
}
