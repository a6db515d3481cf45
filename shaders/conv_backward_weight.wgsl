// Gradient of convolution 3×3 at its weights: each weight's sum, over the images of its network and
// all pixels, of the gradient at the output times the input that the weight met there.
// The simplest version: one invocation a weight.

struct Params {
    input: Planes,
    planes: Planes,
    images_per_net: u32,
    nets: u32,
    // 1: adds to what is there, for batches that are processed in parts.
    accumulate: u32,
    pad: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;
// The convolution's input, with its zero halo.
@group(0) @binding(1) var<storage, read> input: array<f32>;
// The gradient at its output, with a zero halo.
@group(0) @binding(2) var<storage, read> d_planes: array<f32>;
// (nets, outputs, inputs, 3, 3).
@group(0) @binding(3) var<storage, read_write> d_weights: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let inputs = params.input.channels;
    let outputs = params.planes.channels;
    let size = params.planes.size;
    let flat = flat_group(group) * 64u + lane;
    let tap = flat % 9u;
    let c = (flat / 9u) % inputs;
    let k = (flat / 9u / inputs) % outputs;
    let net = flat / 9u / inputs / outputs;
    if net >= params.nets {
        return;
    }
    var sum = 0.0;
    let first = net * params.images_per_net;
    for (var image = first; image < first + params.images_per_net; image++) {
        let pitch = params.input.pitch;
        let corner = plane_start(params.input, image, c) - pitch - 1u
            + (tap / 3u) * pitch + tap % 3u;
        let start = plane_start(params.planes, image, k);
        for (var y = 0u; y < size; y++) {
            for (var x = 0u; x < size; x++) {
                let d = d_planes[start + y * params.planes.pitch + x];
                sum += d * input[corner + y * pitch + x];
            }
        }
    }
    d_weights[flat] = sum + select(0.0, d_weights[flat], params.accumulate == 1u);
}
