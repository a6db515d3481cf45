// The gradient at the input of conv_forward, from the one at its output. One invocation per position of four channels.

@group(0) @binding(1) var<storage, read> dy: array<f32>;
// (nets, outputs, inputs, kernel, kernel).
@group(0) @binding(2) var<storage, read> weights: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let positions = params.size * params.size;
    let at = tile(flat_group(group), lane, params.inputs, positions);
    if at.image >= params.images {
        return;
    }
    // The first taps, down and to the right, that take this value to an output, and the row and column of that.
    // Further ones are a stride apart, and their outputs one before; before the first wraps around.
    let place = parts(at.position, params.size) + params.padding;
    let down = parts(place.x, params.stride);
    let right = parts(place.y, params.stride);
    let taps = params.kernel * params.kernel;
    let inputs = four(at.channel, params.inputs) * taps;
    var sums = vec4f();
    for (var output = 0u; output < params.outputs; output++) {
        let plane = (at.image * params.outputs + output) * params.out_size * params.out_size;
        let w = (at.net * params.outputs + output) * params.inputs * taps + inputs;
        var own = vec4f();
        var row = down.x;
        for (var ky = down.y; ky < params.kernel; ky += params.stride) {
            var column = right.x;
            for (var kx = right.y; kx < params.kernel; kx += params.stride) {
                if row < params.out_size && column < params.out_size {
                    let t = w + ky * params.kernel + kx;
                    let d = dy[plane + row * params.out_size + column];
                    own += vec4f(weights[t.x], weights[t.y], weights[t.z], weights[t.w]) * d;
                }
                column--;
            }
            row--;
        }
        sums += own;
    }
    let result = (at.image * params.inputs + at.channel) * positions + at.position;
    for (var i = 0u; i < min(4u, params.inputs - at.channel); i++) {
        dx[result + i * positions] = sums[i];
    }
}
