// The gradient at a pool's input, from the one at its output: with MAX, each window's gradient goes to the first of its
// largest values, else in equal parts to all its values. One invocation per value of the input, which adds up what the
// windows around it have for it.

// Read with MAX alone.
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;

// Whether the value at (y, x) of a plane is the first of its window's largest.
fn is_largest(plane: u32, window: vec2u, own: vec2u) -> bool {
    let top = window.y * params.stride - params.padding;
    let left = window.x * params.stride - params.padding;
    let value = x[plane + own.y * params.size + own.x];
    for (var ky = 0u; ky < params.kernel; ky++) {
        for (var kx = 0u; kx < params.kernel; kx++) {
            let other = vec2u(left + kx, top + ky);
            if other.y < params.size && other.x < params.size {
                let v = x[plane + other.y * params.size + other.x];
                let before = other.y < own.y || (other.y == own.y && other.x < own.x);
                if v > value || (v == value && before) {
                    return false;
                }
            }
        }
    }
    return true;
}

// The first window that a row or column is in.
fn first_window(at: u32) -> u32 {
    let end = at + params.padding + 1u;
    return select(0u, quotient(end - params.kernel + params.stride - 1u, params.stride), end > params.kernel);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let at = flat_group(group) * 64u + lane;
    let positions = params.size * params.size;
    if at >= params.planes * positions {
        return;
    }
    let place = parts(at, positions);
    let plane = place.x;
    let own = parts(place.y, params.size).yx;
    let first = vec2u(first_window(own.x), first_window(own.y));
    let last = min(
        vec2u(quotient(own.x + params.padding, params.stride), quotient(own.y + params.padding, params.stride)),
        vec2u(params.out_size - 1u),
    );
    var sum = 0.0;
    for (var wy = first.y; wy <= last.y; wy++) {
        for (var wx = first.x; wx <= last.x; wx++) {
            let d = dy[(plane * params.out_size + wy) * params.out_size + wx];
            if !MAX {
                sum += d;
            } else if is_largest(plane * positions, vec2u(wx, wy), own) {
                sum += d;
            }
        }
    }
    dx[at] = select(sum / f32(params.kernel * params.kernel), sum, MAX);
}
