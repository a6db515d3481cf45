// a / b, exact. CPUs have no integer division for vectors and do it lane by lane; they have one for floats.
fn quotient(a: u32, b: u32) -> u32 {
    let near = u32(f32(a) / f32(b));
    // What is left after the first quotient is small, and may be negative.
    let left = i32(a - near * b);
    let nearer = i32(near) + i32(f32(left) / f32(b));
    let rest = i32(a) - nearer * i32(b);
    return u32(nearer + select(0, 1, rest >= i32(b)) - select(0, 1, rest < 0));
}

// The parts of a flat number: how often b goes into it, and what remains.
fn parts(a: u32, b: u32) -> vec2u {
    let q = quotient(a, b);
    return vec2u(q, a - q * b);
}
