// The gradient at an activation's input, from the one at its output. It reads the activation's output; for swish, where
// two inputs can have the same output, it reads the input. For CPU adapters: values lie in textures. A workgroup has 256
// texels.

struct Params {
    // Texels.
    count: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var kept: texture_storage_2d<rgba32float, read>;
@group(0) @binding(2) var dy: texture_storage_2d<rgba32float, read>;
@group(0) @binding(3) var<storage, read_write> dx: array<vec4f>;

fn act_back(v: vec4f, d: vec4f) -> vec4f {
    switch KIND {
        case RELU: {
            return select(vec4f(), d, v > vec4f());
        }
        case LEAKY_RELU: {
            return select(0.01 * d, d, v > vec4f());
        }
        case SIGMOID: {
            return d * v * (1.0 - v);
        }
        default: {
            let s = sigmoids(v);
            return d * (s + v * s * (1.0 - s));
        }
    }
}

@compute @workgroup_size(16)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let first = flat_group(group) * 256u;
    let end = min(first + 256u, params.count);
    for (var at = first + lane; at < end; at += 16u) {
        dx[at] = act_back(textureLoad(kept, texel(at)), textureLoad(dy, texel(at)));
    }
}
