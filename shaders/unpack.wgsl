// Decodes packed pictures: each tile of a picture, enlarged bilinearly, is an image. One workgroup per image.

@group(0) @binding(2) var<storage, read> pictures: array<f32>;
@group(0) @binding(3) var<storage, read_write> result: array<f32>;

// Beyond the picture is padding.
fn picture_value(start: u32, y: u32, x: u32, padding: f32) -> f32 {
    let inside = max(y, x) < params.size;
    let value = pictures[select(start, start + y * params.size + x, inside)];
    return select(padding, value, inside);
}

@compute @workgroup_size(TEAM)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = flat_group(group);
    if i >= params.images {
        return;
    }
    let tile = tile_of(shown[params.first + i]);
    let plane = params.size * params.size;
    for (var w = walk(lane, params.size); w.y < params.size; w = step(w)) {
        let row = tap_of(w.y);
        let column = tap_of(w.x);
        let low = tile.y + row.low;
        let high = tile.y + row.high;
        let left = tile.x + column.low;
        let right = tile.x + column.high;
        for (var c = 0u; c < params.channels; c++) {
            let start = (tile.picture * params.channels + c) * plane;
            let padding = params.padding[c];
            let top = picture_value(start, low, left, padding) * (1.0 - column.weight)
                + picture_value(start, low, right, padding) * column.weight;
            let bottom = picture_value(start, high, left, padding) * (1.0 - column.weight)
                + picture_value(start, high, right, padding) * column.weight;
            result[(i * params.channels + c) * plane + w.y * params.size + w.x] =
                top * (1.0 - row.weight) + bottom * row.weight;
        }
    }
}
