//! The devices of a run that is shared out among several.

use std::fmt;

use super::Result;
use crate::{AdapterChoice, Gpu};

/// One of several devices.
#[derive(Debug, Clone)]
pub struct Device {
    /// As it is asked for alone, if this crate opened it: its index among all adapters.
    pub adapter: Option<String>,
    /// The device.
    pub gpu: Gpu,
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.adapter {
            Some(index) => write!(f, "adapter {index}, {}", self.gpu.info().name),
            None => f.write_str(&self.gpu.info().name),
        }
    }
}

/// How many pieces so many things of one kind are cut into: four per device, so that devices of different speed end at about
/// the same time, but fewer if a piece would have less than two things.
pub(super) fn pieces(things: usize, devices: usize) -> u32 {
    let devices = devices.max(1);
    (devices * (things / (2 * devices)).clamp(1, 4)).min(things) as u32
}

/// The devices that were asked for, at least one. Of all, those that cannot be opened are left out.
pub(super) fn opened(choice: &AdapterChoice) -> Result<Vec<Device>> {
    let several = choice.each_blocking()?;
    // The others of a list were named.
    let all =
        several.len() > 1 && !choice.adapter.as_deref().is_some_and(|asked| asked.contains(','));
    let (mut devices, mut refused) = (Vec::new(), None);
    for own in several {
        match Gpu::headless_blocking(&own) {
            Ok(gpu) => devices.push(Device { adapter: own.adapter, gpu }),
            Err(error) if all => {
                log::warn!("an adapter is left out: {error}");
                refused.get_or_insert(error);
            }
            Err(error) => return Err(error.into()),
        }
    }
    match refused.filter(|_| devices.is_empty()) {
        Some(error) => Err(error.into()),
        None => Ok(devices),
    }
}

#[cfg(test)]
mod tests {
    use super::pieces;

    #[test]
    fn there_are_more_pieces_than_devices_if_these_are_not_too_small() {
        let of = [(1, 2), (2, 2), (3, 2), (10, 2), (10, 3), (10, 16), (100, 2), (1000, 8), (5, 1)];
        let told = of.map(|(things, devices)| pieces(things, devices));
        assert_eq!(told, [1, 2, 2, 4, 3, 10, 8, 32, 2]);
    }
}
