// The gradient at the weights of conv_forward, from its input and the gradient at its output. One invocation per weight
// of four outputs; it adds up rows, then planes, then images, so that no sum is long.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
// (nets, outputs, inputs, kernel, kernel).
@group(0) @binding(3) var<storage, read_write> dw: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let flat = flat_group(group);
    let taps = params.kernel * params.kernel;
    let weights = params.inputs * taps;
    let tiles = (weights + 63u) / 64u;
    let tile = parts(flat, tiles);
    let place = parts(tile.x, (params.outputs + 3u) / 4u);
    let first_image = place.x * params.images_per_net;
    let weight = tile.y * 64u + lane;
    if first_image >= params.images || weight >= weights {
        return;
    }
    let own = parts(weight, taps);
    let tap = parts(own.y, params.kernel);
    let outputs = four(place.y * 4u, params.outputs);
    let out_positions = params.out_size * params.out_size;
    var sums = vec4f();
    for (var i = 0u; i < params.images_per_net; i++) {
        let image = first_image + i;
        let in_plane = (image * params.inputs + own.x) * params.size * params.size;
        let out_planes = (image * params.outputs + outputs) * out_positions;
        var of_plane = vec4f();
        for (var oy = 0u; oy < params.out_size; oy++) {
            // Above or left of the plane wraps around.
            let row = oy * params.stride + tap.x - params.padding;
            var of_row = vec4f();
            for (var ox = 0u; ox < params.out_size; ox++) {
                let column = ox * params.stride + tap.y - params.padding;
                if row < params.size && column < params.size {
                    let d = out_planes + oy * params.out_size + ox;
                    let v = x[in_plane + row * params.size + column];
                    of_row += vec4f(dy[d.x], dy[d.y], dy[d.z], dy[d.w]) * v;
                }
            }
            of_plane += of_row;
        }
        sums += of_plane;
    }
    let at = (place.x * params.outputs + place.y * 4u) * weights + weight;
    for (var o = 0u; o < min(4u, params.outputs - place.y * 4u); o++) {
        let before = select(0.0, dw[at + o * weights], params.accumulate == 1u);
        dw[at + o * weights] = before + sums[o];
    }
}
