// What both directions of conv_first read, and the sum that both need.

// Haloed planes, whose rows are whole vec4f.
@group(0) @binding(1) var<storage, read> input: array<vec4f>;
// (nets, outputs, INPUTS, 3, 3).
@group(0) @binding(2) var<storage, read> weights: array<f32>;
// The norm's weight and bias, (nets, outputs).
@group(0) @binding(3) var<storage, read> affine: array<vec2f>;

// The sum over all lanes, always in the same order.
fn plane_sum(value: f32) -> f32 {
    var sum = value;
    for (var distance = 1u; distance < LANES; distance *= 2u) {
        sum += subgroupShuffleXor(sum, distance);
    }
    return sum;
}
