// Parameters and inputs of both kernels that pack convolution weights.

struct Params {
    outputs: u32,
    inputs: u32,
    width: u32,
    // Of pack_matrices, a matrix's side.
    chunk: u32,
    // Packed values of one network.
    len: u32,
    nets: u32,
    pad0: u32,
    pad1: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;
// (nets, outputs, inputs, 3, 3) of the forward convolution.
@group(0) @binding(1) var<storage, read> weights: array<f32>;

override TRANSPOSED: bool;
