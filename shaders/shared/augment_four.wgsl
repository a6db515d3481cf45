// Four pixels of a row.

// Whether each four are one element of the result.
override ALIGNED: bool;

fn put(at: u32, four: vec4f) {
    if ALIGNED {
        result[at >> 2u] = four;
        return;
    }
    put_one(at, four.x);
    put_one(at + 1u, four.y);
    put_one(at + 2u, four.z);
    put_one(at + 3u, four.w);
}

fn put_one(at: u32, value: f32) {
    result[at >> 2u][at & 3u] = value;
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
