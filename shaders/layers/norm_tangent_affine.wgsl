// Weights and biases of a norm and their direction side by side, as the kernels along a direction read them. One
// invocation a pair.

struct Params {
    count: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var<storage, read> affine: array<vec2f>;
@group(0) @binding(2) var<storage, read> direction: array<vec2f>;
@group(0) @binding(3) var<storage, read_write> result: array<vec4f>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let at = flat_group(group) * 64u + lane;
    if at < params.count {
        result[at] = vec4f(affine[at], direction[at]);
    }
}
