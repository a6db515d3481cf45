// As norm_relu_pool_backward.wgsl, with the lanes' work laid out as in
// norm_relu_pool_rows_forward.wgsl.

// Without a halo.
@group(0) @binding(3) var<storage, read> d_pooled: array<vec4f>;
@group(0) @binding(4) var<storage, read> inv_std: array<f32>;
// (images, channels).
@group(0) @binding(5) var<storage, read_write> d_affine: array<vec2f>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
    let channels = params.planes.channels;
    let mine = flat_group(group) * (LANES / TEAM) + lane / TEAM;
    let plane = min(mine, params.images * channels - 1u);
    let start = plane_start_vec(plane) + lane % TEAM * (2u * VECS);
    let image = plane / channels;
    let giver = (params.first_image + image) / params.sharing * channels + plane % channels;
    let d_start = (giver * params.pooled.stride + lane % TEAM * params.pooled.pitch) / 4u;
    let weight_bias = weight_and_bias(image, plane % channels);
    //{load}

    // Gradients after weight and bias.
    //{gradients}
    //{weighted}
    //{sum}
    let sums = plane_sum(vec2f(total(weighted), total(sum)));
    let means = sums / COUNT;
    let scale = inv_std[plane] * weight_bias.x;
    if mine != plane {
        return;
    }
    //{store}
    if lane % TEAM == 0u {
        d_affine[plane] = sums;
    }
}
