// Instance norm (biased variance, eps 1e-5), its weight and bias → ReLU → average pool 2×2.
// One workgroup per plane. An odd last row and column count for the norm but are not pooled.
//
// With KEEP the normalised values, before weight and bias, replace the planes, and 1/σ is stored:
// what the backward pass needs.

@group(0) @binding(3) var<storage, read_write> pooled: array<f32>;
@group(0) @binding(4) var<storage, read_write> inv_std: array<f32>;

override KEEP: bool;

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
    let count = f32(size * size);

    // Two sums by turns: each is half as long, and rounded half as much.
    var sum = vec2f();
    for (var w = walk(lane, size); w.y < size; w = step(w)) {
        sum = vec2f(sum.y, sum.x + planes[start + w.y * pitch + w.x]);
    }
    let halves = workgroup_sum(lane, sum);
    let mean = (halves.x + halves.y) / count;
    var squares = 0.0;
    for (var w = walk(lane, size); w.y < size; w = step(w)) {
        let d = planes[start + w.y * pitch + w.x] - mean;
        squares += d * d;
    }
    let variance = workgroup_sum(lane, vec2f(squares, 0.0)).x / count;
    let scale = inverseSqrt(variance + 1e-5);
    let weight_bias = weight_and_bias(image, channel);

    // The invocation that pools four values also normalises them, so none reads a value that another has replaced.
    let half = (size + 1u) / 2u;
    let pooled_start = plane_start(params.pooled, image, channel);
    for (var w = walk(lane, half); w.y < half; w = step(w)) {
        var total = 0.0;
        for (var tap = 0u; tap < 4u; tap++) {
            let y = w.y * 2u + tap / 2u;
            let x = w.x * 2u + tap % 2u;
            if y < size && x < size {
                let at = start + y * pitch + x;
                let v = (planes[at] - mean) * scale;
                if KEEP {
                    planes[at] = v;
                }
                total += max(v * weight_bias.x + weight_bias.y, 0.0);
            }
        }
        if w.y < params.pooled.size && w.x < params.pooled.size {
            pooled[pooled_start + w.y * params.pooled.pitch + w.x] = total * 0.25;
        }
    }
    if KEEP && lane == 0u {
        inv_std[flat] = scale;
    }
}
