// A whole first block, for CPU adapters with subgroups of one fixed size: convolution 3×3 of the one
// or three channels of images → instance norm → ReLU → average pool 2×2. A template, which
// kernels/template.rs writes out because drivers do not reliably unroll.
//
// A workgroup is one subgroup and takes one image, a patch of COLUMNS × ROWS pixels per lane, which are
// loaded once, with their surroundings, and serve all output channels, one after the other. Each lane loads a different
// one of their weights, and subgroupBroadcast brings it to the others. What both directions do alike is in
// shared/first_block.wgsl.
//
// Ladder (three channels, 128 outputs, 16 lanes, GFLOP/s per core): conv_lanes.wgsl, which loads the
// pixels anew for every eight outputs: 25. This, pixel by pixel into the sums that they reach: 67.

// Dense planes.
@group(0) @binding(4) var<storage, read_write> result: array<vec4f>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
    let outputs = params.result.channels;
    let image = flat_group(group);
    if image >= params.images {
        return;
    }
    let net = image / params.images_per_net;
    let x = lane % (SIZE / COLUMNS) * COLUMNS;
    let y = lane / (SIZE / COLUMNS) * ROWS;
    let pitch = params.input.pitch / 4u;
    let plane = params.input.stride / 4u;
    // The halo shifts pixel (y, x) to (y + 1, x + 1): its taps begin at (y, x).
    let at = image * INPUTS * plane + y * pitch + x / 4u;
{{ pixels() }}
    for (var k = 0u; k < outputs; k++) {
        let first_weight = (net * outputs + k) * TAPS;
{{ taps() }}
{{ convolution() }}
        let weight_bias = affine[net * outputs + k];
        let sigma = inverseSqrt(variance + 1e-5);
        let to = (image * outputs + k) * (SIZE * SIZE / 16u) + (y / 2u) * (SIZE / 8u) + x / 8u;
{# ReLU is doubled as r + |r|, to the bit: where a max of 16 lanes falls into two halves, as on Mesa's software #}
{# device, that is faster, and it lets a NaN pass. #}
{% for y in range(patch // 2) %}
{% for x in range(patch // 2) %}
{% set r = "r" ~ (4 * y + x) ~ "_" %}
{% for dy in range(2) %}{% for dx in range(2) %}
        let {{ r }}{{ dy }}{{ dx }} = d{{ 2 * y + dy }}_{{ 2 * x + dx }} * sigma * weight_bias.x + weight_bias.y;
{% endfor %}{% endfor %}
        let o{{ 4 * y + x }} = ((({{ r }}00 + abs({{ r }}00)) + ({{ r }}01 + abs({{ r }}01)))
            + (({{ r }}10 + abs({{ r }}10)) + ({{ r }}11 + abs({{ r }}11))));
{% endfor %}
        result[to + {{ y * size // 8 }}u] = vec4f(
{%- for x in range(4) %}o{{ 4 * y + x }}{{ ", " if not loop.last }}{% endfor %}) * 0.125;
{% endfor %}
    }
}
