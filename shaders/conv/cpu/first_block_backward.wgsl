// The gradient at images of {{ size }}×{{ size }} and {{ inputs }} channels, through the convolution of a network's
// first block, for CPU adapters with subgroups of {{ lanes }} lanes. A template, which kernels/template.rs writes out
// because drivers do not reliably unroll.
//
// A workgroup is one subgroup, with {{ rows }} rows of an image. As images have few channels, each lane takes another
// channel of the convolution, and {{ lanes }} more in each turn: what it has added up is the gradient at Winograd's
// products, which lanes then exchange until each has the sum of all for four pixels of its own.

// As forward has them: all channels of the images in one turn, as pack_winograd.wgsl leaves them.
@group(0) @binding(4) var weights: texture_storage_2d<rgba32float, read>;
@group(0) @binding(5) var<storage, read_write> d_input: array<vec4f>;
{% set quads = size // 4 %}
{% set plane = size * quads %}
{% set texels = (18 * inputs + 3) // 4 %}
{# The weight of input channel c, row of taps t, product i. #}
{% macro weight(c, t, i) %}
{% set at = 18 * c + 6 * t + i %}
w{{ at // 4 }}.{{ "xyzw"[at % 4] }}
{%- endmacro %}

@compute @workgroup_size({{ lanes }})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
    let outputs = params.outputs;
    let blocks = (outputs + {{ lanes - 1 }}u) / {{ lanes }}u;
    let flat = flat_group(group);
    let image = flat / {{ size // rows }}u;
    let first_row = flat % {{ size // rows }}u * {{ rows }}u;
    if image >= params.images {
        return;
    }
    let net = image / params.images_per_net;
{% for c in range(inputs) %}{% for r in range(rows) %}{% for g in range(quads) %}{% for i in range(6) %}
    var m{{ c }}_{{ i }}_{{ r * quads + g }} = 0.0;
{% endfor %}{% endfor %}{% endfor %}{% endfor %}
{# Rows of the convolution count from the one above. #}
{% for y in range(rows + 2) %}
    let inside{{ y }} = first_row + {{ y }}u > 0u && first_row + {{ y }}u <= {{ size }}u;
    let row{{ y }} = (clamp(first_row + {{ y }}u, 1u, {{ size }}u) - 1u) * {{ quads }}u;
{% endfor %}
{# Of pooled planes, each of which two of these rows share: rows are even in number. #}
{% for y in range(0, rows + 3, 2) %}
    let pooled_row{{ y // 2 }} = clamp(first_row / 2u + {{ y // 2 }}u, 1u, {{ size // 2 }}u) * {{ quads // 2 }}u - {{ quads // 2 }}u;
{% endfor %}
    for (var block = 0u; block < blocks; block++) {
        let first_weight = (net * blocks + block) * {{ texels * lanes }}u + lane;
{% for j in range(texels) %}
        let w{{ j }} = textureLoad(weights, texel(first_weight + {{ j * lanes }}u));
{% endfor %}
        // Weights of surplus channels are zero.
        let k = min(block * {{ lanes }}u + lane, outputs - 1u);
        let plane = (image * padded(outputs) + k) * {{ plane }}u;
        let pooled = (pooled_plane(image) + k) * {{ plane // 4 }}u;
        let m = moments_of(image, k);
{% for g in range(quads) %}
{% if g % 2 == 0 %}
{% for y in range(0, rows + 3, 2) %}
        let averages{{ y // 2 }}_{{ g // 2 }} = textureLoad(d_pooled, texel(pooled + pooled_row{{ y // 2 }} + {{ g // 2 }}u));
{% endfor %}
{% endif %}
        {
{% for y in range(rows + 2) %}
{% set averages = "averages" ~ (y + 1) // 2 ~ "_" ~ g // 2 ~ (".zw" if g % 2 else ".xy") %}
{% set load = "textureLoad(planes, texel(plane + row" ~ y ~ " + " ~ g ~ "u))" %}
{% set gradient = "at_convolution(" ~ load ~ ", " ~ averages ~ ", m)" %}
{% if 0 < y and y <= rows %}
            let d{{ y }} = at_products({{ gradient }});
{% else %}
            let d{{ y }} = at_products(select(vec4f(), {{ gradient }}, inside{{ y }}));
{% endif %}
{% endfor %}
{% for c in range(inputs) %}{% for i in range(6) %}{% for r in range(rows) %}
            m{{ c }}_{{ i }}_{{ r * quads + g }} += {{ weight(c, 0, i) }} * d{{ r + 2 }}.p{{ i }}
                + {{ weight(c, 1, i) }} * d{{ r + 1 }}.p{{ i }} + {{ weight(c, 2, i) }} * d{{ r }}.p{{ i }};
{% endfor %}{% endfor %}{% endfor %}
        }
{% endfor %}
    }
    let own = image * padded({{ inputs }}u) * {{ plane }}u + first_row * {{ quads }}u + lane;
    // Four pixels of the result are a lane's, and their neighbours those of the lanes beside it.
    let left = (lane + {{ lanes - 1 }}u) % {{ lanes }}u;
    let right = (lane + 1u) % {{ lanes }}u;
    let at_left = lane % {{ quads }}u == 0u;
    let at_right = lane % {{ quads }}u == {{ quads - 1 }}u;
{% for c in range(inputs) %}{% for part in range(rows * quads // lanes) %}
    {
{% for i in range(6) %}
{% set m = "m" ~ c ~ "_" ~ i ~ "_" %}
{% for distance in distances %}
{% set before = m if loop.first else "s" ~ i ~ "_" ~ 2 * distance ~ "_" %}
{% set first = part * lanes if loop.first else 0 %}
        // The half of the sums that is the lane's, from both.
{% for j in range(distance) %}
        let s{{ i }}_{{ distance }}_{{ j }} = select({{ before }}{{ first + j }}, {{ before }}{{ first + j + distance }}, (lane & {{ distance }}u) != 0u)
            + subgroupShuffleXor(select({{ before }}{{ first + j + distance }}, {{ before }}{{ first + j }}, (lane & {{ distance }}u) != 0u), {{ distance }}u);
{% endfor %}{% endfor %}{% endfor %}
        let all = at_pixels(s0_1_0, s1_1_0, s2_1_0, s3_1_0, s4_1_0, s5_1_0);
        let from_left = select(subgroupShuffle(all.right, left), 0.0, at_left);
        let from_right = select(subgroupShuffle(all.left, right), 0.0, at_right);
        d_input[own + {{ c * plane + part * lanes }}u] =
            vec4f(all.here.x + from_left, all.here.yz, all.here.w + from_right);
    }
{% endfor %}{% endfor %}
{% if inputs % 2 %}
    // Of an odd number of channels, a plane of zeros is added.
{% for part in range(rows * quads // lanes) %}
    d_input[own + {{ inputs * plane + part * lanes }}u] = vec4f();
{% endfor %}
{% endif %}
}
