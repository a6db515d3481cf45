// Walking over the windows 2×2 of a plane, two at a time, whose rows lie in texels.

struct Pairs {
    // The texel with the upper rows of both windows; `row` texels further are the lower ones.
    top: u32,
    // Its place in its row.
    column: u32,
}

fn next_pair(pairs: Pairs, row: u32) -> Pairs {
    let ends = pairs.column + 1u == row;
    return Pairs(pairs.top + select(1u, row + 1u, ends), select(pairs.column + 1u, 0u, ends));
}
