// Each window's largest value with MAX, else its mean: of windows 2×2 side by side, for CPU adapters. Planes lie in
// textures, and their rows have a multiple of four values. One invocation per plane.

@group(0) @binding(1) var x: texture_storage_2d<rgba32float, read>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;

// Of two windows: what the rows above and below have for them.
fn of_two(top: vec4f, bottom: vec4f) -> vec2f {
    if MAX {
        let largest = max(top, bottom);
        return max(largest.xz, largest.yw);
    }
    // In the order of the window, as pool_forward.wgsl adds.
    return (((top.xz + top.yw) + bottom.xz) + bottom.yw) / 4.0;
}

@compute @workgroup_size(16)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let plane = flat_group(group) * 16u + lane;
    if plane >= params.planes {
        return;
    }
    // Texels of a row, and so pairs of windows side by side.
    let row = params.size / 4u;
    let made = params.size * row / 4u;
    var pairs = Pairs(plane * params.size * row, 0u);
    for (var at = plane * made; at < (plane + 1u) * made; at++) {
        let first = of_two(textureLoad(x, texel(pairs.top)), textureLoad(x, texel(pairs.top + row)));
        pairs = next_pair(pairs, row);
        let second = of_two(textureLoad(x, texel(pairs.top)), textureLoad(x, texel(pairs.top + row)));
        pairs = next_pair(pairs, row);
        y[at] = vec4f(first, second);
    }
}
