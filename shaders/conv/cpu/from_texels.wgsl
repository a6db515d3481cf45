// Takes planes from a texture, where the kernels of CPU adapters leave them, to a buffer of any layout, where other kernels
// read them. One invocation per texel.

struct Params {
    planes: Planes,
    images: u32,
    // Rows of texels in a plane, and values in each.
    rows: u32,
    row: u32,
    pad: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var texels: texture_storage_2d<rgba32float, read>;
@group(0) @binding(2) var<storage, read_write> planes: array<f32>;

// Value x of a row, if there are so many.
fn put(row: u32, x: u32, value: f32) {
    if x < params.row {
        planes[row + x] = value;
    }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let flat = flat_group(group) * 64u + lane;
    let channels = params.planes.channels;
    let texels_of_row = (params.row + 3u) / 4u;
    let place = parts(flat, texels_of_row);
    let row = parts(place.x, params.rows);
    let plane = parts(row.x, channels);
    if plane.x >= params.images {
        return;
    }
    let first = (plane.x * ((channels + 1u) & ~1u) + plane.y) * params.rows + row.y;
    let values = textureLoad(texels, texel(first * texels_of_row + place.y));
    let start = plane_start(params.planes, plane.x, plane.y) + row.y * params.planes.pitch;
    let x = 4u * place.y;
    put(start, x, values.x);
    put(start, x + 1u, values.y);
    put(start, x + 2u, values.z);
    put(start, x + 3u, values.w);
}
