// What a norm's kernels along a direction keep of each segment.
struct Kept {
    mean: f32,
    inv_std: f32,
    // Means over the segment of the change of x, and of that times the normalised value.
    change: vec2f,
    // Means of g and of g · x̂, g = dy · weight, and how these change.
    gradient: vec2f,
    gradient_change: vec2f,
}

// A weight and a bias, and their direction.
struct Affine {
    weight: f32,
    bias: f32,
    weight_change: f32,
    bias_change: f32,
}

// A normalised value and its change.
fn normalised(kept: Kept, x: f32, x_change: f32) -> vec2f {
    let hat = (x - kept.mean) * kept.inv_std;
    return vec2f(hat, (x_change - kept.change.x - hat * kept.change.y) * kept.inv_std);
}

// g = dy · weight, and its change.
fn scaled(affine: Affine, dy: f32, dy_change: f32) -> vec2f {
    return vec2f(dy * affine.weight, dy_change * affine.weight + dy * affine.weight_change);
}
