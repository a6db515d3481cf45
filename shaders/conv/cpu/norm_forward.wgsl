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
const QUADS = (SIZE + 3u) / 4u;
const PLANE = SIZE * QUADS;
const COUNT = f32(SIZE * SIZE);
// Of pooled planes.
const POOLED = SIZE / 2u;
const POOLED_QUADS = (POOLED + 3u) / 4u;
const POOLED_PLANE = POOLED * POOLED_QUADS;

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
            var d = textureLoad(raw, texel(plane * PLANE + y * QUADS + g)) - mean;
{% if size % 4 %}
            d = up_to_end(d, g, SIZE);
{% endif %}
            row += d * d;
        }
        squares += row;
    }
    let sigma = inverseSqrt(total(squares) / COUNT + 1e-5);
    let weight_bias = affine[image / params.images_per_net * outputs + flat % outputs];
{% if finish == "keep" %}
    inv_std[flat] = sigma;
{% endif %}
    for (var y = 0u; y < SIZE; y += 2u) {
        for (var g = 0u; g < QUADS; g += 2u) {
            let at = plane * PLANE + y * QUADS + g;
{% if size % 8 %}
            // Nothing is read beyond a plane whose edges cut through these four.
            let right = g + 1u < QUADS;
            let below = y + 1u < SIZE;
            let at_b = select(at, at + 1u, right);
            let at_c = select(at, at + QUADS, below);
            let at_d = select(at, at + QUADS + 1u, right && below);
{% else %}
            let at_b = at + 1u;
            let at_c = at + QUADS;
            let at_d = at + QUADS + 1u;
{% endif %}
            var a = (textureLoad(raw, texel(at)) - mean) * sigma;
            var b = (textureLoad(raw, texel(at_b)) - mean) * sigma;
            var c = (textureLoad(raw, texel(at_c)) - mean) * sigma;
            var d = (textureLoad(raw, texel(at_d)) - mean) * sigma;
{% if size % 4 %}
            a = up_to_end(a, g, SIZE);
            b = up_to_end(b, g + 1u, SIZE);
            c = up_to_end(c, g, SIZE);
            d = up_to_end(d, g + 1u, SIZE);
{% endif %}
{% if finish == "keep" %}
            planes[at] = a;
{% for own, condition in [("b", "right"), ("c", "below"), ("d", "right && below")] %}
{% if size % 8 %}
            if {{ condition }} {
                planes[at_{{ own }}] = {{ own }};
            }
{% else %}
            planes[at_{{ own }}] = {{ own }};
{% endif %}
{% endfor %}
{% endif %}
            let four = 0.125 * vec4f(pooled(a, c, weight_bias), pooled(b, d, weight_bias));
            let to = plane * POOLED_PLANE + y / 2u * POOLED_QUADS + g / 2u;
{% if size % 8 %}
            // Surplus rows and columns are in no window.
            if y / 2u < POOLED && g / 2u < POOLED_QUADS {
                result[to] = up_to_end(four, g / 2u, POOLED);
            }
{% else %}
            result[to] = four;
{% endif %}
        }
    }
    // Of an odd number of channels, a plane of zeros is added.
    if flat % outputs + 1u == outputs && padded(outputs) > outputs {
{% if finish == "keep" %}
        for (var at = (plane + 1u) * PLANE; at < (plane + 2u) * PLANE; at++) {
            planes[at] = vec4f();
        }
{% endif %}
        for (var at = (plane + 1u) * POOLED_PLANE; at < (plane + 2u) * POOLED_PLANE; at++) {
            result[at] = vec4f();
        }
    }
}
