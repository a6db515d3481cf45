// An activation, value by value: ReLU, leaky ReLU (slope 0.01), sigmoid, or swish x · σ(x). For CPU adapters: values lie
// in textures. A workgroup has 256 texels.

struct Params {
    // Texels.
    count: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var x: texture_storage_2d<rgba32float, read>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;

fn act(v: vec4f) -> vec4f {
    switch KIND {
        case RELU: {
            return max(v, vec4f());
        }
        case LEAKY_RELU: {
            return select(0.01 * v, v, v > vec4f());
        }
        case SIGMOID: {
            return sigmoids(v);
        }
        default: {
            return v * sigmoids(v);
        }
    }
}

@compute @workgroup_size(16)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let first = flat_group(group) * 256u;
    let end = min(first + 256u, params.count);
    for (var at = first + lane; at < end; at += 16u) {
        y[at] = act(textureLoad(x, texel(at)));
    }
}
