// A block's norm, ReLU and pool, backward, on planes in textures: the gradient at the norm's weight and bias, and
// either the one at the convolution or, with `moments`, what others need to compute that. One invocation per plane,
// which goes over it for its sums, and again for the gradient.

// Normalised values, before weight and bias.
@group(0) @binding(1) var planes: texture_storage_2d<rgba32float, read>;
@group(0) @binding(2) var d_pooled: texture_storage_2d<rgba32float, read>;
// The gradient, or two texels per plane: weight and bias, means; weight / σ.
@group(0) @binding(3) var<storage, read_write> result: array<vec4f>;
// The norm's weight and bias, (nets, outputs).
@group(0) @binding(4) var<storage, read> affine: array<vec2f>;
// (images, outputs).
@group(0) @binding(5) var<storage, read> inv_std: array<f32>;
// Each plane's part of the gradient at weight and bias, (images, outputs).
@group(0) @binding(6) var<storage, read_write> d_affine: array<vec2f>;

const SIZE = {{ size }}u;
const QUADS = (SIZE + 3u) / 4u;
const PLANE = SIZE * QUADS;
// Of pooled planes.
const POOLED = SIZE / 2u;
const POOLED_QUADS = (POOLED + 3u) / 4u;
const POOLED_PLANE = POOLED * POOLED_QUADS;

// The gradient at the two averages that four values of a plane are part of.
fn averages(pooled: u32, place: u32) -> vec2f {
    let y = place / QUADS / 2u;
    let g = place % QUADS;
{% if size % 8 %}
    // Surplus rows and columns are in no window.
    let is_any = y < POOLED && g / 2u < POOLED_QUADS;
    let at = select(0u, y * POOLED_QUADS + g / 2u, is_any);
    let four = select(vec4f(), textureLoad(d_pooled, texel(pooled + at)), is_any);
{% else %}
    let four = textureLoad(d_pooled, texel(pooled + y * POOLED_QUADS + g / 2u));
{% endif %}
    return select(four.xy, four.zw, g % 2u == 1u);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let flat = flat_group(group) * 64u + lane;
    let outputs = params.outputs;
    let image = flat / outputs;
    if image >= params.images {
        return;
    }
    let k = flat % outputs;
    let plane = (image * padded(outputs) + k) * PLANE;
    let pooled = (pooled_plane(image) + k) * POOLED_PLANE;
    let weight_bias = affine[image / params.images_per_net * outputs + k];
    var sums = vec4f();
    var products = vec4f();
    for (var place = 0u; place < PLANE; place++) {
        let v = textureLoad(planes, texel(plane + place));
        let g = behind_norm(v, averages(pooled, place), weight_bias);
        sums += g;
        products += g * v;
    }
    let sum_g = (sums.x + sums.y) + (sums.z + sums.w);
    let sum_gv = (products.x + products.y) + (products.z + products.w);
    let sum = vec2f(sum_g, sum_gv);
    d_affine[flat] = sum.yx;
    let m = Moments(weight_bias, sum / f32(SIZE * SIZE), inv_std[flat] * weight_bias.x);
{% if finish == "moments" %}
    result[2u * flat] = vec4f(m.affine, m.means);
    result[2u * flat + 1u] = vec4f(m.scale, 0.0, 0.0, 0.0);
{% else %}
    for (var place = 0u; place < PLANE; place++) {
        let v = textureLoad(planes, texel(plane + place));
        var gradient = at_convolution(v, averages(pooled, place), m);
{% if size % 4 %}
        gradient = up_to_end(gradient, place % QUADS, SIZE);
{% endif %}
        result[plane + place] = gradient;
    }
    // Of an odd number of channels, a plane of zeros is added.
    if k + 1u == outputs && padded(outputs) > outputs {
        for (var at = plane + PLANE; at < plane + 2u * PLANE; at++) {
            result[at] = vec4f();
        }
    }
{% endif %}
}
