// The mean of each image over channels and pixels, where its row asks for a change of contrast.
// One workgroup per image; rows of another kind leave 0.

@group(0) @binding(4) var<storage, read_write> means: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = flat_group(group);
    if i >= params.images {
        return;
    }
    let size = params.source.size;
    let needed = row_of(i).kind == COLOR;
    var sum = 0.0;
    for (var c = 0u; c < select(0u, params.source.channels, needed); c++) {
        let plane = source_plane(source_image(i), c);
        for (var w = walk(lane, size); w.y < size; w = step(w)) {
            sum += source_value(plane, w.y, w.x);
        }
    }
    let total = workgroup_sum(lane, vec2f(sum, 0.0)).x;
    if lane == 0u {
        means[i] = total / f32(size * size * params.source.channels);
    }
}
