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
