// As norm_relu_pool_forward.wgsl, for adapters with subgroups of one fixed size and planes whose
// rows are whole vec4f. A template: kernels/norm_rows.rs puts the constants in front and writes out
// the lines that are marked.
//
// A workgroup is one subgroup; TEAM lanes share a plane, PAIRS pairs of rows each, and keep it in
// registers: every value is loaded once and stored once, four at a time. Rows travel with their
// halo, which is zero when they come and when they go.
//
// Ladder: norm_relu_pool_forward.wgsl goes over memory three times, a value at a time; this loads and
// stores once, a vec4f at a time.

@group(0) @binding(3) var<storage, read_write> pooled: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> inv_std: array<f32>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
    let channels = params.planes.channels;
    let mine = flat_group(group) * (LANES / TEAM) + lane / TEAM;
    let plane = min(mine, params.images * channels - 1u);
    let start = plane_start_vec(plane) + lane % TEAM * (2u * VECS);
    //{load}

    //{sum}
    let mean = plane_sum(vec2f(total(sum), 0.0)).x / COUNT;
    //{centre}
    //{squares}
    let variance = plane_sum(vec2f(total(squares), 0.0)).x / COUNT;
    let scale = inverseSqrt(variance + 1e-5);
    let weight_bias = weight_and_bias(plane / channels, plane % channels);
    if mine != plane {
        return;
    }
    //{store}
    if lane % TEAM == 0u {
        inv_std[plane] = scale;
    }
}
