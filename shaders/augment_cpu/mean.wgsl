// As image_mean, of images in a texture.

@group(0) @binding(4) var<storage, read_write> means: array<f32>;

@compute @workgroup_size(TEAM)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = flat_group(group);
    if i >= params.images {
        return;
    }
    let row = row_of(i);
    let size = params.source.size;
    let pixels = params.source.channels * size * size;
    let first = first_texel(i, 0u);
    let is_gradient = params.gather == 0u;
    let needed = does(row, COLOR);
    let end = first + select(0u, pixels / 4u, needed && !is_gradient);
    var sum = vec4f();
    for (var at = first + lane; at < end; at += TEAM) {
        sum += textureLoad(values, texel(at));
    }
    for (var c = 0u; c < select(0u, params.source.channels, needed && is_gradient); c++) {
        let plane = texel_plane(i, c);
        for (var w = walk(lane, size / 4u); w.y < size; w = step(w)) {
            let y = i32(w.y);
            let x = i32(4u * w.x);
            let v = flipped(row, column_or_zero(plane, y, x >> 2u));
            let before = four_before_flip(row, x, plane.size);
            let before_crop = vec2i(y, before) + row.crop;
            sum += uncut(inside(v, before_crop.x, before_crop.y, plane.size), row, y, before, plane.size);
        }
    }
    let total = workgroup_sum(lane, vec2f((sum.x + sum.y) + (sum.z + sum.w), 0.0)).x;
    if lane == 0u {
        means[i] = total / f32(pixels);
    }
}
