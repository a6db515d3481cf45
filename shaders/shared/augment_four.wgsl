// Four pixels of a row.

fn put(at: u32, four: vec4f) {
    result[at] = four.x;
    result[at + 1u] = four.y;
    result[at + 2u] = four.z;
    result[at + 3u] = four.w;
}

// Whether cutout clears these four pixels, from column x on.
fn are_cut(row: Row, y: i32, x: i32, size: i32) -> vec4<bool> {
    let side = (size + 1) / 2;
    let first = row.cutout - side / 2;
    let columns = vec4i(x) + vec4i(0, 1, 2, 3);
    let rows = row.kind == CUTOUT && y >= first.x && y < first.x + side;
    let inside = columns >= vec4i(first.y) & columns < vec4i(first.y + side);
    return inside & vec4<bool>(rows);
}
