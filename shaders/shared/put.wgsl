// Storing what a convolution has made, in `result`, which may be haloed.

// Stores four pixels of a row, those that lie inside.
fn put(start: u32, y: u32, x: u32, v: vec4f) {
    let size = params.result.size;
    let at = start + y * params.result.pitch + x;
    if y < size {
        if x < size { result[at] = v.x; }
        if x + 1u < size { result[at + 1u] = v.y; }
        if x + 2u < size { result[at + 2u] = v.z; }
        if x + 3u < size { result[at + 3u] = v.w; }
    }
}
