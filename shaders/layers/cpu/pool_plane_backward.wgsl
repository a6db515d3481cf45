// The gradient at the input of pool_plane_forward, from the one at its output: with MAX, it goes to the first of the
// plane's largest values, else in equal parts to all its values. One invocation per four planes.

// Read with MAX alone.
@group(0) @binding(1) var x: texture_storage_2d<rgba32float, read>;
@group(0) @binding(2) var dy: texture_storage_2d<rgba32float, read>;
@group(0) @binding(3) var<storage, read_write> dx: array<vec4f>;

fn put_plane(plane: u32, d: f32) {
    let count = params.size * params.size / 4u;
    let start = plane * count;
    if !MAX {
        for (var at = start; at < start + count; at++) {
            dx[at] = vec4f(d / f32(4u * count));
        }
        return;
    }
    var all = textureLoad(x, texel(start));
    for (var at = start + 1u; at < start + count; at++) {
        all = max(all, textureLoad(x, texel(at)));
    }
    let largest = max(max(all.x, all.y), max(all.z, all.w));
    var found = false;
    for (var at = start; at < start + count; at++) {
        let is = textureLoad(x, texel(at)) == vec4f(largest);
        let none_before = !vec4<bool>(
            found,
            found || is.x,
            found || is.x || is.y,
            found || is.x || is.y || is.z,
        );
        dx[at] = select(vec4f(), vec4f(d), is & none_before);
        found = found || any(is);
    }
}

@compute @workgroup_size(16)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let at = flat_group(group) * 16u + lane;
    let plane = 4u * at;
    if plane >= params.planes {
        return;
    }
    let d = textureLoad(dy, texel(at));
    put_plane(plane, d.x);
    put_plane(plane + 1u, d.y);
    put_plane(plane + 2u, d.z);
    put_plane(plane + 3u, d.w);
}
