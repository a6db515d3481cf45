// Where bilinear sampling took an input pixel, for its transpose.

// Output pixels that may have sampled input pixel (y, x): a box of (first y, first x, last y, last x).
fn samplers(m: vec4f, y: i32, x: i32) -> vec4i {
    let size = params.source.size;
    let det = m.x * m.w - m.y * m.z;
    let inverse = vec4f(m.w, -m.y, -m.z, m.x) / det;
    let centre = affine_source(inverse, y, x, size);
    // Output pixels closer than one pixel count, seen through the inverse, plus a little for rounding.
    let reach = vec2f(abs(inverse.z) + abs(inverse.w), abs(inverse.x) + abs(inverse.y)) + 0.01;
    let last = vec2f(f32(size) - 1.0);
    return vec4i(
        vec2i(max(ceil(centre - reach), vec2f(0.0))),
        vec2i(min(floor(centre + reach), last)),
    );
}

// The weight with which sampling at `at` took (y, x): just as the forward pass computes it.
fn tap_weight(at: vec2f, y: i32, x: i32) -> f32 {
    let corner = floor(at);
    let w = at - corner;
    let d = vec2i(y, x) - vec2i(corner);
    if any(d < vec2i(0)) || any(d > vec2i(1)) {
        return 0.0;
    }
    let along = select(vec2f(1.0) - w, w, d == vec2i(1));
    return along.x * along.y;
}
