// The first block of a network, on images of {{ size }}×{{ size }} and {{ inputs }} channels, for CPU adapters with
// subgroups of {{ lanes }} lanes: convolution 3×3, instance norm, ReLU and average pool. A template, which
// kernels/template.rs writes out because drivers do not reliably unroll.
//
// A workgroup is one subgroup, with an image and two output channels per lane. Two rows of the result at a
// time: all lanes together load the four rows of the image that are seen there, four pixels each, and
// transform them; then, four columns after the other, subgroupShuffle brings their values to all lanes. A
// plane is more than a lane can hold, so that its statistics are computed first and the convolution again
// behind them: that costs less than to store it and load it.

// Of the images, with the zeros around them only as far as they are part of a plane.
@group(0) @binding(1) var input: texture_storage_2d<rgba32float, read>;
// All channels in one turn, as pack_winograd.wgsl leaves them.
@group(0) @binding(2) var weights: texture_storage_2d<rgba32float, read>;
// Pooled planes.
@group(0) @binding(3) var result: texture_storage_2d<rgba32float, write>;
// The norm's weight and bias, (nets, outputs).
@group(0) @binding(4) var<storage, read> affine: array<vec2f>;
{% if finish == "keep" %}
// Normalised values, before weight and bias.
@group(0) @binding(5) var planes: texture_storage_2d<rgba32float, write>;
// (images, outputs).
@group(0) @binding(6) var<storage, read_write> inv_std: array<f32>;
{% endif %}
{% set quads = size // 4 %}
{% set plane = size * quads %}
{% set texels = (18 * inputs + 3) // 4 %}
{# The weight of output k of a lane, input channel c, row of taps t, product i. #}
{% macro weight(k, c, t, i) %}
{% set at = 18 * c + 6 * t + i %}
w{{ k }}_{{ at // 4 }}.{{ "xyzw"[at % 4] }}
{%- endmacro %}
{# What both passes have in common: two rows of four columns of each output channel, o0_0 to o1_1. #}
{% macro rows() %}
{% for c in range(inputs) %}{% for r in range(4) %}
{% set n = c ~ "_" ~ r %}
{% if r in [0, 3] %}
            let y{{ n }} = min(max(2u * band + {{ r }}u, 1u) - 1u, {{ size - 1 }}u);
            let outside{{ n }} = band == {{ 0 if r == 0 else size // 2 - 1 }}u;
            let v{{ n }} = select(
                textureLoad(input, texel(image + {{ c * plane }}u + y{{ n }} * {{ quads }}u + lane)),
                vec4f(),
                outside{{ n }},
            );
{% else %}
            let v{{ n }} = textureLoad(
                input,
                texel(image + {{ c * plane }}u + (2u * band + {{ r - 1 }}u) * {{ quads }}u + lane),
            );
{% endif %}
            let l{{ n }} = select(subgroupShuffle(v{{ n }}.w, left), 0.0, lane == 0u);
            let r{{ n }} = select(subgroupShuffle(v{{ n }}.x, right), 0.0, lane == {{ lanes - 1 }}u);
            let t{{ n }} = transformed(l{{ n }}, v{{ n }}, r{{ n }});
{% endfor %}{% endfor %}
{% endmacro %}
{% macro columns() %}
{% for i in range(6) %}
{% for c in range(inputs) %}{% for r in range(4) %}
                let b{{ i }}_{{ c }}_{{ r }} = subgroupShuffle(t{{ c }}_{{ r }}.p{{ i }}, g);
{% endfor %}{% endfor %}
{# Four sums that do not wait for each other. #}
{% for c in range(inputs) %}{% for t in range(3) %}{% for k in range(2) %}{% for y in range(2) %}
                {{ "var" if c + t == 0 }} m{{ k }}_{{ y }}_{{ i }} {{ "=" if c + t == 0 else "+=" }} {{ weight(k, c, t, i) }} * b{{ i }}_{{ c }}_{{ y + t }};
{% endfor %}{% endfor %}{% endfor %}{% endfor %}
{% endfor %}
{% for k in range(2) %}{% for y in range(2) %}
                let o{{ k }}_{{ y }} = convolved(
{%- for i in range(6) %}m{{ k }}_{{ y }}_{{ i }}{{ ", " if not loop.last }}{% endfor %});
{% endfor %}{% endfor %}
{% endmacro %}

// Mean, and sum of the squared distances from it, of eight values more than the `turns` eights before.
fn merged(before: vec2f, turns: f32, upper: vec4f, lower: vec4f) -> vec2f {
    let sum = upper + lower;
    let mean = ((sum.x + sum.y) + (sum.z + sum.w)) * 0.125;
    let a = upper - mean;
    let b = lower - mean;
    let squares = a * a + b * b;
    let share = 1.0 / (turns + 1.0);
    let distance = mean - before.x;
    return vec2f(
        before.x + distance * share,
        before.y + ((squares.x + squares.y) + (squares.z + squares.w))
            + distance * distance * (8.0 * turns * share),
    );
}

@compute @workgroup_size({{ lanes }})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
    let outputs = params.outputs;
    let pairs = (outputs + {{ 2 * lanes - 1 }}u) / {{ 2 * lanes }}u;
    let flat = flat_group(group);
    let pair = flat % pairs;
    let number = flat / pairs;
    if number >= params.images {
        return;
    }
    let net = number / params.images_per_net;
    let image = number * padded({{ inputs }}u) * {{ plane }}u;
    let left = (lane + {{ lanes - 1 }}u) % {{ lanes }}u;
    let right = (lane + 1u) % {{ lanes }}u;
    // Where the number of blocks of {{ lanes }} outputs is odd, the last pair's second one is not stored.
    let blocks = (outputs + {{ lanes - 1 }}u) / {{ lanes }}u;
    let first_weight = (net * blocks + 2u * pair) * {{ texels * lanes }}u + lane;
{% for k in range(2) %}
{% for j in range(texels) %}
    let w{{ k }}_{{ j }} = textureLoad(weights, texel(first_weight + {{ (k * texels + j) * lanes }}u));
{% endfor %}
    var moments{{ k }} = vec2f();
{% endfor %}
    for (var band = 0u; band < {{ size // 2 }}u; band++) {
{{ rows() }}
        for (var g = 0u; g < {{ quads }}u; g++) {
{{ columns() }}
            let turns = f32(band * {{ quads }}u + g);
{% for k in range(2) %}
            moments{{ k }} = merged(moments{{ k }}, turns, o{{ k }}_0, o{{ k }}_1);
{% endfor %}
        }
    }
{% for k in range(2) %}
    let k{{ k }} = (2u * pair + {{ k }}u) * {{ lanes }}u + lane;
    let mean{{ k }} = moments{{ k }}.x;
    let sigma{{ k }} = inverseSqrt(moments{{ k }}.y / {{ size * size }}.0 + 1e-5);
    let weight_bias{{ k }} = affine[net * outputs + min(k{{ k }}, outputs - 1u)];
    let plane{{ k }} = number * padded(outputs) + k{{ k }};
{% if finish == "keep" %}
    if k{{ k }} < outputs {
        inv_std[number * outputs + k{{ k }}] = sigma{{ k }};
    }
{% endif %}
{% endfor %}
    for (var band = 0u; band < {{ size // 2 }}u; band++) {
{{ rows() }}
{% for k in range(2) %}
        var before{{ k }} = vec2f();
{% endfor %}
        for (var g = 0u; g < {{ quads }}u; g++) {
{{ columns() }}
{% for k in range(2) %}
            let upper{{ k }} = (o{{ k }}_0 - mean{{ k }}) * sigma{{ k }};
            let lower{{ k }} = (o{{ k }}_1 - mean{{ k }}) * sigma{{ k }};
            let two{{ k }} = 0.125 * pooled(upper{{ k }}, lower{{ k }}, weight_bias{{ k }});
            if k{{ k }} < outputs {
{% if finish == "keep" %}
                let at = plane{{ k }} * {{ plane }}u + 2u * band * {{ quads }}u + g;
                textureStore(planes, texel(at), upper{{ k }});
                textureStore(planes, texel(at + {{ quads }}u), lower{{ k }});
{% endif %}
                if g % 2u == 1u {
                    let at = plane{{ k }} * {{ plane // 4 }}u + band * {{ quads // 2 }}u + g / 2u;
                    textureStore(result, texel(at), vec4f(before{{ k }}, two{{ k }}));
                }
            }
            before{{ k }} = two{{ k }};
{% endfor %}
        }
    }
}
