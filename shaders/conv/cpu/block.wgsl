// Convolution 3×3, stride 1, padding 1, on planes of {{ size }}, for CPU adapters with subgroups
// of {{ lanes }} lanes; alone, with its bias, or with the block's norm, ReLU and pool. A template, which kernels/template.rs
// writes out because drivers do not reliably unroll.
//
// A workgroup is one subgroup: an output channel per lane, whose whole plane it holds in named variables, and
// so many images that they have 128 pixels. All lanes together load pixels, four each, and transform them;
// subgroupShuffle brings each of the six values to all lanes, which multiply it by the weights of their own
// channel. Two input channels per turn: their products are added before they meet the sum. A plane of 256
// pixels takes two loops over the channels, because the text would outgrow the cache of instructions; rows
// that both reach are added behind them. Of other large planes a workgroup has a part, and reads what is around
// it too: there the convolution is all it can do.

@group(0) @binding(1) var input: texture_storage_2d<rgba32float, read>;
// Two channels per turn, as pack_winograd.wgsl leaves them.
@group(0) @binding(2) var weights: texture_storage_2d<rgba32float, read>;
// Planes of the convolution, or pooled ones.
@group(0) @binding(3) var<storage, read_write> result: array<vec4f>;
{% if finish == "bias" %}
// (nets, outputs).
@group(0) @binding(4) var<storage, read> bias: array<f32>;
{% elif finish != "store" %}
// The norm's weight and bias, (nets, outputs).
@group(0) @binding(4) var<storage, read> affine: array<vec2f>;
{% endif %}
{% if finish == "keep" %}
// Normalised values, before weight and bias.
@group(0) @binding(5) var<storage, read_write> planes: array<vec4f>;
// (images, outputs).
@group(0) @binding(6) var<storage, read_write> inv_std: array<f32>;
{% endif %}
{# vec4f of a row and of a plane, and how many parts these are; rows that a loop reads, and vec4f of each; loads of a #}
{# lane for those. #}
{% set quads = (size + 3) // 4 %}
{% set plane = size * quads %}
{% set across = (quads + columns - 1) // columns %}
{% set parts = (size + rows * bands - 1) // (rows * bands) * across %}
{% set beyond = 1 if parts > 1 else 0 %}
{% set aside = 1 if across > 1 else 0 %}
{% set seen = rows + 2 * beyond %}
{% set row = columns + 2 * aside %}
{% set loads = (images * seen * row + lanes - 1) // lanes %}
{# The weight of input channel u of a turn, row of taps t, product i. #}
{% macro weight(u, t, i) %}
{% set at = 18 * u + 6 * t + i %}
w{{ at // 4 }}.{{ "xyzw"[at % 4] }}
{%- endmacro %}

@compute @workgroup_size({{ lanes }})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
    let outputs = params.outputs;
    let inputs = padded(params.inputs);
    let blocks = (outputs + {{ lanes - 1 }}u) / {{ lanes }}u;
    // Neighbouring workgroups read the same pixels. No workgroup serves two networks.
    let flat = flat_group(group);
    let block = flat % blocks;
{% if parts > 1 %}
    let part = flat / blocks % {{ parts }}u;
    let first_row = part / {{ across }}u * {{ rows }}u;
{% if across > 1 %}
    let first_column = part % {{ across }}u * {{ columns }}u;
{% endif %}
    let number = flat / blocks / {{ parts }}u;
{% else %}
    let number = flat / blocks;
{% endif %}
    let groups_per_net = (params.images_per_net + {{ images - 1 }}u) / {{ images }}u;
    let net = number / groups_per_net;
    let first_of_net = net * params.images_per_net;
    if first_of_net >= params.images {
        return;
    }
    let first = first_of_net + number % groups_per_net * {{ images }}u;
    let end = first_of_net + params.images_per_net;
    let first_weight = (net * blocks + block) * (inputs / 2u) * {{ 9 * lanes }}u + lane;
    let k = block * {{ lanes }}u + lane;
    let left = (lane + {{ lanes - 1 }}u) % {{ lanes }}u;
    let right = (lane + 1u) % {{ lanes }}u;
{% for band in range(bands) %}
{# Rows of the input that the loop reads, and of the result that it reaches. #}
{% set start = band * rows - beyond %}
{% set stop = start + seen %}
{% set top = [start - 1, 0]|max %}
{% set bottom = rows if parts > 1 else [stop + 1, size]|min %}
{% for image in range(images) %}{% for y in range(top, bottom) %}{% for g in range(columns) %}{% for i in range(6) %}
    var a{{ band }}_{{ image }}_{{ y }}_{{ g }}_{{ i }} = 0.0;
{% endfor %}{% endfor %}{% endfor %}{% endfor %}
    {
{% for load in range(loads) %}
{% if parts > 1 %}
        let y{{ load }} = first_row + ({{ load * lanes }}u + lane) / {{ row }}u;
{% if across > 1 %}
        let x{{ load }} = first_column + ({{ load * lanes }}u + lane) % {{ row }}u;
        let inside{{ load }} = y{{ load }} > 0u && y{{ load }} <= {{ size }}u && x{{ load }} > 0u && x{{ load }} <= {{ quads }}u;
        var at{{ load }} = first * inputs * {{ plane }}u + clamp(x{{ load }}, 1u, {{ quads }}u) - 1u
            + (clamp(y{{ load }}, 1u, {{ size }}u) - 1u) * {{ quads }}u;
{% else %}
        let inside{{ load }} = y{{ load }} > 0u && y{{ load }} <= {{ size }}u;
        var at{{ load }} = first * inputs * {{ plane }}u + ({{ load * lanes }}u + lane) % {{ quads }}u
            + (clamp(y{{ load }}, 1u, {{ size }}u) - 1u) * {{ quads }}u;
{% endif %}
{% elif bands == 1 %}
        // Surplus images repeat the last, and are not stored.
        let of{{ load }} = min(first + ({{ load * lanes }}u + lane) / {{ plane }}u, end - 1u);
        var at{{ load }} = of{{ load }} * inputs * {{ plane }}u + ({{ load * lanes }}u + lane) % {{ plane }}u;
{% else %}
        var at{{ load }} = first * inputs * {{ plane }}u + {{ start * quads + load * lanes }}u + lane;
{% endif %}
{% endfor %}
        var w_at = first_weight;
        for (var c = 0u; c < inputs; c += 2u) {
{% for j in range(9) %}
            let w{{ j }} = textureLoad(weights, texel(w_at + {{ j * lanes }}u));
{% endfor %}
{% for u in range(2) %}
{% for load in range(loads) %}
{% set n = u ~ "_" ~ load %}
            let v{{ n }} = {{ "select(vec4f(), " if parts > 1 }}textureLoad(input, texel(at{{ load }} + {{ u * plane }}u)){{ ", inside" ~ load ~ ")" if parts > 1 }};
{% endfor %}
{% for load in range(loads) %}
            let t{{ u }}_{{ load }} = transformed({{ beside("v" ~ u ~ "_", load, loads, lanes, row, aside == 1) }});
{% endfor %}{% endfor %}
{% for image in range(images) %}{% for i in range(6) %}{% for g in range(columns) %}
            {
{% for y in range(top, bottom) %}
{# A row of the result needs three of the input, of which those before have brought two. They count from the one above. #}
{% for r in range(y - 1 if y == top else y + 1, y + 2) if start <= r and r < stop %}
{% set at = (image * seen + r - start) * row + g + aside %}
{% for u in range(2) %}
                let b{{ u }}_{{ r + 1 }} = subgroupShuffle(t{{ u }}_{{ at // lanes }}.p{{ i }}, {{ at % lanes }}u);
{% endfor %}{% endfor %}
                a{{ band }}_{{ image }}_{{ y }}_{{ g }}_{{ i }} +=
{%- for t in range(3) if start <= y + t - 1 and y + t - 1 < stop %}
{{ " " if loop.first else " + " }}{{ weight(0, t, i) }} * b0_{{ y + t }} + {{ weight(1, t, i) }} * b1_{{ y + t }}
{%- endfor %};
{% endfor %}
            }
{% endfor %}{% endfor %}{% endfor %}
{% for load in range(loads) %}
            at{{ load }} += {{ 2 * plane }}u;
{% endfor %}
            w_at += {{ 9 * lanes }}u;
        }
    }
{% endfor %}
{# What a band left in rows of the one before, and the other way round. #}
{% for band in range(1, bands) %}{% for g in range(quads) %}{% for i in range(6) %}
{% set edge = band * rows %}
    a{{ band - 1 }}_0_{{ edge - 1 }}_{{ g }}_{{ i }} += a{{ band }}_0_{{ edge - 1 }}_{{ g }}_{{ i }};
    a{{ band }}_0_{{ edge }}_{{ g }}_{{ i }} += a{{ band - 1 }}_0_{{ edge }}_{{ g }}_{{ i }};
{% endfor %}{% endfor %}{% endfor %}
    // Of an odd number of outputs, a plane of zeros is added: its weights are zero.
    if k >= padded(outputs) {
        return;
    }
{% if finish == "bias" %}
    let own_bias = select(0.0, bias[net * outputs + min(k, outputs - 1u)], k < outputs);
{% elif finish != "store" %}
    let weight_bias = select(vec2f(), affine[net * outputs + min(k, outputs - 1u)], k < outputs);
{% endif %}
{% for image in range(images) %}
    if first + {{ image }}u < end {
        let plane = (first + {{ image }}u) * padded(outputs) + k;
{% for y in range(rows * bands) %}{% for g in range(columns) %}
{% set sum = "a" ~ (y // rows) ~ "_" ~ image ~ "_" ~ y ~ "_" ~ g ~ "_" %}
        let o{{ y }}_{{ g }} = convolved(
{%- for i in range(6) %}{{ sum }}{{ i }}{{ ", " if not loop.last }}{% endfor %});
{% endfor %}{% endfor %}
{% if finish in ["store", "bias"] %}
        let at = plane * {{ plane }}u{{ " + first_row * " ~ quads ~ "u" if parts > 1 }}{{ " + first_column" if across > 1 }};
{% for y in range(rows * bands) %}{% for g in range(columns) %}
{# Parts at the lower and right edges may reach beyond the plane, and the last vec4f of a row beyond its end. #}
{% set o = "o" ~ y ~ "_" ~ g ~ (" + own_bias" if finish == "bias" else "") %}
{% if size % 4 and (g + 1 == quads or across > 1) %}
{% set o = "up_to_end(" ~ o ~ ", " ~ ("first_column + " if across > 1 else "") ~ g ~ "u, " ~ size ~ "u)" %}
{% endif %}
{% if size % rows or quads % columns %}
        if {{ "first_row + " ~ y ~ "u < " ~ size ~ "u" if size % rows }}{{ " && " if size % rows and quads % columns }}{{ "first_column + " ~ g ~ "u < " ~ quads ~ "u" if quads % columns }} {
            result[at + {{ y * quads + g }}u] = {{ o }};
        }
{% else %}
        result[at + {{ y * quads + g }}u] = {{ o }};
{% endif %}
{% endfor %}{% endfor %}
{% else %}
        var sum = o0_0;
{% for y in range(size) %}{% for g in range(quads) %}{% if y + g > 0 %}
        sum += o{{ y }}_{{ g }};
{% endif %}{% endfor %}{% endfor %}
        let mean = ((sum.x + sum.y) + (sum.z + sum.w)) / {{ size * size }}.0;
        var squares = vec4f();
{% for y in range(size) %}{% for g in range(quads) %}
        let d{{ y }}_{{ g }} = o{{ y }}_{{ g }} - mean;
        squares += d{{ y }}_{{ g }} * d{{ y }}_{{ g }};
{% endfor %}{% endfor %}
        let variance = ((squares.x + squares.y) + (squares.z + squares.w)) / {{ size * size }}.0;
        let sigma = inverseSqrt(variance + 1e-5);
{% for y in range(size) %}{% for g in range(quads) %}
        let n{{ y }}_{{ g }} = d{{ y }}_{{ g }} * sigma;
{% if finish == "keep" %}
        planes[plane * {{ plane }}u + {{ y * quads + g }}u] = n{{ y }}_{{ g }};
{% endif %}
{% endfor %}{% endfor %}
{% if finish == "keep" %}
        if k < outputs {
            inv_std[(first + {{ image }}u) * outputs + k] = sigma;
        }
{% endif %}
{% set across = (quads + 1) // 2 %}
{% for y in range(0, size, 2) %}{% for g in range(0, quads, 2) %}
{% set i = y // 2 * across + g // 2 %}
        let p{{ i }} = vec4f(
            pooled(n{{ y }}_{{ g }}, n{{ y + 1 }}_{{ g }}, weight_bias),
            {{ "pooled(n" ~ y ~ "_" ~ (g + 1) ~ ", n" ~ (y + 1) ~ "_" ~ (g + 1) ~ ", weight_bias)" if g + 1 < quads else "vec2f()" }},
        );
        result[plane * {{ size // 2 * across }}u + {{ i }}u] = 0.125 * p{{ i }};
{% endfor %}{% endfor %}
{% endif %}
    }
{% endfor %}
}
