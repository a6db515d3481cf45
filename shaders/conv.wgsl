// Convolution 3×3, stride 1, padding 1, without bias (the norm after it would cancel one).
// The simplest version, and the yardstick for the others: one invocation per value of the output.
//
// The input has a zero halo, so no tap needs a bounds test. With TRANSPOSED it is the gradient at
// the input from the one at the output: the same sum with the kernel turned by half a turn and its
// two channel axes exchanged.

@group(0) @binding(1) var<storage, read> input: array<f32>;
// (nets, outputs, inputs, 3, 3) of the forward convolution.
@group(0) @binding(2) var<storage, read> weights: array<f32>;
@group(0) @binding(3) var<storage, read_write> result: array<f32>;

override TRANSPOSED: bool;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let size = params.result.size;
    let outputs = params.result.channels;
    let inputs = params.input.channels;
    let flat = flat_group(group) * 64u + lane;
    let x = flat % size;
    let y = (flat / size) % size;
    let k = (flat / (size * size)) % outputs;
    let image = flat / (size * size * outputs);
    if image >= params.images {
        return;
    }
    let pitch = params.input.pitch;
    let first_weight = (image / params.images_per_net) * outputs * inputs * 9u;
    var sum = 0.0;
    for (var c = 0u; c < inputs; c++) {
        let corner = plane_start(params.input, image, c) + y * pitch + x - pitch - 1u;
        let w = first_weight + 9u * select(k * inputs + c, c * outputs + k, TRANSPOSED);
        for (var tap = 0u; tap < 9u; tap++) {
            let weight = weights[w + select(tap, 8u - tap, TRANSPOSED)];
            sum += weight * input[corner + (tap / 3u) * pitch + tap % 3u];
        }
    }
    result[plane_start(params.result, image, k) + y * params.result.pitch + x] = sum;
}
