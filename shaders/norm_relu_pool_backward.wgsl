// Gradient of average pool 2×2 ← ReLU ← instance norm. One workgroup per plane; the normalised
// values that the forward pass kept are replaced by the gradient at the norm's input.
//
// With x̂ normalised, g the gradient after weight and bias, and means over the plane:
// dx = weight · (g − mean(g) − x̂ · mean(g · x̂)) / σ. The sums of g · x̂ and g are also stored; added up over a batch,
// they are the gradients at weight and bias.

@group(0) @binding(3) var<storage, read> d_pooled: array<f32>;
@group(0) @binding(4) var<storage, read> inv_std: array<f32>;
// (images, channels).
@group(0) @binding(5) var<storage, read_write> d_affine: array<vec2f>;

// Gradient where ReLU got `v`, at pixel (y, x).
fn d_rectified(start: u32, v: f32, y: u32, x: u32) -> f32 {
    if v <= 0.0 || y / 2u >= params.pooled.size || x / 2u >= params.pooled.size {
        return 0.0;
    }
    return 0.25 * d_pooled[start + (y / 2u) * params.pooled.pitch + x / 2u];
}

@compute @workgroup_size(TEAM)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let flat = flat_group(group);
    let image = flat / params.planes.channels;
    let channel = flat % params.planes.channels;
    if image >= params.images {
        return;
    }
    let size = params.planes.size;
    let pitch = params.planes.pitch;
    let start = plane_start(params.planes, image, channel);
    let giver = (params.first_image + image) / params.sharing;
    let pooled_start = plane_start(params.pooled, giver, channel);

    let weight_bias = weight_and_bias(image, channel);
    var sums = vec2f(0.0);
    for (var w = walk(lane, size); w.y < size; w = step(w)) {
        let v = planes[start + w.y * pitch + w.x];
        let rectified = v * weight_bias.x + weight_bias.y;
        let g = d_rectified(pooled_start, rectified, w.y, w.x);
        sums += vec2f(g * v, g);
    }
    let total = workgroup_sum(lane, sums);
    if lane == 0u {
        d_affine[flat] = total;
    }
    let means = total / f32(size * size);
    let scale = inv_std[flat] * weight_bias.x;
    for (var w = walk(lane, size); w.y < size; w = step(w)) {
        let at = start + w.y * pitch + w.x;
        let v = planes[at];
        let rectified = v * weight_bias.x + weight_bias.y;
        let g = d_rectified(pooled_start, rectified, w.y, w.x);
        planes[at] = (g - means.y - v * means.x) * scale;
    }
}
