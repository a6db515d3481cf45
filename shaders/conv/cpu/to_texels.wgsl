// Takes planes from a buffer, whatever their layout, to a texture, where the kernels of CPU adapters read them. Each row
// begins with a texel, and zeros fill up its last. To an odd number of planes per image, one of zeros is added. One
// invocation per texel.

struct Params {
    planes: Planes,
    images: u32,
    // Rows of texels in a plane, and values in each.
    rows: u32,
    row: u32,
    pad: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var<storage, read> planes: array<f32>;
@group(0) @binding(2) var<storage, read_write> texels: array<vec4f>;

// The value in column x of a row, or zero.
fn value(row: u32, x: u32) -> f32 {
    let last = params.row - 1u;
    return select(0.0, planes[row + min(x, last)], x <= last);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let flat = flat_group(group) * 64u + lane;
    let channels = params.planes.channels;
    let place = parts(flat, (params.row + 3u) / 4u);
    let row = parts(place.x, params.rows);
    let plane = parts(row.x, (channels + 1u) & ~1u);
    if plane.x >= params.images {
        return;
    }
    let start = plane_start(params.planes, plane.x, min(plane.y, channels - 1u))
        + row.y * params.planes.pitch;
    let x = 4u * place.y;
    let values =
        vec4f(value(start, x), value(start, x + 1u), value(start, x + 2u), value(start, x + 3u));
    texels[flat] = select(vec4f(), values, plane.y < channels);
}
