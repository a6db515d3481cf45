// Multiply-adds and next to nothing else, in chains that hardly wait for each other: the most
// arithmetic that an adapter does, for `bench` to measure the other kernels by.

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
    //{chains}
    for (var loops = params.loops; loops > 0u; loops--) {
        //{rounds}
    }
    //{store}
}
