// Flat workgroup numbers of grids that gpu/record.rs folded into rows.

const GRID_ROW = 65535u;

fn flat_group(group: vec3u) -> u32 {
    return group.y * GRID_ROW + group.x;
}
