// The parameters of the kernels for CPU adapters. Their planes lie in textures, channel after channel, an even number per
// image: of an odd number of channels, a plane of zeros is added. Rows begin with a texel, and end with zeros if need be.

struct Params {
    // Channels of what a kernel reads and of what it makes.
    inputs: u32,
    outputs: u32,
    images: u32,
    // Images of the same network follow each other.
    images_per_net: u32,
    // Of backward passes: so many consecutive images share one gradient, and image i takes that of
    // (first_image + i) / sharing.
    first_image: u32,
    sharing: u32,
    // Of gradients at weights: 1 adds to what is there, for batches that are processed in parts.
    accumulate: u32,
    pad: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;

// Number g of the texels of a row of so many values: those that are part of it, and zeros.
fn up_to_end(v: vec4f, g: u32, size: u32) -> vec4f {
    return select(vec4f(), v, 4u * g + vec4u(0u, 1u, 2u, 3u) < vec4u(size));
}

// Channels of an image, of which there are an even number.
fn padded(channels: u32) -> u32 {
    return (channels + 1u) & ~1u;
}
