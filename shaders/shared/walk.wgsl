// Walking over a square, TEAM invocations side by side, without a division a step.

struct Walk {
    y: u32,
    x: u32,
    size: u32,
    rows: u32,
    columns: u32,
}

// `for (var w = walk(lane, size); w.y < size; step(&w))` visits lane, lane + TEAM, …
fn walk(lane: u32, size: u32) -> Walk {
    let rows = divide(TEAM, size);
    let y = divide(lane, size);
    return Walk(y, lane - y * size, size, rows, TEAM - rows * size);
}

fn step(w: ptr<function, Walk>) {
    (*w).y += (*w).rows;
    (*w).x += (*w).columns;
    if (*w).x >= (*w).size {
        (*w).x -= (*w).size;
        (*w).y += 1u;
    }
}
