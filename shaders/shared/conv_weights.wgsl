// Parameters and inputs of the kernels for gradients at convolutions' weights. `Planar` is the type by which planes are
// read.

struct Params {
    input: Planes,
    planes: Planes,
    images_per_net: u32,
    nets: u32,
    // 1: adds to what is there, for batches that are processed in parts.
    accumulate: u32,
    // Of conv_backward_weight_tiles: workgroups that share a network's images.
    parts: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;
// The convolution's input and the gradient at its output, laid out alike.
@group(0) @binding(1) var<storage, read> input: array<Planar>;
@group(0) @binding(2) var<storage, read> d_planes: array<Planar>;
// (nets, outputs, inputs, 3, 3); of conv_backward_weight_tiles, (nets, parts, outputs, inputs, 3, 3).
@group(0) @binding(3) var<storage, read_write> d_weights: array<f32>;
