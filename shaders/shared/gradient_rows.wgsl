// How a parameter's gradients are cut into rows, and what is known of each; twin of kernels/gradient_match.rs.

struct Params {
    // Values of the parameter.
    len: u32,
    // Values of a row; the last may have fewer.
    row_len: u32,
    // From one value of a row to the next: rows of pairs lie within one another.
    stride: u32,
    rows: u32,
    // The first of its rows among those of all parameters.
    first_row: u32,
    // Networks, whose gradients follow each other, and rows of all parameters of one.
    nets: u32,
    all_rows: u32,
    pad: u32,
}

// Of two gradients a and b, or of some of their values.
struct Products {
    // ⟨a, b⟩, ⟨a, a⟩, ⟨b, b⟩.
    ab: f32,
    aa: f32,
    bb: f32,
    // ‖a − b‖².
    squares: f32,
}

// 1 − ⟨a, b⟩ / (‖a‖‖b‖ + 1e-6).
const SMALL = 1e-6;

fn one_minus_cosine(own: Products) -> f32 {
    return 1.0 - own.ab / (sqrt(own.aa) * sqrt(own.bb) + SMALL);
}

// The same, derived at b: b counts so much, and a so much. Nothing passes where b is zero.
fn cosine_slopes(own: Products) -> vec2f {
    let length_a = sqrt(own.aa);
    let length_b = sqrt(own.bb);
    if length_b == 0.0 {
        return vec2f();
    }
    let below = length_a * length_b + SMALL;
    return vec2f(own.ab * length_a / (length_b * below * below), -1.0 / below);
}
