// Rearranges convolution weights: [output / width][input], then [tap][output % width], padded with
// zeros to `chunk` values.
//
// With TRANSPOSED they become those of the gradient at the input: the kernel turned by half a turn,
// its two channel axes exchanged. `outputs` and `inputs` are those of the result.

@group(0) @binding(2) var<storage, read_write> packed: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let flat = flat_group(group) * 64u + lane;
    if flat >= params.len * params.nets {
        return;
    }
    let i = flat % params.len;
    let first = (flat / params.len) * params.outputs * params.inputs * 9u;
    let within = i % params.chunk;
    let c = (i / params.chunk) % params.inputs;
    let tap = within / params.width;
    let k = (i / params.chunk / params.inputs) * params.width + within % params.width;
    var value = 0.0;
    if tap < 9u && k < params.outputs {
        let plain = (k * params.inputs + c) * 9u + tap;
        let turned = (c * params.outputs + k) * 9u + 8u - tap;
        value = weights[first + select(plain, turned, TRANSPOSED)];
    }
    packed[flat] = value;
}
