// Gradient of average pool 2×2 ← ReLU ← instance norm. One workgroup a plane; the normalised
// values that the forward pass kept are replaced by the gradient at the norm's input.
//
// With x̂ normalised, g = d x̂ and means over the plane: dx = (g − mean(g) − x̂ · mean(g · x̂)) / σ.

struct Params {
    planes: Planes,
    pooled: Planes,
    images: u32,
    first_image: u32,
    // So many consecutive images share one gradient: image i reads (first_image + i) / sharing.
    sharing: u32,
    pad: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> planes: array<f32>;
@group(0) @binding(2) var<storage, read> d_pooled: array<f32>;
@group(0) @binding(3) var<storage, read> inv_std: array<f32>;

// Gradient at normalised value `v` of pixel (y, x).
fn d_normalised(start: u32, v: f32, y: u32, x: u32) -> f32 {
    if v <= 0.0 || y / 2u >= params.pooled.size || x / 2u >= params.pooled.size {
        return 0.0;
    }
    return 0.25 * d_pooled[start + (y / 2u) * params.pooled.pitch + x / 2u];
}

@compute @workgroup_size(64)
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

    var sums = vec2f(0.0);
    for (var p = lane; p < size * size; p += 64u) {
        let v = planes[start + (p / size) * pitch + p % size];
        let g = d_normalised(pooled_start, v, p / size, p % size);
        sums += vec2f(g, g * v);
    }
    let means = workgroup_sum(lane, sums) / f32(size * size);
    let scale = inv_std[flat];
    for (var p = lane; p < size * size; p += 64u) {
        let at = start + (p / size) * pitch + p % size;
        let v = planes[at];
        let g = d_normalised(pooled_start, v, p / size, p % size);
        planes[at] = (g - means.x - v * means.y) * scale;
    }
}
