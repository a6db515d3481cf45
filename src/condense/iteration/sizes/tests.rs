//! The buffers of a network's step as a table, `../memory.txt`. `DM_WGPU_WRITE_GOLDEN=1 cargo test --lib the_buffers`
//! writes it again.

use wgpu::{AdapterInfo, Backend, DeviceType, Features, Limits};

use super::*;
use crate::{ConvNet, gpu::Caps, kernels::Rates, nn::Program};

fn caps(kind: DeviceType, lanes: u32) -> Caps {
    let info = AdapterInfo {
        subgroup_min_size: lanes,
        subgroup_max_size: lanes,
        ..AdapterInfo::new(kind, Backend::Vulkan)
    };
    Caps::of(&info, Features::SUBGROUP, &Limits::default())
}

#[test]
fn the_buffers_of_a_step_are_the_table() {
    let plan = Plan {
        net: Program::of_blocks(&ConvNet::new(1, 28, 128, 3).unwrap()),
        real_counts: vec![256; 10],
        norm_images: 0,
        counts: vec![10; 10],
        packed: None,
        rates: Rates::new(1.0, 0.5, 0.0),
        real: RealFormat::Pixels { all: &[], mean: &[0.5], std: &[0.5] },
        most_shown: usize::MAX,
        part: usize::MAX,
        passes: 1,
        class: None,
        range: None,
    };
    let sizes = Sizes { chunk: 500, syn_chunk: 100, resident: false };
    let mut text = format!("The buffers of a step: digits, 128 channels, {sizes}.\n");
    for (name, kind, lanes) in
        [("GPU", DeviceType::DiscreteGpu, 32), ("CPU, subgroups of 8", DeviceType::Cpu, 8)]
    {
        text += &format!("\n# {name}\n{}", plan.table(&caps(kind, lanes), sizes));
    }
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/condense/iteration/memory.txt");
    if std::env::var_os("DM_WGPU_WRITE_GOLDEN").is_some() {
        std::fs::write(file, &text).unwrap();
    }
    println!("{text}");
    assert_eq!(text, std::fs::read_to_string(file).unwrap());
}
