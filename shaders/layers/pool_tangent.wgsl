// How what a max pool makes changes along a direction: as the first of each window's largest values does, the one that
// pool_backward gives the gradient to. One invocation a window.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> x_change: array<f32>;
@group(0) @binding(3) var<storage, read_write> y_change: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let at = flat_group(group) * 64u + lane;
    let windows = params.out_size * params.out_size;
    if at >= params.planes * windows {
        return;
    }
    let place = parts(at, windows);
    let plane = place.x * params.size * params.size;
    // Left of or above the plane wraps around.
    let corner = parts(place.y, params.out_size) * params.stride - params.padding;
    var largest = -3.4028234e38;
    var change = 0.0;
    for (var ky = 0u; ky < params.kernel; ky++) {
        for (var kx = 0u; kx < params.kernel; kx++) {
            let pixel = corner + vec2u(ky, kx);
            if pixel.x < params.size && pixel.y < params.size {
                let i = plane + pixel.x * params.size + pixel.y;
                if x[i] > largest {
                    largest = x[i];
                    change = x_change[i];
                }
            }
        }
    }
    y_change[at] = change;
}
