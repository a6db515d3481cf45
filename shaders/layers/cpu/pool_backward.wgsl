// The gradient at a pool's input, from the one at its output: with MAX, each window's gradient goes to the first of its
// largest values, else in equal parts to all its values. Of windows 2×2 side by side, for CPU adapters. Planes lie in
// textures, and their rows have a multiple of four values. One invocation per plane.

// Read with MAX alone.
@group(0) @binding(1) var x: texture_storage_2d<rgba32float, read>;
@group(0) @binding(2) var dy: texture_storage_2d<rgba32float, read>;
@group(0) @binding(3) var<storage, read_write> dx: array<vec4f>;

// Two windows, whose upper rows are in the texel `top`.
fn put_two(top: u32, bottom: u32, d: vec2f) {
    let wide = d.xxyy;
    if !MAX {
        dx[top] = wide / 4.0;
        dx[bottom] = wide / 4.0;
        return;
    }
    let above = textureLoad(x, texel(top));
    let below = textureLoad(x, texel(bottom));
    let both = max(above, below);
    let largest = max(both.xz, both.yw).xxyy;
    // Whether values are the largest, and whether none before them in their window is.
    let above_is = above == largest;
    let below_is = below == largest;
    let some_above = above_is.xz | above_is.yw;
    let first_above = above_is & vec4<bool>(true, !above_is.x, true, !above_is.z);
    let first_below = below_is & vec4<bool>(
        !some_above.x,
        !some_above.x && !below_is.x,
        !some_above.y,
        !some_above.y && !below_is.z,
    );
    dx[top] = select(vec4f(), wide, first_above);
    dx[bottom] = select(vec4f(), wide, first_below);
}

@compute @workgroup_size(16)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let plane = flat_group(group) * 16u + lane;
    if plane >= params.planes {
        return;
    }
    let row = params.size / 4u;
    let made = params.size * row / 4u;
    var pairs = Pairs(plane * params.size * row, 0u);
    for (var at = plane * made; at < (plane + 1u) * made; at++) {
        let d = textureLoad(dy, texel(at));
        put_two(pairs.top, pairs.top + row, d.xy);
        pairs = next_pair(pairs, row);
        put_two(pairs.top, pairs.top + row, d.zw);
        pairs = next_pair(pairs, row);
    }
}
