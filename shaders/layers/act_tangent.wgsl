// How the gradient at an activation's input changes along a direction: dy · f″ · the change of the input + the change of
// dy · f′. Of what the activation computed, it reads what act_backward reads, and how that changes. Sigmoid and swish
// alone: the others have no f″, and act_backward is its own change.

struct Params {
    // Values.
    count: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var<storage, read> kept: array<f32>;
@group(0) @binding(2) var<storage, read> kept_change: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read> dy_change: array<f32>;
@group(0) @binding(5) var<storage, read_write> dx_change: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let at = flat_group(group) * 64u + lane;
    if at >= params.count {
        return;
    }
    let v = kept[at];
    let bent = dy[at] * kept_change[at];
    if KIND == SIGMOID {
        dx_change[at] = dy_change[at] * v * (1.0 - v) + bent * (1.0 - 2.0 * v);
    } else {
        let s = sigmoid(v);
        let slope = s * (1.0 - s);
        dx_change[at] = dy_change[at] * (s + v * slope) + bent * slope * (2.0 + v * (1.0 - 2.0 * s));
    }
}
