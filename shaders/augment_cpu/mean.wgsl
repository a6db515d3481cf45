// As image_mean, of images in a texture.

@group(0) @binding(4) var<storage, read_write> means: array<f32>;

@compute @workgroup_size(TEAM)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = flat_group(group);
    if i >= params.images {
        return;
    }
    let pixels = params.source.channels * params.source.size * params.source.size;
    let needed = row_of(i).kind == COLOR;
    let first = first_texel(i, 0u);
    let end = first + select(0u, pixels / 4u, needed);
    var sum = vec4f();
    for (var at = first + lane; at < end; at += TEAM) {
        sum += textureLoad(values, texel(at));
    }
    let total = workgroup_sum(lane, vec2f((sum.x + sum.y) + (sum.z + sum.w), 0.0)).x;
    if lane == 0u {
        means[i] = total / f32(pixels);
    }
}
