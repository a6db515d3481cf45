// Dense planes with a halo of zeros put around, as the kernels of convolutions 3×3 read them. One invocation per value
// of the result, halo included.

struct Params {
    // Of all images.
    planes: u32,
    size: u32,
    // Of the result, from one row and from one plane to the next.
    pitch: u32,
    stride: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var<storage, read> dense: array<f32>;
@group(0) @binding(2) var<storage, read_write> haloed: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let at = flat_group(group) * 64u + lane;
    let place = parts(at, params.stride);
    if place.x >= params.planes {
        return;
    }
    // The halo above and to the left wraps around.
    let pixel = parts(place.y, params.pitch) - 1u;
    var value = 0.0;
    if pixel.x < params.size && pixel.y < params.size {
        value = dense[(place.x * params.size + pixel.x) * params.size + pixel.y];
    }
    haloed[at] = value;
}
