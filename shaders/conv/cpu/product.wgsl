// A convolution of any kernel, stride and zero padding, or a linear layer (one position, one tap), for CPU adapters
// with subgroups of {{ lanes }} lanes; or the gradient at its input. A template, which kernels/template.rs writes
// out because drivers do not reliably unroll.
//
// A workgroup is one subgroup: it has {{ tiles * lanes }} positions of all images of a network, in {{ tiles }} tiles, and
// {{ outs * lanes }} outputs. A lane loads what its own position of a tile reads, four inputs at a time, and the weights of
// its own {{ outs }} outputs; subgroupBroadcast brings each value to all lanes. So {{ outs + tiles }} loads serve
// {{ 4 * tiles * outs * lanes }} multiply-adds of each lane.
{% if order == "apart" %}
//
// With a stride, a tap reaches every other row and column: a tile has positions that leave the same remainders, which the
// same taps reach.
{% elif order == "places" %}
//
// On small planes, a tap is beside many positions: a tile has the same position of several images.
{% endif %}

// [image][position][input / 4].
@group(0) @binding(1) var x: texture_storage_2d<rgba32float, read>;
// As pack_taps.wgsl leaves them.
@group(0) @binding(2) var weights: texture_storage_2d<rgba32float, read>;
// (nets, outputs); without BIAS any other buffer, which is not read.
@group(0) @binding(3) var<storage, read> bias: array<f32>;
// (images, outputs, out_size, out_size).
{% if texels %}
@group(0) @binding(4) var<storage, read_write> y: array<vec4f>;
{% else %}
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
{% endif %}

override BIAS: bool;

{% set row = outs * lanes %}
@compute @workgroup_size({{ lanes }})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
    let inputs = params.inputs;
    let outputs = params.outputs;
    let size = params.size;
    let kernel = params.kernel;
    let stride = params.stride;
    let positions = params.out_size * params.out_size;
    let values = params.images_per_net * positions;
    let quads = (inputs + 3u) / 4u;
    let blocks = (outputs + {{ row - 1 }}u) / {{ row }}u;
    let turns = (values + {{ tiles * lanes - 1 }}u) / {{ tiles * lanes }}u;
    let flat = flat_group(group);
    let net = flat / (blocks * turns);
    if net * params.images_per_net >= params.images {
        return;
    }
    // Neighbouring workgroups read the same of what is more: the same weights if these outnumber the images' values.
    let own = flat % (blocks * turns);
    let by_weights = kernel * kernel * outputs > params.images_per_net * size * size;
    let block = select(own % blocks, own / turns, by_weights);
    let turn = select(own / blocks, own % turns, by_weights);
{% if order == "apart" %}
    // Of each image, `side` rows and columns leave the same remainders.
    let step = select(1u, stride, params.out_size % stride == 0u);
    let side = params.out_size / step;
{% endif %}
{% for t in range(tiles) %}
    // Surplus lanes repeat the last position and store nothing of it.
    let mine{{ t }} = turn * {{ tiles * lanes }}u + {{ t * lanes }}u + lane;
{% if order == "apart" %}
    let remainders{{ t }} = parts(min(mine{{ t }}, values - 1u), params.images_per_net * side * side);
    let at{{ t }} = parts(remainders{{ t }}.y, side * side);
    let image{{ t }} = net * params.images_per_net + at{{ t }}.x;
    let place{{ t }} = parts(at{{ t }}.y, side) * step + parts(remainders{{ t }}.x, step);
{% else %}
    let at{{ t }} = parts(min(mine{{ t }}, values - 1u), {{ "params.images_per_net" if order == "places" else "positions" }}){{ ".yx" if order == "places" }};
    let image{{ t }} = net * params.images_per_net + at{{ t }}.x;
    let place{{ t }} = parts(at{{ t }}.y, params.out_size);
{% endif %}
{% if transposed %}
    // The output that a tap has come from lies this far behind.
    let corner{{ t }} = place{{ t }} + params.padding;
{% else %}
    // What is above or left of the plane wraps around, and so is beyond its size.
    let corner{{ t }} = place{{ t }} * stride - params.padding;
{% endif %}
{% for o in range(outs) %}{% for i in range(lanes) %}
    var a{{ t }}_{{ o }}_{{ i }} = 0.0;
{% endfor %}{% endfor %}{% endfor %}
    let first_weight = net * kernel * kernel * quads * blocks * {{ row }}u + block * {{ row }}u + lane;
    var tap = first_weight;
    for (var ky = 0u; ky < kernel; ky++) {
{% for t in range(tiles) %}
{% if transposed %}
        let row{{ t }} = parts(corner{{ t }}.x - ky, stride);
{% else %}
        let row{{ t }} = vec2u(corner{{ t }}.x + ky, 0u);
{% endif %}{% endfor %}
        for (var kx = 0u; kx < kernel; kx++) {
{% for t in range(tiles) %}
{% if transposed %}
            let column{{ t }} = parts(corner{{ t }}.y - kx, stride);
            let inside{{ t }} = ky <= corner{{ t }}.x && kx <= corner{{ t }}.y && row{{ t }}.y + column{{ t }}.y == 0u
                && row{{ t }}.x < size && column{{ t }}.x < size;
{% else %}
            let column{{ t }} = vec2u(corner{{ t }}.y + kx, 0u);
            let inside{{ t }} = row{{ t }}.x < size && column{{ t }}.x < size;
{% endif %}
            // Beside the planes are zeros, and any load will do.
            let p{{ t }} = select(0u, ((image{{ t }} * size + row{{ t }}.x) * size + column{{ t }}.x) * quads, inside{{ t }});
{% endfor %}
            // A tap that reaches no position at all is passed over.
            let reaches = subgroupAny({% for t in range(tiles) %}{{ " || " if not loop.first }}inside{{ t }}{% endfor %});
            var w = tap;
            for (var c = select(quads, 0u, reaches); c < quads; c++) {
{% for t in range(tiles) %}
                let v{{ t }} = select(vec4f(), textureLoad(x, texel(p{{ t }} + c)), inside{{ t }});
{% endfor %}
{% for o in range(outs) %}
                let w{{ o }} = textureLoad(weights, texel(w + {{ o * lanes }}u));
{% endfor %}
                w += blocks * {{ row }}u;
{% for i in range(lanes) %}{% for t in range(tiles) %}
                {
{% for j in range(4) %}
                    let s{{ j }} = subgroupBroadcast(v{{ t }}.{{ "xyzw"[j] }}, {{ i }}u);
{% endfor %}
{% for o in range(outs) %}
{% set a = "a" ~ t ~ "_" ~ o ~ "_" ~ i %}
                    {{ a }} = {{ a }}{% for j in "xyzw" %} + s{{ loop.index0 }} * w{{ o }}.{{ j }}{% endfor %};
{% endfor %}
                }
{% endfor %}{% endfor %}
            }
            tap += quads * blocks * {{ row }}u;
        }
    }
{% for t in range(tiles) %}
    let base{{ t }} = image{{ t }} * outputs * positions + place{{ t }}.x * params.out_size + place{{ t }}.y;
{% endfor %}
{% for o in range(outs) %}
    {
        let output = block * {{ row }}u + {{ o * lanes }}u + lane;
        var more = 0.0;
        if BIAS {
            more = bias[net * outputs + min(output, outputs - 1u)];
        }
{# Four positions that follow each other are one image's, and a texel. #}
{% for n in range(0, tiles * lanes, 4 if texels else 1) %}
        {
            let to = subgroupBroadcast(base{{ n // lanes }}, {{ n % lanes }}u) + output * positions;
            if turn * {{ tiles * lanes }}u + {{ n }}u < values && output < outputs {
{% if texels %}
                let sums = vec4f({% for m in range(n, n + 4) %}{{ ", " if not loop.first }}a{{ m // lanes }}_{{ o }}_{{ m % lanes }}{% endfor %});
                y[to / 4u] = sums + more;
{% else %}
                y[to] = a{{ n // lanes }}_{{ o }}_{{ n % lanes }} + more;
{% endif %}
            }
        }
{% endfor %}
    }
{% endfor %}
}
