// Each window's largest value with MAX, else its mean, which includes the zeros around a plane. One invocation per
// window.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

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
    let top = corner.x;
    let left = corner.y;
    var largest = -3.4028234e38;
    var sum = 0.0;
    for (var ky = 0u; ky < params.kernel; ky++) {
        for (var kx = 0u; kx < params.kernel; kx++) {
            if top + ky < params.size && left + kx < params.size {
                let v = x[plane + (top + ky) * params.size + left + kx];
                largest = max(largest, v);
                sum += v;
            }
        }
    }
    y[at] = select(sum / f32(params.kernel * params.kernel), largest, MAX);
}
