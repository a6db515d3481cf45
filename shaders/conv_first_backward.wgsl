// Backward through a whole first block, for CPU adapters with subgroups of one fixed size: from the
// gradient at its pooled output to the one at the images, or to those at its weights, laid out like
// conv_first.wgsl. A template, which kernels/template.rs writes out because drivers do not reliably unroll.
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
{% if to == "images" %}
// Dense planes.
@group(0) @binding(5) var<storage, read_write> d_input: array<vec4f>;
{% else %}
// (images, outputs, INPUTS, 3, 3).
@group(0) @binding(5) var<storage, read_write> parts: array<f32>;
// (images, outputs).
@group(0) @binding(6) var<storage, read_write> d_affine: array<vec2f>;
{% endif %}
{# Number i of the terms of a sum over the lanes, of which each step halves the number: at first t, by tap. #}
{% macro term(first, width, i) %}
{% if width < lanes %}u{{ first }}_{{ width }}_{{ i }}{% elif first + i < 9 * inputs %}t{{ first + i }}{% else %}0.0{% endif %}
{% endmacro %}
{# The gradient at the convolution. #}
{% macro d_conv(place) %}
        let e{{ place }} = (g{{ place }} - mean_g - v{{ place }} * mean_gv) * scale;
{%- endmacro %}

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
{{ pixels() }}
{% if to == "images" %}
{# Sums for a patch of the images and what surrounds it. #}
{% for c in range(inputs) %}{% for r in range(patch + 2) %}{% for e in range(patch + 2) %}
    var s{{ c }}_{{ r }}_{{ e }} = 0.0;
{% endfor %}{% endfor %}{% endfor %}
{% endif %}
    for (var k = 0u; k < outputs; k++) {
        let first_weight = (net * outputs + k) * TAPS;
{{ taps() }}
{{ convolution() }}
        let weight_bias = affine[net * outputs + k];
        let sigma = inverseSqrt(variance + 1e-5);
        let given = (giver * outputs + k) * (SIZE * SIZE / 16u) + (y / 2u) * (SIZE / 8u) + x / 8u;
{% for y in range(patch // 2) %}
        let p{{ y }} = 0.25 * d_pooled[given + {{ y * size // 8 }}u];
{% endfor %}
{# Normalised values, and the gradients after weight and bias. #}
{% for y in range(patch) %}{% for x in range(patch) %}
{% set n = y ~ "_" ~ x %}
        let v{{ n }} = d{{ n }} * sigma;
        let g{{ n }} = select(0.0, p{{ y // 2 }}.{{ "xyzw"[x // 2] }}, v{{ n }} * weight_bias.x + weight_bias.y > 0.0);
{% endfor %}{% endfor %}
        let sum_g = {{ patch_sum("g", "") }};
        let sum_gv = {{ patch_sum("g", "v") }};
        let scale = sigma * weight_bias.x;
        let mean_g = plane_sum(sum_g) / COUNT;
        let mean_gv = plane_sum(sum_gv) / COUNT;
{% if to == "images" %}
{% for y in range(patch) %}{% for x in range(patch) %}
{{ d_conv(y ~ "_" ~ x) }}
{% endfor %}{% endfor %}
{% for c in range(inputs) %}{% for y in range(patch) %}{% for x in range(patch) %}{% for tap in range(9) %}
        s{{ c }}_{{ y + tap // 3 }}_{{ x + tap % 3 }} += e{{ y }}_{{ x }} * b{{ 9 * c + tap }};
{% endfor %}{% endfor %}{% endfor %}{% endfor %}
{% else %}
{% for tap in range(9 * inputs) %}
        var t{{ tap }} = 0.0;
{% endfor %}
{% for y in range(patch) %}{% for x in range(patch) %}
{{ d_conv(y ~ "_" ~ x) }}
{% for tap in range(9 * inputs) %}
        t{{ tap }} += e{{ y }}_{{ x }} * {{ pixel(tap // 9, y + tap % 9 // 3, x + tap % 3) }};
{% endfor %}{% endfor %}{% endfor %}
{# Each lane gets the sum of another tap over all lanes. Half of the values go to the other half of the lanes and half #}
{# of theirs come, then a quarter, and so on: as many shuffles as values. #}
{% for first in range(0, 9 * inputs, lanes) %}
{% for distance in [32, 16, 8, 4, 2, 1] if distance < lanes %}{% for i in range(distance) %}
{% set low = term(first, 2 * distance, i) %}{% set high = term(first, 2 * distance, i + distance) %}
{% set upper = "(lane & " ~ distance ~ "u) != 0u" %}
        let {{ term(first, distance, i) }} = select({{ low }}, {{ high }}, {{ upper }})
            + subgroupShuffleXor(select({{ high }}, {{ low }}, {{ upper }}), {{ distance }}u);
{% endfor %}{% endfor %}
        if lane < {{ [lanes, 9 * inputs - first]|min }}u {
            parts[(image * outputs + k) * TAPS + {{ first }}u + lane] = {{ term(first, 1, 0) }};
        }
{% endfor %}
        if lane == 0u {
            d_affine[image * outputs + k] = vec2f(mean_gv * COUNT, mean_g * COUNT);
        }
{% endif %}
    }
{% if to == "images" %}
{# Lanes beside each other in a row, and in all. #}
{% set side = size // patch %}
    let left = lane % {{ side }}u > 0u;
    let right = lane % {{ side }}u < {{ side - 1 }}u;
    let above = lane >= {{ side }}u;
    let below = lane < {{ lanes - side }}u;
    // What neighbours hold of a lane's own pixels: first from the sides, in all rows, then from above and below.
{% for c in range(inputs) %}
{% for r in range(patch + 2) %}
{% set s = "s" ~ c ~ "_" ~ r ~ "_" %}
    {{ s }}1 += select(0.0, subgroupShuffleUp({{ s }}{{ patch + 1 }}, 1u), left);
    {{ s }}{{ patch }} += select(0.0, subgroupShuffleDown({{ s }}0, 1u), right);
{% endfor %}
{% for e in range(1, patch + 1) %}
{% set s = "s" ~ c ~ "_" %}
    {{ s }}1_{{ e }} += select(0.0, subgroupShuffleUp({{ s }}{{ patch + 1 }}_{{ e }}, {{ side }}u), above);
    {{ s }}{{ patch }}_{{ e }} += select(0.0, subgroupShuffleDown({{ s }}0_{{ e }}, {{ side }}u), below);
{% endfor %}{% endfor %}
    let to = image * INPUTS * (SIZE * SIZE / 4u) + y * (SIZE / 4u) + x / 4u;
{% for c in range(inputs) %}{% for r in range(patch) %}{% for v in range(patch // 4) %}
    d_input[to + {{ (c * size + r) * size // 4 + v }}u] = vec4f(
{%- for e in range(1, 5) %}s{{ c }}_{{ r + 1 }}_{{ 4 * v + e }}{{ ", " if not loop.last }}{% endfor %});
{% endfor %}{% endfor %}{% endfor %}
{% endif %}
}
