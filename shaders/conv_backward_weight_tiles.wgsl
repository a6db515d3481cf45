// Gradient of convolution 3×3 at its weights, for GPUs: workgroups share what they load through
// workgroup memory. A template, which kernels/template.rs writes out because drivers do not reliably unroll.
//
// A workgroup owns the nine taps of 4 · LOTS_K output × INPUTS input channels, a thread those of 4 × 1,
// in registers. Image by image and tile by tile of 4 × 4 pixels it stages the gradient and the input with
// its halo. Where these workgroups are too few to fill a GPU, several share a network's images, and class_sum adds up
// their results. The order of all additions is fixed.
//
// Ladder, by count, for a thread and 16 pixels (see docs/kernels.md):
//   conv_backward_weight.wgsl, a weight per thread: 16 multiply-adds, each with 2 values loaded.
//   4 × 2 channel pairs per thread by rows of 8: 1152 multiply-adds for 40 vec4f from workgroup memory, but
//   176 registers. By rows of 4: 128 with Mesa's compiler, 150 to 180 with NVIDIA's, which leave room for
//   one workgroup at a time.
//   4 × 1: 576 for 28, of which 16 are the same for half a subgroup; about 100 registers. Two barriers.
//   7.3 KiB.

const LOTS_K = {{ lots_k }}u;
const INPUTS = {{ inputs }}u;
const THREADS = LOTS_K * INPUTS;
const OUTPUTS = 4u * LOTS_K;
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
    let lot_c = thread % INPUTS;
    let lot_k = thread / INPUTS;
    let per_part = (params.images_per_net + params.parts - 1u) / params.parts;
    let first_image = net * params.images_per_net + part * per_part;
    let end = min(first_image + per_part, (net + 1u) * params.images_per_net);
{% for k in range(4) %}{% for tap in range(9) %}
    var a{{ k }}_{{ tap }} = 0.0;
{% endfor %}{% endfor %}
    for (var image = first_image; image < end; image++) {
        for (var y = 0u; y < size; y += 4u) {
            for (var quad = 0u; 4u * quad < size; quad++) {
                // All threads have read what was staged before.
                workgroupBarrier();
                for (var i = thread; i < 4u * OUTPUTS; i += THREADS) {
                    let k = first_k + i / 4u;
                    let row = y + i % 4u;
                    let at = (image * outputs + min(k, outputs - 1u)) * d_plane + (row + 1u) * pitch + quad;
                    // Beside the plane is its halo, below it may be another plane.
                    let own = vec4f(d_planes[at].yzw, d_planes[at + 1u].x);
                    gradient[i / 16u][i % 16u] = select(vec4f(), own, row < size);
                }
                for (var i = thread; i < INPUTS * PATCH; i += THREADS) {
                    let c = first_c + i / PATCH;
                    let row = y + i % PATCH / 2u;
                    let side = quad + i % 2u;
                    let at = (image * inputs + min(c, inputs - 1u)) * x_plane + row * pitch + side;
                    staged[i / PATCH][i % PATCH] = select(vec4f(), input[at], row < size + 2u);
                }
                workgroupBarrier();
{# Each row of the input is loaded when it is first needed: in any other order compilers keep more of them at a time. #}
{% for row in range(4) %}
{% for r in range(0 if row == 0 else row + 2, row + 3) %}
                let l{{ r }} = staged[lot_c][{{ 2 * r }}];
                let n{{ r }} = staged[lot_c][{{ 2 * r + 1 }}].xy;
                // The same pixels as seen by the middle and by the right tap.
                let m{{ r }} = vec4f(l{{ r }}.yzw, n{{ r }}.x);
                let r{{ r }} = vec4f(l{{ r }}.zw, n{{ r }});
{% endfor %}
{% for k in range(4) %}
{% set g = "g" ~ k ~ "_" ~ row %}
                let {{ g }} = gradient[lot_k][{{ 4 * k + row }}];
{% for tap in range(9) %}
{% set a = "a" ~ k ~ "_" ~ tap %}
{% set x = "lmr"[tap % 3] ~ (row + tap // 3) %}
                {{ a }} = {{ a }}{% for i in "xyzw" %} + {{ g }}.{{ i }} * {{ x }}.{{ i }}{% endfor %};
{% endfor %}{% endfor %}{% endfor %}
            }
        }
    }
    let first = (net * params.parts + part) * outputs;
    let k = first_k + 4u * lot_k;
    let c = first_c + lot_c;
{% for k in range(4) %}
    if k + {{ k }}u < outputs && c < inputs {
        let at = ((first + k + {{ k }}u) * inputs + c) * 9u;
        if params.accumulate == 1u {
{% for tap in range(9) %}
            a{{ k }}_{{ tap }} += d_weights[at + {{ tap }}u];
{% endfor %}
        }
{% for tap in range(9) %}
        d_weights[at + {{ tap }}u] = a{{ k }}_{{ tap }};
{% endfor %}
    }
{% endfor %}
}
