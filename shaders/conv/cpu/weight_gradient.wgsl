// Gradient of convolution 3×3 at its weights, on planes of {{ size }}, for CPU adapters with subgroups of
// {{ lanes }} lanes: by Winograd's products too, which are added up before they become taps. A template, which
// kernels/template.rs writes out because drivers do not reliably unroll.
//
// A workgroup is one subgroup, with {{ inputs }} input channels, and {{ outs }} output channels per lane, of one network.
// It goes through the images in parts of {{ rows }} rows and {{ 4 * columns }} columns. A lane loads and transforms the
// gradient in its own channels' part; the pixels of the input are loaded by all lanes together, four each, with those
// around, and reach all lanes by subgroupShuffle. Each part is summed by itself, then added: that rounds less than one
// long sum.

{% if not moments %}
// The gradient at the planes that the convolution makes.
@group(0) @binding(1) var d_planes: texture_storage_2d<rgba32float, read>;
{% endif %}
// Planes that it reads.
@group(0) @binding({{ 4 if moments else 2 }}) var input: texture_storage_2d<rgba32float, read>;
// (nets, outputs, inputs, 3, 3).
@group(0) @binding({{ 5 if moments else 3 }}) var<storage, read_write> d_weights: array<f32>;
{# vec4f of a row and of a plane, and how many parts these are; rows that a part reads, and vec4f of each. #}
{% set quads = (size + 3) // 4 %}
{% set plane = size * quads %}
{% set across = (quads + columns - 1) // columns %}
{% set parts = (size + rows - 1) // rows * across %}
{% set above = 1 if parts > 1 else 0 %}
{% set aside = 1 if across > 1 else 0 %}
{% set seen = rows + 2 * above %}
{% set row = columns + 2 * aside %}
{# vec4f of the input in a part, of a channel and of all; loads of a lane for those. #}
{% set of_channel = images * seen * row %}
{% set loads = (inputs * of_channel + lanes - 1) // lanes %}

@compute @workgroup_size({{ lanes }})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
    let outputs = params.outputs;
    let inputs = params.inputs;
    let input_blocks = (inputs + {{ inputs - 1 }}u) / {{ inputs }}u;
    let blocks = (outputs + {{ outs * lanes - 1 }}u) / {{ outs * lanes }}u;
    let flat = flat_group(group);
    let first_c = flat % input_blocks * {{ inputs }}u;
    let first_k = flat / input_blocks % blocks * {{ outs * lanes }}u + lane;
    let net = flat / input_blocks / blocks;
    let first_image = net * params.images_per_net;
    if first_image >= params.images {
        return;
    }
    let end = first_image + params.images_per_net;
    // Surplus lanes and channels repeat the last and store nothing.
{% for o in range(outs) %}
    let k{{ o }} = min(first_k + {{ o * lanes }}u, outputs - 1u);
{% endfor %}
    let left = (lane + {{ lanes - 1 }}u) % {{ lanes }}u;
    let right = (lane + 1u) % {{ lanes }}u;
{% for load in range(loads) %}
    let number{{ load }} = {{ load * lanes }}u + lane;
    let c{{ load }} = min(first_c + number{{ load }} / {{ of_channel }}u, inputs - 1u);
    let image{{ load }} = number{{ load }} % {{ of_channel }}u / {{ seen * row }}u;
    let row{{ load }} = number{{ load }} % {{ seen * row }}u / {{ row }}u;
    let column{{ load }} = number{{ load }} % {{ row }}u;
    let place{{ load }} = c{{ load }} * {{ plane }}u + row{{ load }} * {{ quads }}u + column{{ load }};
{% endfor %}
{% for o in range(outs) %}{% for c in range(inputs) %}{% for t in range(3) %}{% for i in range(6) %}
    var a{{ o }}_{{ c }}_{{ t }}_{{ i }} = 0.0;
{% endfor %}{% endfor %}{% endfor %}{% endfor %}
    for (var image = first_image; image < end; image += {{ images }}u) {
{% for o in range(outs if moments else 0) %}
        let m{{ o }} = moments_of(image, k{{ o }});
        let pooled{{ o }} = (pooled_plane(image) + k{{ o }}) * {{ plane // 4 }}u;
{% endfor %}
{% if across > 1 %}
        for (var part = 0u; part < {{ parts }}u; part++) {
            let first_row = part / {{ across }}u * {{ rows }}u;
            let first_column = part % {{ across }}u * {{ columns }}u;
{% elif parts > 1 %}
        for (var first_row = 0u; first_row < {{ size }}u; first_row += {{ rows }}u) {
{% else %}
        {
{% endif %}
{% if parts > 1 %}
            let of_part = first_row * {{ quads }}u{{ " + first_column" if across > 1 }};
{% endif %}
{% for o in range(outs) %}{% for image in range(images) %}
{% set d_image = "d_image" ~ o ~ "_" ~ image %}
{% if images > 1 %}
{% if o == 0 %}
            let live{{ image }} = image + {{ image }}u < end;
{% endif %}
            let {{ d_image }} = (min(image + {{ image }}u, end - 1u) * padded(outputs) + k{{ o }}) * {{ plane }}u;
{% else %}
            let {{ d_image }} = (image * padded(outputs) + k{{ o }}) * {{ plane }}u{{ " + of_part" if parts > 1 }};
{% endif %}
{% for pair in range(rows * quads // 4 if moments else 0) %}
            let averages{{ o }}_{{ pair }} = textureLoad(d_pooled, texel(pooled{{ o }} + first_row * {{ quads // 4 }}u + {{ pair }}u));
{% endfor %}
{% for y in range(rows) %}{% for g in range(columns) %}
{% set n = o ~ "_" ~ image ~ "_" ~ y ~ "_" ~ g %}
{% set load = "textureLoad(" ~ ("planes" if moments else "d_planes") ~ ", texel(" ~ d_image ~ " + " ~ (y * quads + g) ~ "u))" %}
{# Parts at the lower and right edges may reach beyond the plane. #}
{% if parts > 1 and (size % rows or quads % columns) %}
{% if o == 0 %}
            let within{{ y }}_{{ g }} = first_row + {{ y }}u < {{ size }}u{{ " && first_column + " ~ g ~ "u < " ~ quads ~ "u" if across > 1 }};
{% endif %}
{% set load = "select(vec4f(), " ~ load ~ ", within" ~ y ~ "_" ~ g ~ ")" %}
{% endif %}
{% if moments %}
{% set averages = "averages" ~ o ~ "_" ~ (y // 2 * quads + g) // 2 ~ (".zw" if g % 2 else ".xy") %}
            let d{{ n }} = at_products(at_convolution({{ load }}, {{ averages }}, m{{ o }}));
{% elif images > 1 %}
            let d{{ n }} = at_products(select(vec4f(), {{ load }}, live{{ image }}));
{% else %}
            let d{{ n }} = at_products({{ load }});
{% endif %}
{% endfor %}{% endfor %}{% endfor %}{% endfor %}
{% for load in range(loads) %}
{% if images > 1 %}
            let of{{ load }} = min(image + image{{ load }}, end - 1u) * padded(inputs) * {{ plane }}u;
{% else %}
            let of{{ load }} = image * padded(inputs) * {{ plane }}u;
{% endif %}
{% if above %}
            // Rows count from the one above the part{{ ", columns from the one beside it" if aside }}.
            let y{{ load }} = first_row + row{{ load }};
{% if aside %}
            let x{{ load }} = first_column + column{{ load }};
{% endif %}
            let inside{{ load }} = y{{ load }} > 0u && y{{ load }} <= {{ size }}u{{ " && x" ~ load ~ " > 0u && x" ~ load ~ " <= " ~ quads ~ "u" if aside }};
            let shifted{{ load }} = select({{ quads + aside }}u, place{{ load }} + of_part, inside{{ load }});
            let v{{ load }} = select(
                vec4f(),
                textureLoad(input, texel(of{{ load }} + shifted{{ load }} - {{ quads + aside }}u)),
                inside{{ load }},
            );
{% else %}
            let v{{ load }} = textureLoad(input, texel(of{{ load }} + place{{ load }}));
{% endif %}
{% endfor %}
{% for load in range(loads) %}
            let t{{ load }} = transformed({{ beside("v", load, loads, lanes, row, aside == 1) }});
{% endfor %}
{% for c in range(inputs) %}{% for i in range(6) %}
            {
{% for image in range(images) %}{% for g in range(columns) %}
{% set n = image ~ "_" ~ g %}
{% for r in range(seen) %}
{% set at = ((c * images + image) * seen + r) * row + g + aside %}
                let b{{ n }}_{{ r }} = subgroupShuffle(t{{ at // lanes }}.p{{ i }}, {{ at % lanes }}u);
{% endfor %}
{% for o in range(outs) %}{% for t in range(3) %}
                let s{{ o }}_{{ t }}_{{ n }} =
{%- for y in range(rows) if 0 <= y + t - 1 + above and y + t - 1 + above < seen %}
{{ " " if loop.first else " + " }}d{{ o }}_{{ image }}_{{ y }}_{{ g }}.p{{ i }} * b{{ n }}_{{ y + t - 1 + above }}
{%- endfor %};
{% endfor %}{% endfor %}{% endfor %}{% endfor %}
{% for o in range(outs) %}{% for t in range(3) %}
                a{{ o }}_{{ c }}_{{ t }}_{{ i }} +=
{%- for image in range(images) %}{% for g in range(columns) %}
{{ " " if image + g == 0 else " + " }}s{{ o }}_{{ t }}_{{ image }}_{{ g }}
{%- endfor %}{% endfor %};
{% endfor %}{% endfor %}
            }
{% endfor %}{% endfor %}
        }
    }
{% for o in range(outs) %}{% for c in range(inputs) %}
    if first_k + {{ o * lanes }}u < outputs && first_c + {{ c }}u < inputs {
        let at = ((net * outputs + k{{ o }}) * inputs + first_c + {{ c }}u) * 9u;
{% for t in range(3) %}
{% set a = "a" ~ o ~ "_" ~ c ~ "_" ~ t ~ "_" %}
        let taps{{ t }} = taps({{ a }}0, {{ a }}1, {{ a }}2, {{ a }}3, {{ a }}4, {{ a }}5);
{% for x in range(3) %}
        put(at + {{ 3 * t + x }}u, taps{{ t }}[{{ x }}]);
{% endfor %}{% endfor %}
    }
{% endfor %}{% endfor %}
}

fn put(at: u32, value: f32) {
    var sum = value;
    if params.accumulate == 1u {
        sum += d_weights[at];
    }
    d_weights[at] = sum;
}
