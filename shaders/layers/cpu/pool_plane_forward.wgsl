// Each plane's largest value with MAX, else its mean, for CPU adapters: the pool's window is the whole plane. Planes lie
// in textures, and their values are a multiple of four. One invocation per four planes, which make a texel.

@group(0) @binding(1) var x: texture_storage_2d<rgba32float, read>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;

fn of_plane(plane: u32) -> f32 {
    let count = params.size * params.size / 4u;
    let start = plane * count;
    var all = textureLoad(x, texel(start));
    for (var at = start + 1u; at < start + count; at++) {
        let v = textureLoad(x, texel(at));
        all = select(all + v, max(all, v), MAX);
    }
    if MAX {
        return max(max(all.x, all.y), max(all.z, all.w));
    }
    return ((all.x + all.y) + (all.z + all.w)) / f32(4u * count);
}

@compute @workgroup_size(16)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let at = flat_group(group) * 16u + lane;
    let plane = 4u * at;
    if plane >= params.planes {
        return;
    }
    y[at] = vec4f(of_plane(plane), of_plane(plane + 1u), of_plane(plane + 2u), of_plane(plane + 3u));
}
