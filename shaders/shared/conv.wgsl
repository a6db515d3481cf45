// The parameters of convolutions, forward and backward.

struct Params {
    input: Planes,
    // Of the convolution, or of what is pooled behind it.
    result: Planes,
    images: u32,
    // Images of the same network follow each other.
    images_per_net: u32,
    pad0: u32,
    pad1: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;
