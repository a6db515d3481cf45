//! Gradient of convolution 3×3 at its weights by strips of rows, for CPU adapters. Writes out the
//! unrolled parts of `shaders/conv_backward_weight_strips.wgsl`.

use super::{Generated, Planes, conv_backward_weight, conv_lanes::put, unrolled::COMPONENTS, wgsl};

/// What a subgroup works at: an output channel a lane, `inputs` input channels, planes of `size`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Strips {
    lanes: usize,
    inputs: usize,
    size: usize,
    /// Whether planes have a halo, or are dense.
    haloed: bool,
}

const TEMPLATE: &str = wgsl!("shared/grid", "shared/planes", "conv_backward_weight_strips");

/// Pixels of a strip, and its longest row. The unrolled text grows with it: beyond what a CPU's cache
/// of instructions holds, it is slower again.
const PIXELS: usize = 16;
const LONGEST: usize = 64;

/// A way for planes to lie: channels, size.
type Layout = fn(usize, usize) -> Planes;

impl Strips {
    /// For an input and planes of these layouts, if their rows are whole vec4f and they are whole
    /// strips.
    pub fn new(lanes: usize, input: Planes, planes: Planes) -> Option<Self> {
        let size = planes.size as usize;
        let all = |layout: Layout| {
            [input, planes].iter().all(|p| *p == layout(p.channels as usize, size))
        };
        let haloed = all(Planes::haloed);
        let fits = size.is_multiple_of(4) && size <= LONGEST && (haloed || all(Planes::dense));
        // As many as unrolled text has room for, but no more than there are of images' few.
        let inputs = match input.channels {
            1 => 1,
            2..8 => 3,
            _ => 8,
        };
        let strips = Self { lanes, inputs, size, haloed };
        (fits && size.is_multiple_of(strips.rows())).then_some(strips)
    }

    /// Workgroups for a network.
    pub fn groups(&self, outputs: usize, inputs: usize) -> usize {
        outputs.div_ceil(self.lanes) * inputs.div_ceil(self.inputs)
    }

    /// Rows of a strip.
    fn rows(&self) -> usize {
        (PIXELS / self.size).clamp(1, self.size)
    }

    /// Columns of halo before a row.
    fn border(&self) -> usize {
        usize::from(self.haloed)
    }

    /// vec4f of a row and its halo.
    fn vecs(&self) -> usize {
        self.size / 4 + self.border()
    }

    /// Every specialisation that any adapter can ask for, for the tests that read them all.
    pub fn all() -> Vec<Generated> {
        let mut all = Vec::new();
        for lanes in [8, 16, 32, 64] {
            // Planes are dense where whole ones are convolved.
            let (haloed, dense): (Layout, Layout) = (Planes::haloed, Planes::dense);
            let every = (4..=LONGEST).step_by(4).map(|size| (size, haloed));
            for (size, layout) in every.chain([4, 8, 16].map(|size| (size, dense))) {
                for inputs in [1, 3, 8] {
                    let strips = Self::new(lanes, layout(inputs, size), layout(1, size));
                    all.extend(strips.map(|strips| strips.generate()));
                }
            }
        }
        all
    }

    pub fn generate(&self) -> Generated {
        let Self { lanes, inputs, size, haloed } = self;
        let halo = if *haloed { "haloed" } else { "dense" };
        let name = format!("conv_backward_weight_strips_lanes {lanes}×{inputs} {size} {halo}");
        let slots = conv_backward_weight::KERNEL.slots;
        Generated { name, source: self.source(), constants: &[], slots }
    }

    /// The whole WGSL.
    fn source(&self) -> String {
        let Self { lanes, inputs, size, .. } = self;
        let (rows, vecs, halo) = (self.rows(), self.vecs(), self.border());
        let (mut accumulators, mut channels) = (String::new(), String::new());
        for c in 0..*inputs {
            for tap in 0..9 {
                put(&mut accumulators, format_args!("var a{c}_{tap} = 0.0;"));
            }
            put(
                &mut channels,
                format_args!(
                    "let x{c} = (image * inputs + min(first_c + {c}u, inputs - 1u)) * x_plane;"
                ),
            );
        }
        let body = TEMPLATE
            .replace("//{accumulators}", &accumulators)
            .replace("//{channels}", &channels)
            .replace("//{strip}", &self.strip())
            .replace("//{store}", &self.store());
        format!(
            "const LANES = {lanes}u;\nconst INPUTS = {inputs}u;\nconst SIZE = {size}u;\n\
             const ROWS = {rows}u;\nconst VECS = {vecs}u;\nconst HALO = {halo}u;\n{body}"
        )
    }

    fn strip(&self) -> String {
        let (rows, vecs) = (self.rows(), self.vecs());
        let mut text = String::new();
        for r in 0..rows {
            for v in 0..vecs {
                put(
                    &mut text,
                    format_args!(
                        "let d{r}_{v} = d_planes[d_image + y * VECS + {}u];",
                        r * vecs + v
                    ),
                );
            }
        }
        // The strip with a row above and a row below it lies in one piece.
        let whole = (rows + 2) * vecs;
        for c in 0..self.inputs {
            text.push_str("{\n");
            for i in 0..whole.div_ceil(self.lanes) {
                let first = i * self.lanes;
                let at = match whole - first < self.lanes {
                    true => format!("min({first}u + lane, {}u)", whole - 1),
                    false => format!("{first}u + lane"),
                };
                put(&mut text, format_args!("let i{i} = strip(x{c}, y, {at});"));
            }
            for tap in 0..9 {
                put(&mut text, format_args!("var t{tap} = 0.0;"));
            }
            // Columns count from the halo, which is not met where it is not stored.
            for r in 0..rows + 2 {
                for e in 1 - self.border()..self.size + 1 + self.border() {
                    self.meet(&mut text, r, e);
                }
            }
            for tap in 0..9 {
                put(&mut text, format_args!("a{c}_{tap} += t{tap};"));
            }
            text.push_str("}\n");
        }
        text
    }

    /// The value at row `r`, column `e` of the input's strip meets the gradients that it caused.
    fn meet(&self, text: &mut String, r: usize, e: usize) {
        let skipped = 1 - self.border();
        let (vec, component) = (r * self.vecs() + (e - skipped) / 4, COMPONENTS[(e - skipped) % 4]);
        put(
            text,
            format_args!(
                "let b{r}_{e} = subgroupBroadcast(i{}.{component}, {}u);",
                vec / self.lanes,
                vec % self.lanes
            ),
        );
        for tap in 0..9 {
            // The output that sees this input through the tap; its row begins with the halo.
            let (Some(y), Some(x)) = (r.checked_sub(tap / 3), e.checked_sub(tap % 3)) else {
                continue;
            };
            if y < self.rows() && x < self.size {
                let at = x + self.border();
                let d = format!("d{y}_{}.{}", at / 4, COMPONENTS[at % 4]);
                put(text, format_args!("t{tap} += {d} * b{r}_{e};"));
            }
        }
    }

    fn store(&self) -> String {
        let mut text = String::new();
        for c in 0..self.inputs {
            put(
                &mut text,
                format_args!(
                    "if mine == k && first_c + {c}u < inputs {{\n\
                     let at = ((net * outputs + k) * inputs + first_c + {c}u) * 9u;"
                ),
            );
            for tap in 0..9 {
                put(
                    &mut text,
                    format_args!(
                        "d_weights[at + {tap}u] = a{c}_{tap} + kept * d_weights[at + {tap}u];"
                    ),
                );
            }
            text.push_str("}\n");
        }
        text
    }
}
