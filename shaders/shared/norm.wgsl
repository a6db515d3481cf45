// Parameters and buffers of both directions of norm_relu_pool, whose files have the formulas. `Planar` is the type by
// which planes are read.

struct Params {
    planes: Planes,
    pooled: Planes,
    images: u32,
    // Images of the same network follow each other.
    images_per_net: u32,
    // Backward: so many consecutive images share one gradient, and image i takes that of
    // (first_image + i) / sharing.
    first_image: u32,
    sharing: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var<storage, read_write> planes: array<Planar>;
// The norm's weight and bias, (nets, channels).
@group(0) @binding(2) var<storage, read> affine: array<vec2f>;

fn weight_and_bias(image: u32, channel: u32) -> vec2f {
    return affine[(image / params.images_per_net) * params.planes.channels + channel];
}
