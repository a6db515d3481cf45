// The first block of a network, on images of {{ size }}×{{ size }} and {{ inputs }} channels, for CPU adapters with
// subgroups of {{ lanes }} lanes: convolution 3×3, instance norm, ReLU and average pool. A template, which
// kernels/template.rs writes out because drivers do not reliably unroll.
//
// A workgroup is one subgroup, with an image and {{ outs }} output channels per lane. Two rows of the result at a
// time, {{ lanes // 4 }} times four columns of them: each lane loads four pixels of one of the four rows that are seen
// there, and transforms them; subgroupShuffle brings each of the six values to all lanes. A plane is more than
// a lane can hold, so that its statistics are computed first and the convolution again behind them: that
// costs less than to store it and load it.

// Of the images, with the zeros around them only as far as they are part of a plane.
@group(0) @binding(1) var input: texture_storage_2d<rgba32float, read>;
// All channels in one turn, as pack_winograd.wgsl leaves them.
@group(0) @binding(2) var weights: texture_storage_2d<rgba32float, read>;
// Pooled planes.
@group(0) @binding(3) var<storage, read_write> result: array<vec4f>;
// The norm's weight and bias, (nets, outputs).
@group(0) @binding(4) var<storage, read> affine: array<vec2f>;
{% if finish == "keep" %}
// Normalised values, before weight and bias.
@group(0) @binding(5) var<storage, read_write> planes: array<vec4f>;
// (images, outputs).
@group(0) @binding(6) var<storage, read_write> inv_std: array<f32>;
{% endif %}
{% set quads = size // 4 %}
{% set plane = size * quads %}
{% set across = lanes // 4 %}
{% set parts = quads // across %}
{% set steps = size // 2 * parts %}
{% set texels = (18 * inputs + 3) // 4 %}
{# The weight of output k of a lane, input channel c, row of taps t, product i. #}
{% macro weight(k, c, t, i) %}
{% set at = 18 * c + 6 * t + i %}
w{{ k }}_{{ at // 4 }}.{{ "xyzw"[at % 4] }}
{%- endmacro %}
{# What both passes have in common: the values that four pixels of each channel become. #}
{% macro pixels() %}
        let y = 2u * (step / {{ parts }}u) + row;
        let x = step % {{ parts }}u * {{ across }}u + column;
        let inside = y > 0u && y <= {{ size }}u;
        let at = image + (clamp(y, 1u, {{ size }}u) - 1u) * {{ quads }}u + x;
        // The pixels beside these are those of the lanes beside it, or are loaded, too.
        let beside = select(at + 1u, max(at, 1u) - 1u, column == 0u);
        let exists = inside && select(x + 1u < {{ quads }}u, 0u < x, column == 0u);
{% for c in range(inputs) %}
        let v{{ c }} = select(vec4f(), textureLoad(input, texel(at + {{ c * plane }}u)), inside);
        let e{{ c }} = select(vec4f(), textureLoad(input, texel(beside + {{ c * plane }}u)), exists);
        let l{{ c }} = subgroupShuffle(v{{ c }}.w, left);
        let r{{ c }} = subgroupShuffle(v{{ c }}.x, right);
        let t{{ c }} = transformed(
            select(l{{ c }}, e{{ c }}.w, column == 0u),
            v{{ c }},
            select(r{{ c }}, e{{ c }}.x, column == {{ across - 1 }}u),
        );
{% endfor %}
{% endmacro %}
{# And two rows of four columns of each output channel, o0_0 to o1_1. #}
{% macro columns(g) %}
{% for i in range(6) %}
{% for c in range(inputs) %}{% for r in range(4) %}
            let b{{ i }}_{{ c }}_{{ r }} = subgroupShuffle(t{{ c }}.p{{ i }}, {{ r * across + g }}u);
{% endfor %}{% endfor %}
{# Four sums that do not wait for each other. #}
{% for c in range(inputs) %}{% for t in range(3) %}{% for k in range(outs) %}{% for y in range(2) %}
            {{ "var" if c + t == 0 }} m{{ k }}_{{ y }}_{{ i }} {{ "=" if c + t == 0 else "+=" }} {{ weight(k, c, t, i) }} * b{{ i }}_{{ c }}_{{ y + t }};
{% endfor %}{% endfor %}{% endfor %}{% endfor %}
{% endfor %}
{% for k in range(outs) %}{% for y in range(2) %}
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
    let teams = (outputs + {{ outs * lanes - 1 }}u) / {{ outs * lanes }}u;
    let flat = flat_group(group);
    let team = flat % teams;
    let number = flat / teams;
    if number >= params.images {
        return;
    }
    let net = number / params.images_per_net;
    let image = number * padded({{ inputs }}u) * {{ plane }}u;
    let row = lane / {{ across }}u;
    let column = lane % {{ across }}u;
    let left = (lane + {{ lanes - 1 }}u) % {{ lanes }}u;
    let right = (lane + 1u) % {{ lanes }}u;
    // The last team may have blocks of {{ lanes }} outputs that there are not. They repeat the last, and are not stored.
    let blocks = (outputs + {{ lanes - 1 }}u) / {{ lanes }}u;
    let first_block = {{ outs }}u * team;
    let last_block = blocks - 1u;
{% for k in range(outs) %}
    let weights{{ k }} = (net * blocks + min(first_block + {{ k }}u, last_block)) * {{ texels * lanes }}u + lane;
{% for j in range(texels) %}
    let w{{ k }}_{{ j }} = textureLoad(weights, texel(weights{{ k }} + {{ j * lanes }}u));
{% endfor %}
    var moments{{ k }} = vec2f();
{% endfor %}
    for (var step = 0u; step < {{ steps }}u; step++) {
{{ pixels() }}
{% for g in range(across) %}
        {
{{ columns(g) }}
            let turns = f32(step * {{ across }}u + {{ g }}u);
{% for k in range(outs) %}
            moments{{ k }} = merged(moments{{ k }}, turns, o{{ k }}_0, o{{ k }}_1);
{% endfor %}
        }
{% endfor %}
    }
{% for k in range(outs) %}
    let k{{ k }} = (first_block + {{ k }}u) * {{ lanes }}u + lane;
    let mean{{ k }} = moments{{ k }}.x;
    let sigma{{ k }} = inverseSqrt(moments{{ k }}.y / {{ size * size }}.0 + 1e-5);
    // Of an odd number of outputs, a plane of zeros is added: its weights are zero.
    let weight_bias{{ k }} =
        select(vec2f(), affine[net * outputs + min(k{{ k }}, outputs - 1u)], k{{ k }} < outputs);
    let plane{{ k }} = number * padded(outputs) + k{{ k }};
{% if finish == "keep" %}
    if k{{ k }} < outputs {
        inv_std[number * outputs + k{{ k }}] = sigma{{ k }};
    }
{% endif %}
{% endfor %}
    for (var step = 0u; step < {{ steps }}u; step++) {
{{ pixels() }}
{% for g in range(across) %}
{% for k in range(outs) %}
        var two{{ k }}_{{ g }} = vec2f();
{% endfor %}
        {
{{ columns(g) }}
{% for k in range(outs) %}
            let upper{{ k }} = (o{{ k }}_0 - mean{{ k }}) * sigma{{ k }};
            let lower{{ k }} = (o{{ k }}_1 - mean{{ k }}) * sigma{{ k }};
            two{{ k }}_{{ g }} = 0.125 * pooled(upper{{ k }}, lower{{ k }}, weight_bias{{ k }});
{% if finish == "keep" %}
            if k{{ k }} < padded(outputs) {
                let at = plane{{ k }} * {{ plane }}u + 2u * (step / {{ parts }}u) * {{ quads }}u + step % {{ parts }}u * {{ across }}u + {{ g }}u;
                planes[at] = upper{{ k }};
                planes[at + {{ quads }}u] = lower{{ k }};
            }
{% endif %}
{% endfor %}
        }
{% endfor %}
{% for k in range(outs) %}
        if k{{ k }} < padded(outputs) {
            let at = plane{{ k }} * {{ plane // 4 }}u + step * {{ across // 2 }}u;
{% for g in range(0, across, 2) %}
            result[at + {{ g // 2 }}u] = vec4f(two{{ k }}_{{ g }}, two{{ k }}_{{ g + 1 }});
{% endfor %}
        }
{% endfor %}
    }
}
