//! How rates fall while a network is trained, as published.

use crate::{Protocol, kernels::Rates};

const MOMENTUM: f32 = 0.9;
const WEIGHT_DECAY: f32 = 5e-4;

/// What changes as an epoch begins: the rates, and whether the momenta begin anew. `None` if nothing does.
pub(super) fn rates(protocol: Protocol, epoch: u32, epochs: u32, lr: f32) -> Option<(Rates, bool)> {
    let part = |of: u32, all: u32| (u64::from(epochs) * u64::from(of) / u64::from(all)) as u32;
    let (falls, by, anew) = match protocol {
        Protocol::Dm => (vec![epochs / 2 + 1], 0.1, true),
        Protocol::Idc => (vec![part(2, 3), part(5, 6)], 0.2, false),
    };
    if epoch > 0 && !falls.contains(&epoch) {
        return None;
    }
    let fallen = falls.iter().filter(|&&fall| fall <= epoch).count();
    let lr = (0..fallen).fold(lr, |lr, _| lr * by);
    Some((Rates::new(lr, MOMENTUM, WEIGHT_DECAY), anew || epoch == 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_fall_where_they_are_published_to_fall() {
        let falls = |protocol: Protocol, epochs: u32| -> Vec<_> {
            (0..epochs)
                .filter_map(|epoch| {
                    let (rates, anew) = rates(protocol, epoch, epochs, 0.01)?;
                    Some((epoch, (rates.lr * 1e5).round() as u32, anew))
                })
                .collect()
        };
        assert_eq!(falls(Protocol::Dm, 300), [(0, 1000, true), (151, 100, true)]);
        let idc = [(0, 1000, true), (40, 200, false), (50, 40, false)];
        assert_eq!(falls(Protocol::Idc, 60), idc);
        assert_eq!(falls(Protocol::Idc, 1000)[1..], [(666, 200, false), (833, 40, false)]);
        // So short that both fall at once, at the beginning.
        assert_eq!(falls(Protocol::Idc, 1), [(0, 40, true)]);
    }
}
