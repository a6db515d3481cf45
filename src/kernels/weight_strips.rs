//! Gradient of convolution 3×3 at its weights by strips of rows, for CPU adapters. Writes out the
//! unrolled parts of `shaders/conv_backward_weight_strips.wgsl`.

use super::{
    Generated, Planes, conv_backward_weight,
    unrolled::{COMPONENTS, put, store_taps},
    wgsl,
};

/// What a subgroup works at: an output channel a lane, `inputs` input channels, planes of `size`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Strips {
    lanes: usize,
    inputs: usize,
    size: usize,
}

const TEMPLATE: &str = wgsl!(
    "shared/grid",
    "shared/planes",
    "shared/planar_vec",
    "shared/conv_weights",
    "conv_backward_weight_strips"
);

/// Pixels of a strip, and its longest row. The unrolled text grows with it: beyond what a CPU's cache
/// of instructions holds, it is slower again.
const PIXELS: usize = 16;
const LONGEST: usize = 64;

impl Strips {
    /// For an input and planes of these layouts, if they are haloed, their rows are whole vec4f, and they
    /// are whole strips.
    pub fn new(lanes: usize, input: Planes, planes: Planes) -> Option<Self> {
        let size = planes.size as usize;
        let haloed = |p: Planes| p == Planes::haloed(p.channels as usize, size);
        let fits = size.is_multiple_of(4) && size <= LONGEST && haloed(input) && haloed(planes);
        // As many as unrolled text has room for; images have one or three.
        let inputs = match input.channels {
            1 => 1,
            2..8 => 3,
            _ => 8,
        };
        let strips = Self { lanes, inputs, size };
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

    /// vec4f of a row and its halo.
    fn vecs(&self) -> usize {
        self.size / 4 + 1
    }

    /// Every specialisation that any adapter can ask for, for the tests that read them all.
    pub fn all() -> Vec<Generated> {
        let mut all = Vec::new();
        for lanes in [8, 16, 32, 64] {
            for (size, inputs) in
                (4..=LONGEST).step_by(4).flat_map(|size| [1, 3, 8].map(|inputs| (size, inputs)))
            {
                let (input, planes) = (Planes::haloed(inputs, size), Planes::haloed(1, size));
                all.extend(Self::new(lanes, input, planes).map(|strips| strips.generate()));
            }
        }
        all
    }

    pub(super) fn generate(&self) -> Generated {
        let Self { lanes, inputs, size } = self;
        let name = format!("conv_backward_weight_strips_lanes {lanes}×{inputs} {size}");
        let slots = conv_backward_weight::KERNEL.slots;
        Generated { name, source: self.source(), constants: &[], slots }
    }

    /// The whole WGSL.
    fn source(&self) -> String {
        let Self { lanes, inputs, size } = self;
        let (rows, vecs) = (self.rows(), self.vecs());
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
            .replace("//{store}", &store_taps(*inputs));
        format!(
            "const LANES = {lanes}u;\nconst INPUTS = {inputs}u;\nconst SIZE = {size}u;\n\
             const ROWS = {rows}u;\nconst VECS = {vecs}u;\n{body}"
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
                put(&mut text, format_args!("let i{i} = input[x{c} + y * VECS + {at}];"));
            }
            for tap in 0..9 {
                put(&mut text, format_args!("var t{tap} = 0.0;"));
            }
            for r in 0..rows + 2 {
                for e in 0..self.size + 2 {
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
        let (vec, component) = (r * self.vecs() + e / 4, COMPONENTS[e % 4]);
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
                let d = format!("d{y}_{}.{}", (x + 1) / 4, COMPONENTS[(x + 1) % 4]);
                put(text, format_args!("t{tap} += {d} * b{r}_{e};"));
            }
        }
    }
}
