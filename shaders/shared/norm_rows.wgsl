// What both directions of norm_relu_pool_rows share.

// What is left of a row's first and last vec4f when the halo is taken away.
const FIRST = vec4f(0.0, 1.0, 1.0, 1.0);
const LAST = vec4f(1.0, 0.0, 0.0, 0.0);

// Where row 0 of a plane begins with its halo, in vec4f.
fn plane_start_vec(plane: u32) -> u32 {
    return (plane * params.planes.stride + params.planes.origin) / 4u;
}

fn total(v: vec4f) -> f32 {
    return (v.x + v.y) + (v.z + v.w);
}

// The sums over the lanes that share a plane, always in the same order.
fn plane_sum(value: vec2f) -> vec2f {
    var sum = value;
    //{plane_sum}
    return sum;
}
