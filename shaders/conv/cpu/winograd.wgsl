// Winograd's F(4, 3) along rows: four neighbouring values of a 3-tap convolution by six products instead of
// twelve, at the points 0, 1, −1, 2, −2 and ∞. The weights' side is in pack_winograd.wgsl.

struct Six {
    p0: f32,
    p1: f32,
    p2: f32,
    p3: f32,
    p4: f32,
    p5: f32,
}

// Of four pixels and their neighbours.
fn transformed(left: f32, v: vec4f, right: f32) -> Six {
    let a = v.w - 4.0 * v.y;
    let b = v.z - 4.0 * v.x;
    let c = v.w - v.y;
    let d = 2.0 * (v.z - v.x);
    return Six(
        (4.0 * left + v.w) - 5.0 * v.y,
        a + b,
        a - b,
        c + d,
        c - d,
        (4.0 * v.x + right) - 5.0 * v.z,
    );
}

// From six sums of products to four values.
fn convolved(m0: f32, m1: f32, m2: f32, m3: f32, m4: f32, m5: f32) -> vec4f {
    let s = m1 + m2;
    let d = m1 - m2;
    let e = m3 + m4;
    let f = m3 - m4;
    return vec4f(m0 + s + e, d + 2.0 * f, s + 4.0 * e, d + 8.0 * f + m5);
}

// The way back through `convolved`: from the gradient at four values to those at six sums.
fn at_products(d: vec4f) -> Six {
    let a = d.x + d.z;
    let b = d.y + d.w;
    let c = d.x + 4.0 * d.z;
    let e = 2.0 * d.y + 8.0 * d.w;
    return Six(d.x, a + b, a - b, c + e, c - e, d.w);
}

// And through the weights' transform: from the gradient at six products to those at three taps.
fn taps(m0: f32, m1: f32, m2: f32, m3: f32, m4: f32, m5: f32) -> vec3f {
    let s = (m1 + m2) / 6.0;
    let e = m3 + m4;
    return vec3f(
        0.25 * m0 - s + e / 24.0,
        (m2 - m1) / 6.0 + (m3 - m4) / 12.0,
        e / 6.0 - s + m5,
    );
}

// The way back through `transformed`: the gradients at four pixels and their neighbours.
struct Pixels {
    left: f32,
    here: vec4f,
    right: f32,
}

fn at_pixels(m0: f32, m1: f32, m2: f32, m3: f32, m4: f32, m5: f32) -> Pixels {
    let s = m1 + m2;
    let d = m1 - m2;
    let e = m3 + m4;
    let f = 2.0 * (m3 - m4);
    let here = vec4f(4.0 * (m5 - d) - f, -5.0 * m0 - 4.0 * s - e, d + f - 5.0 * m5, m0 + s + e);
    return Pixels(4.0 * m0, here, m5);
}

{# Arguments of `transformed`: the pixels of a lane's load, named `v` with a number, of several that follow each other, #}
{# row after row of so many. Those beside them are in the lanes `left` and `right`, or in the load before or after. A #}
{# row's ends have zeros there; if it is `open`, nobody asks for what they become. #}
{% macro beside(v, load, loads, lanes, row, open) %}
{% set begins = load * lanes % row == 0 %}
{% set ends = (load + 1) * lanes % row == 0 %}
{% set at_left = "subgroupShuffle(" ~ v ~ load ~ ".w, left)" %}
{% set at_right = "subgroupShuffle(" ~ v ~ load ~ ".x, right)" %}
{% if not begins %}
{% set at_left = "select(" ~ at_left ~ ", subgroupShuffle(" ~ v ~ (load - 1) ~ ".w, left), lane == 0u)" %}
{% endif %}
{% if not ends and load + 1 < loads %}
{% set at_right = "select(" ~ at_right ~ ", subgroupShuffle(" ~ v ~ (load + 1) ~ ".x, right), lane == " ~ (lanes - 1) ~ "u)" %}
{% endif %}
{% if not open %}
{% set place = "lane % " ~ row ~ "u" if begins and lanes % row == 0 else "(" ~ load * lanes % row ~ "u + lane) % " ~ row ~ "u" %}
{% set at_left = "select(" ~ at_left ~ ", 0.0, " ~ place ~ " == 0u)" %}
{% set at_right = "select(" ~ at_right ~ ", 0.0, " ~ place ~ " == " ~ (row - 1) ~ "u)" %}
{% endif %}
{{ at_left }}, {{ v }}{{ load }}, {{ at_right }}
{%- endmacro %}
