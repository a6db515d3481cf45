//! The forms in which kernels read the weights of blocks.

use crate::kernels::{
    Backward, BlockPlan, Direction, Forward, Packing, TexelKernel, cpu::TexelPacking,
};

/// Which directions images go through the networks, and so which forms of the weights are needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ways {
    /// Forward alone.
    Ahead,
    /// Also forward keeping what backward needs, and from there to the images, perhaps to the weights as well.
    ToImages,
    /// The same, but to the weights alone.
    ToWeights,
}

/// How the weights are rearranged for a kernel, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Buffer(Packing),
    Texels(TexelPacking),
}

/// The forms in which kernels read the weights of each block, where images go these ways.
pub(super) fn forms(plans: &[BlockPlan], ways: Ways) -> Vec<(usize, Direction, Form)> {
    let form = |packing: Option<Packing>| packing.map(Form::Buffer);
    let mut all = Vec::new();
    for (b, plan) in plans.iter().enumerate() {
        let [ahead, keep, back] = match plan.forward {
            Forward::Texels(kernel) => {
                let form = Some(Form::Texels(TexelPacking::Winograd(kernel.packing())));
                // First blocks use the same form backward as forward.
                let back = form.filter(|_| !matches!(kernel, TexelKernel::First(_)));
                [form, form, back]
            }
            _ => {
                let back = match plan.backward {
                    Backward::Apart { data, .. } => form(data.packing()),
                    _ => None,
                };
                [form(plan.forward.packing()), form(plan.forward_keep.packing()), back]
            }
        };
        let mut add = |direction, form: Option<Form>| {
            all.extend(form.map(|form| (b, direction, form)));
        };
        add(Direction::Forward, ahead);
        if ways == Ways::Ahead {
            continue;
        }
        add(Direction::Forward, keep.filter(|_| keep != ahead));
        // When networks are trained, no gradient goes to the images.
        if b > 0 || ways == Ways::ToImages {
            add(Direction::BackwardData, back);
        }
    }
    all
}
