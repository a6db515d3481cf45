// What both directions of conv_first have in common: what they read, and the convolution of a lane's patch. A template.

const LANES = {{ lanes }}u;
const INPUTS = {{ inputs }}u;
const TAPS = {{ 9 * inputs }}u;
const SIZE = {{ size }}u;
const COUNT = {{ size * size }}.0;
{# Columns and rows of a lane's patch. #}
{% set patch = 8 %}
const COLUMNS = {{ patch }}u;
const ROWS = {{ patch }}u;

// Haloed planes, whose rows are whole vec4f.
@group(0) @binding(1) var<storage, read> input: array<vec4f>;
// (nets, outputs, INPUTS, 3, 3).
@group(0) @binding(2) var<storage, read> weights: array<f32>;
// The norm's weight and bias, (nets, outputs).
@group(0) @binding(3) var<storage, read> affine: array<vec2f>;

// The sum over all lanes, always in the same order.
fn plane_sum(value: f32) -> f32 {
    var sum = value;
    for (var distance = 1u; distance < LANES; distance *= 2u) {
        sum += subgroupShuffleXor(sum, distance);
    }
    return sum;
}

{# A patch of the images with what surrounds it: i, by channel, row and four columns. #}
{% macro pixels() %}
{% for c in range(inputs) %}{% for r in range(patch + 2) %}{% for v in range(patch // 4 + 1) %}
    let i{{ c }}_{{ r }}_{{ v }} = input[at + {{ c }}u * plane + {{ r }}u * pitch + {{ v }}u];
{% endfor %}{% endfor %}{% endfor %}
{% endmacro %}
{# One of its pixels. #}
{% macro pixel(c, r, e) %}i{{ c }}_{{ r }}_{{ e // 4 }}.{{ "xyzw"[e % 4] }}{% endmacro %}
{# The weights of output channel k: b, by tap. #}
{% macro taps() %}
{% for load in range((9 * inputs + lanes - 1) // lanes) %}
        let w{{ load }} = weights[first_weight + min({{ load * lanes }}u + lane, {{ 9 * inputs - 1 }}u)];
{% endfor %}
{% for tap in range(9 * inputs) %}
        let b{{ tap }} = subgroupBroadcast(w{{ tap // lanes }}, {{ tap % lanes }}u);
{% endfor %}
{% endmacro %}
{# Adds up a patch of some a, or of the products of a and b, by row and column: in pairs, then pairs of pairs. That #}
{# rounds less than one long sum, and is not a chain in which each addition waits for the one before. #}
{% macro patch_sum(a, b, first=0, count=64) %}
{% if count > 1 %}
({{ patch_sum(a, b, first, count // 2) }} + {{ patch_sum(a, b, first + count // 2, count // 2) }})
{%- else %}
{% set place = first // patch ~ "_" ~ first % patch %}
{{ a }}{{ place }}{{ " * " ~ b ~ place if b }}
{%- endif %}
{%- endmacro %}
{# The convolution, and its distances from the plane's mean: a and d, by row and column; and their variance. #}
{% macro convolution() %}
{% for y in range(patch) %}{% for x in range(patch) %}
        var a{{ y }}_{{ x }} = 0.0;
{% endfor %}{% endfor %}
{# Pixel by pixel into those that it reaches; in strips of columns, whose sums then stay in registers from row to row. #}
{% for c in range(inputs) %}{% for strip in range(0, patch + 2, 2) %}
{% for r in range(patch + 2) %}{% for e in [strip, strip + 1] %}{% for tap in range(9) %}
{% set y = r - tap // 3 %}{% set x = e - tap % 3 %}
{% if 0 <= y and y < patch and 0 <= x and x < patch %}
        a{{ y }}_{{ x }} += {{ pixel(c, r, e) }} * b{{ 9 * c + tap }};
{% endif %}
{% endfor %}{% endfor %}{% endfor %}{% endfor %}{% endfor %}
        let mean = plane_sum({{ patch_sum("a", "") }}) / COUNT;
{% for y in range(patch) %}{% for x in range(patch) %}
        let d{{ y }}_{{ x }} = a{{ y }}_{{ x }} - mean;
{% endfor %}{% endfor %}
        let variance = plane_sum({{ patch_sum("d", "d") }}) / COUNT;
{% endmacro %}
