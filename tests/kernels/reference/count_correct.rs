//! Twin of `count_correct`: how many logits are largest at the label.

/// For each of `nets` networks, of `logits` (nets, N, classes); of equals the first counts.
pub fn count_correct(logits: &[f64], labels: &[u32], nets: usize) -> Vec<u32> {
    let each = logits.len() / nets;
    let classes = each / labels.len();
    let is_right = |logits: &[f64], label: u32| {
        let best = (0..classes).find(|&k| logits.iter().all(|other| logits[k] >= *other));
        best == Some(label as usize)
    };
    let of_net = |own: &[f64]| {
        own.chunks(classes).zip(labels).filter(|&(logits, label)| is_right(logits, *label)).count()
    };
    logits.chunks(each).map(|own| of_net(own) as u32).collect()
}
