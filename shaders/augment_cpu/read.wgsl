// Takes the images that a batch names, normalised, to a texture: for CPU adapters, where augmentation reads each
// value several times, and loads from textures are far cheaper than from buffers. Image after image, plane after plane, four
// pixels of a row per texel. One workgroup per image.

@group(0) @binding(4) var<storage, read_write> texels: array<vec4f>;

// Four pixels from column x on, a multiple of four. Planes of 8-bit pixels have no pitch of their own, so these are one word.
fn source_values(plane: SourcePlane, y: u32, x: u32) -> vec4f {
    let at = plane.start + y * plane.pitch + x;
    if PIXELS {
        let word = source[at >> 2u];
        let bytes = (vec4u(word) >> vec4u(0u, 8u, 16u, 24u)) & vec4u(0xffu);
        return (vec4f(bytes) / 255.0 - plane.mean) / plane.deviation;
    }
    return bitcast<vec4f>(vec4u(source[at], source[at + 1u], source[at + 2u], source[at + 3u]));
}

@compute @workgroup_size(TEAM)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = flat_group(group);
    if i >= params.images {
        return;
    }
    let size = params.source.size;
    let channels = params.source.channels;
    let columns = size / 4u;
    let image = source_image(i);
    for (var c = 0u; c < channels; c++) {
        let plane = source_plane(image, c);
        let first = first_texel(i, c);
        for (var w = walk(lane, columns); w.y < size; w = step(w)) {
            let values = source_values(plane, w.y, 4u * w.x);
            texels[first + w.y * columns + w.x] = values;
        }
    }
}
