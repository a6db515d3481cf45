// Rearranges convolution weights into the matrices that conv_matrices multiplies by, rounded to f16:
// [output / width][input / side][tap, column by column][output % width / side], each a matrix
// [output % side][input % side]; zeros where channels end.
//
// With TRANSPOSED they become those of the gradient at the input: the kernel turned by half a turn,
// its two channel axes exchanged. `outputs` and `inputs` are those of the result.

@group(0) @binding(2) var<storage, read_write> packed: array<f16>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let flat = flat_group(group) * 64u + lane;
    if flat >= params.len * params.nets {
        return;
    }
    let first = (flat / params.len) * params.outputs * params.inputs * 9u;
    let side = params.chunk;
    let i = flat % params.len;
    let matrix = i / (side * side);
    let beside = params.width / side;
    let column_by_column = matrix / beside % 9u;
    let tap = column_by_column % 3u * 3u + column_by_column / 3u;
    let steps = (params.inputs + side - 1u) / side;
    let c = matrix / (9u * beside) % steps * side + i % side;
    let k = matrix / (9u * beside) / steps * params.width + matrix % beside * side + i / side % side;
    var value = 0.0;
    if c < params.inputs && k < params.outputs {
        let plain = (k * params.inputs + c) * 9u + tap;
        let turned = (c * params.outputs + k) * 9u + 8u - tap;
        value = weights[first + select(plain, turned, TRANSPOSED)];
    }
    packed[flat] = f16(value);
}
