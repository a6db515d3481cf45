// Flat workgroup numbers of grids that gpu/record.rs folded into rows, or cut into slices.

const GRID_ROW = 65535u;

// The workgroup that this slice begins with, in x.
@group(1) @binding(0) var<uniform> first_group: vec4u;

// a / b for a below 2²². Integer division is slow on many adapters. CPUs have none for vectors:
// there it is slower than everything else that a pixel needs.
fn divide(a: u32, b: u32) -> u32 {
    return u32((f32(a) + 0.5) / f32(b));
}

fn flat_group(group: vec3u) -> u32 {
    return first_group.x + group.y * GRID_ROW + group.x;
}
