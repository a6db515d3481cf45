// result = a + b, for CPU adapters: values lie in textures. A workgroup has 256 texels.

struct Params {
    // Texels.
    count: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var a: texture_storage_2d<rgba32float, read>;
@group(0) @binding(2) var b: texture_storage_2d<rgba32float, read>;
@group(0) @binding(3) var<storage, read_write> result: array<vec4f>;

@compute @workgroup_size(16)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let first = flat_group(group) * 256u;
    let end = min(first + 256u, params.count);
    for (var at = first + lane; at < end; at += 16u) {
        result[at] = textureLoad(a, texel(at)) + textureLoad(b, texel(at));
    }
}
