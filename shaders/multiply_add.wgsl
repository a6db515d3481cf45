// Multiply-adds and next to nothing else, in chains that hardly wait for each other: the most
// arithmetic that an adapter can do. `bench` compares the other kernels with it. A template, which
// kernels/template.rs writes out because drivers do not reliably unroll.

struct Params {
    loops: u32,
    // Known at run time only, or the compiler would do the sums.
    factor: f32,
}

@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var<storage, read_write> result: array<vec4f>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = flat_group(group) * 64u + lane;
    if i >= arrayLength(&result) {
        return;
    }
    let factor = vec4f(params.factor);
    let start = vec4f(f32(lane), 1.0, 2.0, 3.0);
{% for k in range(chains) %}
    var a{{ k }} = start + {{ k }}.0;
{% endfor %}
    for (var loops = params.loops; loops > 0u; loops--) {
{# Were chains independent, a compiler could put one behind the other, and some do. #}
{% for round in range(rounds) %}{% for k in range(chains) %}
        a{{ k }} = fma(a{{ (k + 1) % chains }}, factor, a{{ k }});
{% endfor %}{% endfor %}
    }
    result[i] = a0{% for k in range(1, chains) %} + a{{ k }}{% endfor %};
}
