// Instance norm → ReLU → average pool, backward, on planes in textures: from the gradient
// at the pooled planes to the one at the convolution, and to the norm's weight and bias. One invocation per plane,
// which goes over it twice: for its sums, and for the result.

// Normalised values, before weight and bias.
@group(0) @binding(1) var planes: texture_storage_2d<rgba32float, read>;
@group(0) @binding(2) var d_pooled: texture_storage_2d<rgba32float, read>;
@group(0) @binding(3) var<storage, read_write> d_planes: array<vec4f>;
// The norm's weight and bias, (nets, outputs).
@group(0) @binding(4) var<storage, read> affine: array<vec2f>;
// (images, outputs).
@group(0) @binding(5) var<storage, read> inv_std: array<f32>;
// Each plane's part of the gradient at weight and bias, (images, outputs).
@group(0) @binding(6) var<storage, read_write> d_affine: array<vec2f>;

const SIZE = {{ size }}u;
const QUADS = SIZE / 4u;
const PLANE = SIZE * QUADS;

// Of four values of a plane behind weight and bias.
fn gradient(v: vec4f, weight_bias: vec2f, pooled: u32, place: u32) -> vec4f {
    let two = place / QUADS / 2u * (SIZE / 2u) + place % QUADS * 2u;
    let above = textureLoad(d_pooled, texel(pooled + two / 4u));
    let given = 0.25 * select(above.xy, above.zw, two % 4u == 2u);
    return select(vec4f(), given.xxyy, v * weight_bias.x + weight_bias.y > vec4f());
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
    let shared_image = (params.first_image + image) / params.sharing;
    let pooled = (shared_image * padded(outputs) + k) * (PLANE / 4u);
    let weight_bias = affine[image / params.images_per_net * outputs + k];
    var sums = vec4f();
    var products = vec4f();
    for (var place = 0u; place < PLANE; place++) {
        let v = textureLoad(planes, texel(plane + place));
        let g = gradient(v, weight_bias, pooled, place);
        sums += g;
        products += g * v;
    }
    let sum_g = (sums.x + sums.y) + (sums.z + sums.w);
    let sum_gv = (products.x + products.y) + (products.z + products.w);
    d_affine[flat] = vec2f(sum_gv, sum_g);
    let mean_g = sum_g / f32(SIZE * SIZE);
    let mean_gv = sum_gv / f32(SIZE * SIZE);
    let scale = inv_std[flat] * weight_bias.x;
    for (var place = 0u; place < PLANE; place++) {
        let v = textureLoad(planes, texel(plane + place));
        let g = gradient(v, weight_bias, pooled, place);
        d_planes[plane + place] = (g - mean_g - v * mean_gv) * scale;
    }
    // Of an odd number of channels, a plane of zeros is added.
    if k + 1u == outputs && padded(outputs) > outputs {
        for (var at = plane + PLANE; at < plane + 2u * PLANE; at++) {
            d_planes[at] = vec4f();
        }
    }
}
