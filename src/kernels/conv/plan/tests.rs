//! The plan of every kind of device as a table, `../plan.txt`. `DM_WGPU_WRITE_GOLDEN=1 cargo test --lib the_plan`
//! writes it again.

use std::{collections::BTreeSet, fmt::Debug};

use wgpu::{AdapterInfo, Backend, DeviceType, Features, Limits};

use super::*;
use crate::{ConvNet, gpu::Matrices};

const GPU: DeviceType = DeviceType::DiscreteGpu;
const CPU: DeviceType = DeviceType::Cpu;

fn caps(kind: DeviceType, subgroups: (u32, u32), invocations: u32) -> Caps {
    let info = AdapterInfo {
        subgroup_min_size: subgroups.0,
        subgroup_max_size: subgroups.1,
        ..AdapterInfo::new(kind, Backend::Vulkan)
    };
    let limits = Limits { max_compute_invocations_per_workgroup: invocations, ..Limits::default() };
    Caps::of(&info, Features::SUBGROUP, &limits)
}

fn devices() -> Vec<(&'static str, Caps)> {
    let gpu = caps(GPU, (32, 32), 256);
    let with = |caps: Caps, side, lanes| caps.with_matrices(Matrices { side, lanes });
    vec![
        ("GPU", gpu),
        ("GPU, subgroups of 4 to 64", caps(GPU, (4, 64), 256)),
        ("CPU, subgroups of 4", caps(CPU, (4, 4), 256)),
        ("GPU, workgroups of 128", caps(GPU, (32, 32), 128)),
        ("CPU, subgroups of 4, workgroups of 128", caps(CPU, (4, 4), 128)),
        ("GPU, f16 matrices of 16", with(gpu, 16, 32)),
        ("GPU, f16 matrices of 8", with(gpu, 8, 32)),
        ("CPU, subgroups of 8", caps(CPU, (8, 8), 256)),
        ("CPU, subgroups of 16", caps(CPU, (16, 16), 256)),
        ("CPU, subgroups of 8, f16 matrices of 8", with(caps(CPU, (8, 8), 256), 8, 8)),
    ]
}

/// Networks of digits, of coloured images of 32 and of 64, and one whose planes fit nothing well.
fn nets() -> Vec<ConvNet> {
    [(1, 28, 128, 3), (3, 32, 128, 3), (3, 64, 128, 4), (3, 30, 20, 2)]
        .map(|(channels, size, width, depth)| ConvNet::new(channels, size, width, depth).unwrap())
        .to_vec()
}

/// A kernel with its numbers; what they are goes to the legend.
fn label(legend: &mut BTreeSet<String>, kernel: &dyn Debug) -> String {
    let text = format!("{kernel:?}");
    let words: Vec<_> = text.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let words: Vec<_> = words.into_iter().filter(|word| !word.is_empty()).collect();
    let numbers = words.windows(2).filter(|pair| pair[1].parse::<usize>().is_ok());
    let (fields, numbers): (Vec<_>, Vec<_>) = numbers.map(|pair| (pair[0], pair[1])).unzip();
    if fields.is_empty() {
        return words[0].to_owned();
    }
    legend.insert(format!("{}({})", words[0], fields.join(", ")));
    format!("{}({})", words[0], numbers.join(", "))
}

fn texels(legend: &mut BTreeSet<String>, kernel: TexelKernel) -> String {
    match kernel {
        TexelKernel::First(first) => label(legend, &first),
        TexelKernel::Small(small) => label(legend, &small),
        TexelKernel::Any(any) => label(legend, &any),
    }
}

/// A block's columns.
fn row(legend: &mut BTreeSet<String>, plan: &BlockPlan) -> [String; 7] {
    let forward = |legend: &mut BTreeSet<String>, forward| match forward {
        Forward::Fused(kernel) => format!("block {}", label(legend, &kernel)),
        Forward::Apart(kernel) => format!("{}, norm", label(legend, &kernel)),
        Forward::Texels(kernel @ TexelKernel::Any(_)) => {
            format!("{}, norm", texels(legend, kernel))
        }
        Forward::Texels(kernel) => format!("block {}", texels(legend, kernel)),
    };
    let (data, weight) = match plan.backward {
        Backward::Apart { data, weight } => (label(legend, &data), label(legend, &weight)),
        Backward::Texels(kernel) => (texels(legend, kernel), "same".to_owned()),
    };
    let [ahead, keep] = [plan.forward, plan.forward_keep].map(|way| forward(legend, way));
    let lies = |planes: Planes| {
        let dense = Planes::dense(planes.channels as usize, planes.size as usize);
        if planes == dense { "dense" } else { "haloed" }
    };
    let Planes { channels, size, .. } = plan.input;
    [
        format!("{channels}×{size}×{size} → {}", plan.planes.channels),
        ahead,
        keep,
        data,
        weight,
        format!("{}, {}", lies(plan.input), lies(plan.pooled)),
        format!("{:?}", plan.kept),
    ]
}

/// Cells in columns.
fn aligned(rows: &[[String; 7]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let line = |row: &[String; 7]| {
        let cells = row.iter().enumerate();
        let cells = cells.map(|(i, cell)| format!("{cell:0$}", width(i).unwrap()));
        cells.collect::<Vec<_>>().join(" | ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

const HEAD: &str = "\
The kernels of each kind of device for each block of some networks. With \"block\" one kernel does all of it,
with \"norm\" another one follows for norm, ReLU and pool. The columns: forward where no backward pass follows;
forward keeping what backward needs; the gradients at the input and at the weights; how input and output lie;
of which images the convolution's planes are kept. What the numbers are:

";

fn table() -> String {
    let titles = [
        "block",
        "forward",
        "forward, kept",
        "to the input",
        "to the weights",
        "from, to",
        "planes",
    ];
    let mut legend = BTreeSet::new();
    let mut sections: Vec<(String, String)> = Vec::new();
    for (name, caps) in devices() {
        let mut rows = vec![titles.map(str::to_owned)];
        for plan in nets().into_iter().flat_map(|net| net.plan(&caps)) {
            let row = row(&mut legend, &plan);
            // Several networks have the same blocks.
            if !rows.contains(&row) {
                rows.push(row);
            }
        }
        let (title, text) = (format!("# {name}: {}\n", caps.kernels.name()), aligned(&rows));
        match sections.iter_mut().find(|(_, known)| *known == text) {
            Some((titles, _)) => *titles += &title,
            None => sections.push((title, text)),
        }
    }
    let sections: Vec<_> = sections.into_iter().map(|(title, text)| title + &text).collect();
    let legend: Vec<_> = legend.into_iter().map(|line| line + "\n").collect();
    format!("{HEAD}{}\n{}", legend.concat(), sections.join("\n"))
}

#[test]
fn the_plan_is_the_table() {
    let table = table();
    if std::env::var_os("DM_WGPU_WRITE_GOLDEN").is_some() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/kernels/conv/plan.txt");
        std::fs::write(file, &table).unwrap();
    }
    println!("{table}");
    for (line, (new, known)) in table.lines().zip(include_str!("../plan.txt").lines()).enumerate() {
        assert_eq!(new, known, "line {} of plan.txt", line + 1);
    }
    assert_eq!(table, include_str!("../plan.txt"));
}

#[test]
fn the_family_lanes_is_for_cpus_without_f16() {
    let lacks = |caps: Caps| caps.missing_for(Kernels::Lanes).is_some();
    let cpu = caps(CPU, (8, 8), 256);
    assert!(!lacks(cpu) && lacks(caps(GPU, (8, 8), 256)) && lacks(caps(CPU, (32, 32), 256)));
    assert!(lacks(Caps { texels: false, ..cpu }));
    let with_f16 = cpu.with_matrices(Matrices { side: 8, lanes: 8 });
    assert!(lacks(with_f16) && with_f16.kernels == Kernels::Tiles);
}

#[test]
fn each_block_reads_the_layout_that_the_one_before_writes() {
    for (name, caps) in devices() {
        for size in 8..=96 {
            for (channels, width) in [(1, 1), (1, 128), (3, 20)] {
                let plans = ConvNet::new(channels, size, width, 3).unwrap().plan(&caps);
                for (block, pair) in plans.windows(2).enumerate() {
                    let what = format!("{name}, block {block} of {channels}×{size}×{size}");
                    assert_eq!(pair[0].pooled, pair[1].input, "{what}");
                    assert_eq!(pair[0].d_pooled, pair[1].d_input, "{what}");
                }
                let last = plans[2].pooled;
                assert_eq!(
                    last,
                    Planes::dense(width, last.size as usize),
                    "an embedding has no gaps"
                );
            }
        }
    }
}
