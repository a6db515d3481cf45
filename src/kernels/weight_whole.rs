//! Gradient of convolution 3×3 at its weights over whole small planes, for CPU adapters. Writes out the
//! unrolled parts of `shaders/conv_backward_weight_whole.wgsl`.

use super::{
    Generated, Planes, conv_backward_weight,
    unrolled::{COMPONENTS, put, store_taps},
    wgsl,
};

/// What a subgroup works at: an output channel per lane, `inputs` input channels, planes of `size`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WholeWeights {
    lanes: usize,
    inputs: usize,
    size: usize,
}

const TEMPLATE: &str = wgsl!(
    "shared/grid",
    "shared/planes",
    "shared/planar_vec",
    "shared/conv_weights",
    "conv_backward_weight_whole"
);

/// Pixels of a strip: as many vec4f as this has fours. The unrolled text grows with it.
const PIXELS: usize = 16;
const VECS: usize = PIXELS / 4;

impl WholeWeights {
    /// For an input and planes of these layouts, if they are dense and small.
    pub fn new(lanes: usize, input: Planes, planes: Planes) -> Option<Self> {
        let size = planes.size as usize;
        let dense = |p: Planes| p == Planes::dense(p.channels as usize, size);
        let fits = matches!(size, 4 | 8 | 16) && lanes.is_multiple_of(VECS) && dense(input);
        // As many as unrolled text has room for; images have one or three.
        let inputs = if input.channels < 8 { 4 } else { 8 };
        (fits && dense(planes)).then_some(Self { lanes, inputs, size })
    }

    /// Workgroups for a network.
    pub fn groups(&self, outputs: usize, inputs: usize) -> usize {
        outputs.div_ceil(self.lanes) * inputs.div_ceil(self.inputs)
    }

    /// Rows of a strip.
    fn rows(&self) -> usize {
        PIXELS / self.size
    }

    fn strips(&self) -> usize {
        self.size / self.rows()
    }

    /// Input channels whose strips the lanes load together.
    fn together(&self) -> usize {
        self.lanes / VECS
    }

    fn loads(&self) -> usize {
        self.inputs.div_ceil(self.together())
    }

    /// Every specialisation that any adapter can ask for, for the tests that read them all.
    pub fn all() -> Vec<Generated> {
        let mut all = Vec::new();
        for (lanes, size) in [8, 16, 32].into_iter().flat_map(|l| [4, 8, 16].map(|s| (l, s))) {
            for channels in [1, 8] {
                let (input, planes) = (Planes::dense(channels, size), Planes::dense(1, size));
                all.extend(Self::new(lanes, input, planes).map(|whole| whole.generate()));
            }
        }
        all
    }

    pub(super) fn generate(&self) -> Generated {
        let Self { lanes, inputs, size } = self;
        let name = format!("conv_backward_weight_whole_lanes {lanes}×{inputs} {size}");
        let slots = conv_backward_weight::KERNEL.slots;
        Generated { name, source: self.source(), constants: &[], slots }
    }

    /// The whole WGSL.
    fn source(&self) -> String {
        let Self { lanes, inputs, .. } = self;
        let (mut accumulators, mut first) = (String::new(), String::new());
        for c in 0..*inputs {
            for tap in 0..9 {
                put(&mut accumulators, format_args!("var a{c}_{tap} = 0.0;"));
            }
        }
        for load in 0..self.loads() {
            let c = format!("first_c + {}u + lane / {VECS}u", load * self.together());
            put(
                &mut first,
                format_args!(
                    "let x{load} = (image * inputs + min({c}, inputs - 1u)) * (STRIPS * {VECS}u) \
                     + lane % {VECS}u;\n\
                     var before{load} = vec4f();\n\
                     var here{load} = input[x{load}];"
                ),
            );
        }
        let body = TEMPLATE
            .replace("//{accumulators}", &accumulators)
            .replace("//{first}", &first)
            .replace("//{strip}", &self.strip())
            .replace("//{store}", &store_taps(*inputs));
        format!(
            "const LANES = {lanes}u;\nconst INPUTS = {inputs}u;\nconst STRIPS = {}u;\n{body}",
            self.strips()
        )
    }

    fn strip(&self) -> String {
        let mut text = String::new();
        for v in 0..VECS {
            put(&mut text, format_args!("let d{v} = d_planes[d_image + s * {VECS}u + {v}u];"));
        }
        for load in 0..self.loads() {
            let at = format!("x{load} + min(s + 1u, STRIPS - 1u) * {VECS}u");
            put(
                &mut text,
                format_args!("let behind{load} = select(vec4f(), input[{at}], s + 1u < STRIPS);"),
            );
        }
        for c in 0..self.inputs {
            text.push_str("{\n");
            for tap in 0..9 {
                put(&mut text, format_args!("var t{tap} = 0.0;"));
            }
            // Rows count from the one above the strip.
            for r in 0..self.rows() + 2 {
                for x in 0..self.size {
                    self.meet(&mut text, c, r, x);
                }
            }
            for tap in 0..9 {
                put(&mut text, format_args!("a{c}_{tap} += t{tap};"));
            }
            text.push_str("}\n");
        }
        for load in 0..self.loads() {
            put(&mut text, format_args!("before{load} = here{load};\nhere{load} = behind{load};"));
        }
        text
    }

    /// The input's value at row `r`, column `x` meets the gradients that it caused.
    fn meet(&self, text: &mut String, c: usize, r: usize, x: usize) {
        let rows = self.rows();
        let (strip, row) = match r.checked_sub(1) {
            None => ("before", rows - 1),
            Some(row) if row < rows => ("here", row),
            Some(_) => ("behind", 0),
        };
        if strip != "here" && self.strips() == 1 {
            // Nothing is above or below a plane.
            return;
        }
        let (load, pixel) = (c / self.together(), row * self.size + x);
        let (component, lane) = (COMPONENTS[pixel % 4], c % self.together() * VECS + pixel / 4);
        put(
            text,
            format_args!("{{ let b = subgroupBroadcast({strip}{load}.{component}, {lane}u);"),
        );
        for tap in 0..9 {
            // The output that sees this input through the tap.
            let (Some(to_y), Some(to_x)) = (r.checked_sub(tap / 3), (x + 1).checked_sub(tap % 3))
            else {
                continue;
            };
            if to_y < rows && to_x < self.size {
                let to = to_y * self.size + to_x;
                put(text, format_args!("t{tap} += d{}.{} * b;", to / 4, COMPONENTS[to % 4]));
            }
        }
        text.push_str("}\n");
    }
}
