// As pool_backward, where windows neither overlap nor reach beyond the plane: one invocation per window, which reads each of
// its values once. What no window reads has windows of its own behind the last, and its gradient is zero.

// Read with MAX alone.
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let at = flat_group(group) * 64u + lane;
    let kernel = params.kernel;
    let size = params.size;
    let side = quotient(size + kernel - 1u, kernel);
    if at >= params.planes * side * side {
        return;
    }
    let place = parts(at, side * side);
    let window = parts(place.y, side);
    let counts = all(window < vec2u(params.out_size));
    let inside = min(window, vec2u(params.out_size - 1u));
    let d = select(0.0, dy[(place.x * params.out_size + inside.x) * params.out_size + inside.y], counts);
    let corner = window * kernel;
    let start = place.x * size * size + corner.x * size + corner.y;
    let end = min(vec2u(kernel), vec2u(size) - corner);
    // The first of the largest values.
    var largest = -3.4028234e38;
    var found = 0u;
    for (var ky = 0u; ky < select(0u, end.x, MAX); ky++) {
        for (var kx = 0u; kx < end.y; kx++) {
            let v = x[start + ky * size + kx];
            found = select(found, ky * kernel + kx, v > largest);
            largest = max(largest, v);
        }
    }
    for (var ky = 0u; ky < end.x; ky++) {
        for (var kx = 0u; kx < end.y; kx++) {
            let taken = select(0.0, d, ky * kernel + kx == found);
            dx[start + ky * size + kx] = select(d / f32(kernel * kernel), taken, MAX);
        }
    }
}
