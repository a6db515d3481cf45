// Walking over a square, TEAM invocations side by side, without a division per step.

struct Walk {
    y: u32,
    x: u32,
    size: u32,
    rows: u32,
    columns: u32,
}

// `for (var w = walk(lane, size); w.y < size; w = step(w))` visits lane, lane + TEAM, …
fn walk(lane: u32, size: u32) -> Walk {
    let rows = divide(TEAM, size);
    let y = divide(lane, size);
    return Walk(y, lane - y * size, size, rows, TEAM - rows * size);
}

fn step(w: Walk) -> Walk {
    let x = w.x + w.columns;
    let over = x >= w.size;
    return Walk(
        w.y + w.rows + select(0u, 1u, over),
        x - select(0u, w.size, over),
        w.size,
        w.rows,
        w.columns,
    );
}
