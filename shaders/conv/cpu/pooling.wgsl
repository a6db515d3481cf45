// Norm's weight and bias, ReLU and average pool.

// Of 2×4 normalised values, eight times the two averages. ReLU is doubled as r + |r|, to the bit, because it
// lets a NaN pass.
fn pooled(upper: vec4f, lower: vec4f, weight_bias: vec2f) -> vec2f {
    let a = upper * weight_bias.x + weight_bias.y;
    let b = lower * weight_bias.x + weight_bias.y;
    let columns = (a + abs(a)) + (b + abs(b));
    return columns.xz + columns.yw;
}
