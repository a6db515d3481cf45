// Gradient of convolution 3×3 at its weights, for GPUs: workgroups share what they load through
// workgroup memory. A template, as conv_tiles.wgsl.
//
// A workgroup owns the nine taps of 4 · LOTS_K × PER_C · LOTS_C pairs of output and input channels, a
// thread those of 4 × PER_C pairs, in registers. Image by image and tile by tile of 4 × 4 pixels it
// stages the gradient and the input with its halo. Where so few workgroups would leave a GPU
// idle, the images are shared out to PARTS of them; what each leaves is added up by class_sum. The order
// of all additions is fixed.
//
// Ladder, by count, for a thread and 16 pixels (see ARCHITECTURE.md):
//   conv_backward_weight.wgsl, a weight a thread: 16 multiply-adds, each with 2 values loaded.
//   4 × 2 pairs × 9 taps a thread: 1152 multiply-adds for 64 vec4f from workgroup memory, of which 32
//   are the same for half a subgroup. Two barriers. 10.5 KiB.

struct Params {
    input: Planes,
    planes: Planes,
    images_per_net: u32,
    nets: u32,
    // 1: adds to what is there, for batches that are worked off in parts.
    accumulate: u32,
    // Workgroups that share a network's images.
    parts: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;
// The convolution's input and the gradient at its output: haloed planes, whose rows are whole vec4f.
@group(0) @binding(1) var<storage, read> input: array<vec4f>;
@group(0) @binding(2) var<storage, read> d_planes: array<vec4f>;
// (nets, parts, outputs, inputs, 3, 3).
@group(0) @binding(3) var<storage, read_write> d_weights: array<f32>;

const THREADS = LOTS_K * LOTS_C;
const OUTPUTS = 4u * LOTS_K;
const INPUTS = PER_C * LOTS_C;
// vec4f of a tile of the input, with its halo.
const PATCH = 12u;

// [output / 4][output % 4, row].
var<workgroup> gradient: array<array<vec4f, 16>, LOTS_K>;
// [input][row, left or right], and one more: eight threads side by side then read from different banks.
var<workgroup> staged: array<array<vec4f, PATCH + 1u>, INPUTS>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {
    let inputs = params.input.channels;
    let outputs = params.planes.channels;
    let input_blocks = (inputs + INPUTS - 1u) / INPUTS;
    let output_blocks = (outputs + OUTPUTS - 1u) / OUTPUTS;
    let flat = flat_group(group);
    let first_c = flat % input_blocks * INPUTS;
    let first_k = flat / input_blocks % output_blocks * OUTPUTS;
    let part = flat / input_blocks / output_blocks % params.parts;
    let net = flat / input_blocks / output_blocks / params.parts;
    if net >= params.nets {
        return;
    }
    let size = params.planes.size;
    let pitch = params.input.pitch / 4u;
    let x_plane = params.input.stride / 4u;
    let d_plane = params.planes.stride / 4u;
    let lot_c = thread % LOTS_C;
    let lot_k = thread / LOTS_C;
    let per_part = (params.images_per_net + params.parts - 1u) / params.parts;
    let first_image = net * params.images_per_net + part * per_part;
    let end = min(first_image + per_part, (net + 1u) * params.images_per_net);
    //{accumulators}
    for (var image = first_image; image < end; image++) {
        for (var y = 0u; y < size; y += 4u) {
            for (var quad = 0u; 4u * quad < size; quad++) {
                // What was staged before has been read.
                workgroupBarrier();
                for (var i = thread; i < 4u * OUTPUTS; i += THREADS) {
                    let k = first_k + i / 4u;
                    let row = y + i % 4u;
                    let at = (image * outputs + min(k, outputs - 1u)) * d_plane + (row + 1u) * pitch + quad;
                    // Nothing beside the plane, or of channels that are none, may count.
                    let column = 4u * quad;
                    let columns = vec4u(column, column + 1u, column + 2u, column + 3u) < vec4u(size);
                    let inside = select(vec4<bool>(false), columns, row < size && k < outputs);
                    gradient[i / 16u][i % 16u] =
                        select(vec4f(), vec4f(d_planes[at].yzw, d_planes[at + 1u].x), inside);
                }
                for (var i = thread; i < INPUTS * PATCH; i += THREADS) {
                    let c = first_c + i / PATCH;
                    let row = y + i % PATCH / 2u;
                    let side = quad + i % 2u;
                    let at = (image * inputs + min(c, inputs - 1u)) * x_plane + row * pitch + side;
                    let inside = row < size + 2u && side < pitch;
                    staged[i / PATCH][i % PATCH] = select(vec4f(), input[at], inside);
                }
                workgroupBarrier();
                //{tile}
            }
        }
    }
    let first = (net * params.parts + part) * outputs;
    //{store}
}
