// Takes planes from a buffer, whatever their layout, to where the kernels of CPU adapters read them: dense,
// in a texture, an even number of planes per image: of an odd number, a plane of zeros is added. One invocation per
// four values.

struct Params {
    planes: Planes,
    images: u32,
    pad0: u32,
    pad1: u32,
    pad2: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var<storage, read> planes: array<f32>;
@group(0) @binding(2) var<storage, read_write> texels: array<vec4f>;

// Value `place` of a dense plane, from where it is.
fn value(start: u32, place: u32) -> f32 {
    let at = parts(place, params.planes.size);
    return planes[start + at.x * params.planes.pitch + at.y];
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let flat = flat_group(group) * 64u + lane;
    let channels = params.planes.channels;
    let place = parts(flat, params.planes.size * params.planes.size / 4u);
    let plane = parts(place.x, (channels + 1u) & ~1u);
    if plane.x >= params.images {
        return;
    }
    let start = plane_start(params.planes, plane.x, min(plane.y, channels - 1u));
    let at = 4u * place.y;
    let values =
        vec4f(value(start, at), value(start, at + 1u), value(start, at + 2u), value(start, at + 3u));
    texels[flat] = select(vec4f(), values, plane.y < channels);
}
