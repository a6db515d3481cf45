// The mean of each image over channels and pixels, where its row asks for a change of contrast; of a gradient, only of
// pixels that come from the image. One workgroup per image; other rows leave 0.

@group(0) @binding(4) var<storage, read_write> means: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = flat_group(group);
    if i >= params.images {
        return;
    }
    let size = params.source.size;
    let row = row_of(i);
    let is_gradient = params.gather == 0u;
    var sum = 0.0;
    for (var c = 0u; c < select(0u, params.source.channels, does(row, COLOR)); c++) {
        let plane = source_plane(source_image(i), c);
        for (var w = walk(lane, size); w.y < size; w = step(w)) {
            let before = before_flip(row, i32(w.x), i32(size));
            let counts = !is_gradient || is_shown(row, i32(w.y), before, i32(size));
            sum += select(0.0, source_value(plane, w.y, w.x), counts);
        }
    }
    let total = workgroup_sum(lane, vec2f(sum, 0.0)).x;
    if lane == 0u {
        means[i] = total / f32(size * size * params.source.channels);
    }
}
