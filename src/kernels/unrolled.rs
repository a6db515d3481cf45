//! Pieces of text that several kernels which are written out have in common.

use std::fmt::Arguments;

use super::conv_lanes::put;

/// Of a vec4f.
pub(super) const COMPONENTS: [&str; 4] = ["x", "y", "z", "w"];

/// The sum of some terms, added in pairs, then pairs of pairs: rounded less than one long sum, and not
/// a chain in which each addition waits for the one before.
pub(super) fn tree<T: AsRef<str>>(terms: &[T]) -> String {
    match terms {
        [] => "0.0".to_owned(),
        [term] => term.as_ref().to_owned(),
        _ => {
            let (left, right) = terms.split_at(terms.len().div_ceil(2));
            format!("({} + {})", tree(left), tree(right))
        }
    }
}

/// Writes the sum, over a pooled value's four places (dy, dx), of ReLU, doubled, of what is there times
/// `scale` plus `weight_bias.y`; returns its name, which ends in `number`.
///
/// ReLU is doubled as x + |x|, to the bit: where a max of 16 lanes falls into two halves, as on Mesa's
/// software device, that is faster, and it lets a NaN pass.
pub(super) fn pooled(
    text: &mut String,
    number: usize,
    at: impl Fn(usize, usize) -> String,
) -> String {
    let mut each = Vec::new();
    for (dy, dx) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let name = format!("r{number}_{dy}{dx}");
        let value: Arguments<'_> = format_args!("{} * scale + weight_bias.y", at(dy, dx));
        put(text, format_args!("let {name} = {value};"));
        each.push(format!("({name} + abs({name}))"));
    }
    let name = format!("o{number}");
    put(text, format_args!("let {name} = {};", tree(&each)));
    name
}
