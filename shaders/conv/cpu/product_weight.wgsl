// The gradient at the weights of what product.wgsl computes forward, for CPU adapters with subgroups of {{ lanes }}
// lanes. A template, which kernels/template.rs writes out because drivers do not reliably unroll.
//
// A workgroup is one subgroup: it has one tap of one network, {{ 4 * lanes }} outputs, four of them per lane, and
// {{ 4 * quads }} inputs. It goes through those positions of all images that the tap reaches, {{ lanes }} a turn: a lane
// loads the inputs of one of them, all lanes load the gradient of one after the other, and subgroupBroadcast brings each
// input to all lanes. Some turns are summed by themselves, then added: that rounds less than one long sum.

// [image][position][input / 4].
@group(0) @binding(1) var x: texture_storage_2d<rgba32float, read>;
// [image][position][output / 4].
@group(0) @binding(2) var dy: texture_storage_2d<rgba32float, read>;
// (nets, outputs, inputs, taps).
@group(0) @binding(3) var<storage, read_write> dw: array<f32>;

// The rows of outputs at which a tap reads inside the plane, or the columns: the first, and how many. `shift` leads from
// an output to what the tap reads.
fn reached(shift: i32) -> vec2u {
    let stride = i32(params.stride);
    let first = max(0, -shift + stride - 1) / stride;
    // One behind the last output whose tap still reads inside.
    let end = min(i32(params.out_size), (i32(params.size) - 1 - shift + stride) / stride);
    return vec2u(u32(first), u32(max(0, end - first)));
}

@compute @workgroup_size({{ lanes }})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
    let inputs = params.inputs;
    let outputs = params.outputs;
    let size = params.size;
    let out_size = params.out_size;
    let stride = params.stride;
    let positions = out_size * out_size;
    let in_quads = (inputs + 3u) / 4u;
    let out_quads = (outputs + 3u) / 4u;
    let in_blocks = (in_quads + {{ quads - 1 }}u) / {{ quads }}u;
    let out_blocks = (out_quads + {{ lanes - 1 }}u) / {{ lanes }}u;
    let taps = params.kernel * params.kernel;
    let flat = flat_group(group);
    // Neighbouring workgroups have the taps of the same weights, which share lines of the cache.
    let tap = flat % taps;
    let first_quad = flat / taps % in_blocks * {{ quads }}u;
    let block = flat / taps / in_blocks % out_blocks;
    let net = flat / taps / in_blocks / out_blocks;
    let first_image = net * params.images_per_net;
    if first_image >= params.images {
        return;
    }
    let shift = vec2i(parts(tap, params.kernel)) - i32(params.padding);
    let rows = reached(shift.x);
    let columns = reached(shift.y);
    let own = rows.y * columns.y;
    let values = params.images_per_net * own;
    // Surplus lanes and inputs repeat the last and store nothing.
    let out_quad = min(block * {{ lanes }}u + lane, out_quads - 1u);
    let d_first = first_image * positions * out_quads + out_quad;
{% for q in range(quads) %}
    let quad{{ q }} = min(first_quad + {{ q }}u, in_quads - 1u);
{% endfor %}
{% for k in range(4 * quads) %}
    var sum{{ k }} = vec4f();
{% endfor %}
    for (var start = 0u; start < values; start += {{ lanes * turns }}u) {
{% for k in range(4 * quads) %}
        var a{{ k }} = vec4f();
{% endfor %}
        let stop = min(start + {{ lanes * turns }}u, values);
        for (var first = start; first < stop; first += {{ lanes }}u) {
            let inside = first + lane < values;
            let at = parts(min(first + lane, values - 1u), own);
            let place = parts(at.y, columns.y) + vec2u(rows.x, columns.x);
            let read = vec2u(vec2i(place * stride) + shift);
            let p = (((first_image + at.x) * size + read.x) * size + read.y) * in_quads;
            let d = (at.x * positions + place.x * out_size + place.y) * out_quads;
{% for q in range(quads) %}
            let v{{ q }} = select(vec4f(), textureLoad(x, texel(p + quad{{ q }})), inside);
{% endfor %}
{% for i in range(lanes) %}
            let d{{ i }} = textureLoad(dy, texel(d_first + subgroupBroadcast(d, {{ i }}u)));
{% endfor %}
{% for k in range(4 * quads) %}
            a{{ k }} = a{{ k }}{% for i in range(lanes) %}

                + d{{ i }} * subgroupBroadcast(v{{ k // 4 }}.{{ "xyzw"[k % 4] }}, {{ i }}u){% endfor %};
{% endfor %}
        }
{% for k in range(4 * quads) %}
        sum{{ k }} += a{{ k }};
{% endfor %}
    }
    if block * {{ lanes }}u + lane != out_quad {
        return;
    }
{% for k in range(4 * quads) %}
    put(net, 4u * out_quad, 4u * first_quad + {{ k }}u, tap, sum{{ k }});
{% endfor %}
}

fn put(net: u32, output: u32, input: u32, tap: u32, gradient: vec4f) {
    if input >= params.inputs {
        return;
    }
    for (var i = 0u; i < 4u; i++) {
        if output + i < params.outputs {
            let row = (net * params.outputs + output + i) * params.inputs + input;
            let at = row * params.kernel * params.kernel + tap;
            dw[at] = gradient[i] + select(0.0, dw[at], params.accumulate == 1u);
        }
    }
}
