// Gradient of convolution 3×3 at its weights: each weight's sum, over the images of its network and
// all pixels, of the gradient at the output times the input that the weight met there.
// The simplest version: one invocation per weight.

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
