// Instance norm → ReLU → average pool, backward: from the gradient at pooled planes to the one at the convolution.

// What the gradient at a plane needs beside the plane itself.
struct Moments {
    // The norm's weight and bias.
    affine: vec2f,
    // Means over the plane: of the gradient behind ReLU, and of its products with the normalised values.
    means: vec2f,
    // Weight / σ.
    scale: f32,
}

// Behind the norm's weight and bias, at four normalised values of a row, from the gradient at the two averages there.
fn behind_norm(v: vec4f, averages: vec2f, affine: vec2f) -> vec4f {
    return select(vec4f(), 0.25 * averages.xxyy, v * affine.x + affine.y > vec4f());
}

// At the convolution.
fn at_convolution(v: vec4f, averages: vec2f, m: Moments) -> vec4f {
    return (behind_norm(v, averages, m.affine) - m.means.x - v * m.means.y) * m.scale;
}

// The first plane of pooled gradients that image i takes.
fn pooled_plane(i: u32) -> u32 {
    return (params.first_image + i) / params.sharing * padded(params.outputs);
}
