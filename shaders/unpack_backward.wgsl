// The transpose of unpack: from the gradient at images to the one at the tiles of the pictures that they are decoded
// from. No two images share a tile, so each workgroup has one image and writes its tile; what falls on padding is dropped.
// Each pixel of the tile looks for the rows and columns of the image that read it.

@group(0) @binding(2) var<storage, read> d_images: array<f32>;
@group(0) @binding(3) var<storage, read_write> d_pictures: array<f32>;

// For rounding.
const SLACK = 0.001;

// Rows of an image that read row `at` of its tile, from the first to the last: those whose place is less than a row away.
fn readers(at: u32) -> vec2u {
    let scale = f32(params.size) / f32(params.tile);
    let first = max(ceil((f32(at) - 0.5) * scale - 0.5 - SLACK), 0.0);
    let last = max(floor((f32(at) + 1.5) * scale - 0.5 + SLACK), 0.0);
    // The last row of a tile is read by all rows after it.
    let beyond = at + 1u == params.tile;
    return vec2u(u32(first), select(min(u32(last), params.size - 1u), params.size - 1u, beyond));
}

fn weight_of(row: u32, at: u32) -> f32 {
    let tap = tap_of(row);
    return select(0.0, 1.0 - tap.weight, tap.low == at) + select(0.0, tap.weight, tap.high == at);
}

@compute @workgroup_size(TEAM)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = flat_group(group);
    if i >= params.images {
        return;
    }
    let tile = tile_of(shown[params.first + i]);
    let plane = params.size * params.size;
    for (var w = walk(lane, params.tile); w.y < params.tile; w = step(w)) {
        let y = tile.y + w.y;
        let x = tile.x + w.x;
        if max(y, x) >= params.size {
            continue;
        }
        let rows = readers(w.y);
        let columns = readers(w.x);
        for (var c = 0u; c < params.channels; c++) {
            let start = (i * params.channels + c) * plane;
            let at = (tile.picture * params.channels + c) * plane + y * params.size + x;
            var sum = 0.0;
            for (var row = rows.x; row <= rows.y; row++) {
                var along = 0.0;
                for (var column = columns.x; column <= columns.y; column++) {
                    along += weight_of(column, w.x) * d_images[start + row * params.size + column];
                }
                sum += weight_of(row, w.y) * along;
            }
            d_pictures[at] = sum;
        }
    }
}
