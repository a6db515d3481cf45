//! Writing out the text of kernels: what several of them need.

use std::fmt::{Arguments, Write};

/// Of a vec4f.
pub(super) const COMPONENTS: [&str; 4] = ["x", "y", "z", "w"];

/// Writes a line.
pub(super) fn put(text: &mut String, line: Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{line}");
}

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

/// Writes the sum, over a pooled value's four places (dy, dx), of ReLU, doubled, of the normalised value
/// there with the norm's weight and bias; returns its name, which ends in `number`. An eighth of it is
/// the average.
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
        let value: Arguments<'_> = format_args!("{} * weight_bias.x + weight_bias.y", at(dy, dx));
        put(text, format_args!("let {name} = {value};"));
        each.push(format!("({name} + abs({name}))"));
    }
    let name = format!("o{number}");
    put(text, format_args!("let {name} = {};", tree(&each)));
    name
}

/// Writes sums over the lanes of as many values as there are lanes, each lane getting another one, and
/// returns its name. Names of what is between begin with `name`.
///
/// Half of the values go to the other half of the lanes and half of theirs come, then a quarter, and so
/// on: as many shuffles as values, where sums of one value after the other take them all to all lanes.
pub(super) fn lane_sums(
    text: &mut String,
    name: &str,
    terms: impl Iterator<Item = String>,
) -> String {
    let mut terms: Vec<_> = terms.collect();
    debug_assert!(terms.len().is_power_of_two());
    while terms.len() > 1 {
        let distance = terms.len() / 2;
        let upper = format!("(lane & {distance}u) != 0u");
        let halves = terms.split_at(distance);
        terms = (0..distance)
            .map(|i| {
                let (low, high, sum) =
                    (&halves.0[i], &halves.1[i], format!("{name}_{distance}_{i}"));
                put(
                    text,
                    format_args!(
                        "let {sum} = select({low}, {high}, {upper}) \
                         + subgroupShuffleXor(select({high}, {low}, {upper}), {distance}u);"
                    ),
                );
                sum
            })
            .collect();
    }
    terms.concat()
}
