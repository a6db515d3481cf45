// Takes dense planes from a texture, an even number of each image, to a buffer of any layout: for what the kernels of
// CPU adapters leave to others. One invocation per four values.

struct Params {
    planes: Planes,
    images: u32,
    pad0: u32,
    pad1: u32,
    pad2: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var texels: texture_storage_2d<rgba32float, read>;
@group(0) @binding(2) var<storage, read_write> planes: array<f32>;

// Value `place` of a dense plane, to where it belongs.
fn put(start: u32, place: u32, value: f32) {
    let at = parts(place, params.planes.size);
    planes[start + at.x * params.planes.pitch + at.y] = value;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let flat = flat_group(group) * 64u + lane;
    let channels = params.planes.channels;
    let texels_of_plane = params.planes.size * params.planes.size / 4u;
    let place = parts(flat, texels_of_plane);
    let plane = parts(place.x, channels);
    if plane.x >= params.images {
        return;
    }
    let first = (plane.x * ((channels + 1u) & ~1u) + plane.y) * texels_of_plane;
    let values = textureLoad(texels, texel(first + place.y));
    let start = plane_start(params.planes, plane.x, plane.y);
    let at = 4u * place.y;
    put(start, at, values.x);
    put(start, at + 1u, values.y);
    put(start, at + 2u, values.z);
    put(start, at + 3u, values.w);
}
