// A convolution of any kernel, stride and zero padding, or a linear layer (one position, one tap), for CPU adapters
// with subgroups of {{ lanes }} lanes; or the gradient at its input. A template, which kernels/template.rs writes
// out because drivers do not reliably unroll.
//
// A workgroup is one subgroup: it has {{ lanes }} positions of all images of a network, and {{ 2 * lanes }} outputs.
// A lane loads what its own position reads, four inputs at a time, and the weights of its own two outputs;
// subgroupBroadcast brings each value to all lanes. So three loads serve {{ 8 * lanes }} multiply-adds of each lane.

// [image][position][input / 4].
@group(0) @binding(1) var x: texture_storage_2d<rgba32float, read>;
// As pack_taps.wgsl leaves them.
@group(0) @binding(2) var weights: texture_storage_2d<rgba32float, read>;
// (nets, outputs); without BIAS any other buffer, which is not read.
@group(0) @binding(3) var<storage, read> bias: array<f32>;
// (images, outputs, out_size, out_size).
{% if texels %}
@group(0) @binding(4) var y: texture_storage_2d<rgba32float, write>;
{% else %}
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
{% endif %}

override BIAS: bool;

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
    let blocks = (outputs + {{ 2 * lanes - 1 }}u) / {{ 2 * lanes }}u;
    let tiles = (values + {{ lanes - 1 }}u) / {{ lanes }}u;
    let flat = flat_group(group);
    // Neighbouring workgroups read the same positions.
    let block = flat % blocks;
    let tile = flat / blocks % tiles;
    let net = flat / blocks / tiles;
    if net * params.images_per_net >= params.images {
        return;
    }
    let mine = tile * {{ lanes }}u + lane;
    // Surplus lanes repeat the last position and store nothing of it.
    let at = parts(min(mine, values - 1u), positions);
    let image = net * params.images_per_net + at.x;
    let place = parts(at.y, params.out_size);
{% if transposed %}
    // The output that a tap has come from lies this far behind.
    let corner = place + params.padding;
{% else %}
    // What is above or left of the plane wraps around, and so is beyond its size.
    let corner = place * stride - params.padding;
{% endif %}
{% for i in range(lanes) %}
    var a{{ i }} = 0.0;
    var b{{ i }} = 0.0;
{% endfor %}
    var w = net * kernel * kernel * quads * blocks * {{ 2 * lanes }}u + block * {{ 2 * lanes }}u + lane;
    for (var ky = 0u; ky < kernel; ky++) {
{% if transposed %}
        let row = parts(corner.x - ky, stride);
{% else %}
        let row = vec2u(corner.x + ky, 0u);
{% endif %}
        for (var kx = 0u; kx < kernel; kx++) {
{% if transposed %}
            let column = parts(corner.y - kx, stride);
            let inside = ky <= corner.x && kx <= corner.y && row.y + column.y == 0u && row.x < size && column.x < size;
{% else %}
            let column = vec2u(corner.y + kx, 0u);
            let inside = row.x < size && column.x < size;
{% endif %}
            // Beside the planes are zeros, and any load will do.
            var p = select(0u, ((image * size + row.x) * size + column.x) * quads, inside);
            for (var c = 0u; c < quads; c += {{ steps }}u) {
{% for s in range(steps) %}
                let v{{ s }} = select(vec4f(), textureLoad(x, texel(p + {{ s }}u)), inside);
                let w{{ s }} = textureLoad(weights, texel(w));
                let u{{ s }} = textureLoad(weights, texel(w + {{ lanes }}u));
                w += blocks * {{ 2 * lanes }}u;
{% for i in range(lanes) %}
                {
{% for j in range(4) %}
                    let s{{ j }} = subgroupBroadcast(v{{ s }}.{{ "xyzw"[j] }}, {{ i }}u);
{% endfor %}
                    a{{ i }} = a{{ i }}{% for j in "xyzw" %} + s{{ loop.index0 }} * w{{ s }}.{{ j }}{% endfor %};
                    b{{ i }} = b{{ i }}{% for j in "xyzw" %} + s{{ loop.index0 }} * u{{ s }}.{{ j }}{% endfor %};
                }
{% endfor %}{% endfor %}
                p += {{ steps }}u;
            }
        }
    }
    let first = block * {{ 2 * lanes }}u + lane;
    let second = first + {{ lanes }}u;
    var more = vec2f();
    if BIAS {
        let row = net * outputs;
        more = vec2f(bias[row + min(first, outputs - 1u)], bias[row + min(second, outputs - 1u)]);
    }
    let base = image * outputs * positions + at.y;
{% if texels %}
    // Four positions that follow each other are one image's.
{% for i in range(0, lanes, 4) %}
    let to{{ i }} = subgroupBroadcast(base, {{ i }}u);
    if tile * {{ lanes }}u + {{ i }}u < values {
        if first < outputs {
            let sums = vec4f(a{{ i }}, a{{ i + 1 }}, a{{ i + 2 }}, a{{ i + 3 }});
            textureStore(y, texel((to{{ i }} + first * positions) / 4u), sums + more.x);
        }
        if second < outputs {
            let sums = vec4f(b{{ i }}, b{{ i + 1 }}, b{{ i + 2 }}, b{{ i + 3 }});
            textureStore(y, texel((to{{ i }} + second * positions) / 4u), sums + more.y);
        }
    }
{% endfor %}
{% else %}
{% for i in range(lanes) %}
    let to{{ i }} = subgroupBroadcast(base, {{ i }}u);
    if tile * {{ lanes }}u + {{ i }}u < values {
        if first < outputs {
            y[to{{ i }} + first * positions] = a{{ i }} + more.x;
        }
        if second < outputs {
            y[to{{ i }} + second * positions] = b{{ i }} + more.y;
        }
    }
{% endfor %}
{% endif %}
}
