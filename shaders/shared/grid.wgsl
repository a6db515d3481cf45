// Flat workgroup numbers of grids that gpu/record.rs folded into rows.

const GRID_ROW = 65535u;

// a / b for a below 2²². Integer division is slow on many adapters, and on CPUs, which have none
// for vectors, slower than all that a pixel needs besides.
fn divide(a: u32, b: u32) -> u32 {
    return u32((f32(a) + 0.5) / f32(b));
}

fn flat_group(group: vec3u) -> u32 {
    return group.y * GRID_ROW + group.x;
}
