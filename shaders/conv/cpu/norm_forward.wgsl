// Instance norm → ReLU → average pool, forward, on planes in textures of which a convolution makes parts. A template.
// One invocation per plane, which goes over it three times: for its mean, its variance, and the result.

// What the convolution has made.
@group(0) @binding(1) var raw: texture_storage_2d<rgba32float, read>;
// Pooled planes.
@group(0) @binding(2) var<storage, read_write> result: array<vec4f>;
// The norm's weight and bias, (nets, outputs).
@group(0) @binding(3) var<storage, read> affine: array<vec2f>;
{% if finish == "keep" %}
// Normalised values, before weight and bias.
@group(0) @binding(4) var<storage, read_write> planes: array<vec4f>;
// (images, outputs).
@group(0) @binding(5) var<storage, read_write> inv_std: array<f32>;
{% endif %}

const SIZE = {{ size }}u;
const QUADS = SIZE / 4u;
const PLANE = SIZE * QUADS;
const COUNT = f32(SIZE * SIZE);

fn total(v: vec4f) -> f32 {
    return (v.x + v.y) + (v.z + v.w);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let flat = flat_group(group) * 64u + lane;
    let outputs = params.outputs;
    let image = flat / outputs;
    if image >= params.images {
        return;
    }
    let plane = image * padded(outputs) + flat % outputs;
    // Row by row: that rounds less than one long sum.
    var sum = vec4f();
    for (var y = 0u; y < SIZE; y++) {
        var row = vec4f();
        for (var g = 0u; g < QUADS; g++) {
            row += textureLoad(raw, texel(plane * PLANE + y * QUADS + g));
        }
        sum += row;
    }
    let mean = total(sum) / COUNT;
    var squares = vec4f();
    for (var y = 0u; y < SIZE; y++) {
        var row = vec4f();
        for (var g = 0u; g < QUADS; g++) {
            let d = textureLoad(raw, texel(plane * PLANE + y * QUADS + g)) - mean;
            row += d * d;
        }
        squares += row;
    }
    let sigma = inverseSqrt(total(squares) / COUNT + 1e-5);
    let weight_bias = affine[image / params.images_per_net * outputs + flat % outputs];
{% if finish == "keep" %}
    inv_std[flat] = sigma;
{% endif %}
    for (var y = 0u; y < SIZE / 2u; y++) {
        for (var g = 0u; g < QUADS; g += 2u) {
            let at = plane * PLANE + 2u * y * QUADS + g;
            let a = (textureLoad(raw, texel(at)) - mean) * sigma;
            let b = (textureLoad(raw, texel(at + 1u)) - mean) * sigma;
            let c = (textureLoad(raw, texel(at + QUADS)) - mean) * sigma;
            let d = (textureLoad(raw, texel(at + QUADS + 1u)) - mean) * sigma;
{% if finish == "keep" %}
            planes[at] = a;
            planes[at + 1u] = b;
            planes[at + QUADS] = c;
            planes[at + QUADS + 1u] = d;
{% endif %}
            let four = vec4f(pooled(a, c, weight_bias), pooled(b, d, weight_bias));
            result[plane * (PLANE / 4u) + y * (QUADS / 2u) + g / 2u] = 0.125 * four;
        }
    }
    // Of an odd number of channels, a plane of zeros is added.
    if flat % outputs + 1u == outputs && padded(outputs) > outputs {
{% if finish == "keep" %}
        for (var at = (plane + 1u) * PLANE; at < (plane + 2u) * PLANE; at++) {
            planes[at] = vec4f();
        }
{% endif %}
        for (var at = (plane + 1u) * (PLANE / 4u); at < (plane + 2u) * (PLANE / 4u); at++) {
            result[at] = vec4f();
        }
    }
}
