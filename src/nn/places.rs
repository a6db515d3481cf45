//! Which tensors of a network lie in textures: on CPU adapters those whose every operation has kernels for that.

use super::{
    fast::{Fast, InTexels},
    program::{OpKind, Places, Program},
};
use crate::{gpu::Caps, kernels::Direction};

/// Groups of tensors and gradients that must lie in the same place, by one of each group.
struct Groups {
    /// Of a gradient, behind those of all tensors.
    parents: Vec<usize>,
    /// By root: whether the group must lie in buffers.
    in_buffers: Vec<bool>,
}

/// Where the tensors of this program lie on such a device.
pub(super) fn places(caps: &Caps, program: &Program) -> Places {
    let count = program.values.len();
    let mut groups =
        Groups { parents: (0..2 * count).collect(), in_buffers: vec![false; 2 * count] };
    let tensor = |value: usize| program.values[value].tensor;
    for value in &program.values {
        groups.tie(value.tensor, count + value.gradient);
        groups.keep_in_buffers_if(!value.len.is_multiple_of(4), value.tensor);
    }
    for op in &program.ops {
        let [input, output] = [op.input, op.output].map(tensor);
        match op.kind {
            OpKind::Conv { .. } | OpKind::Linear(_) => {
                let [reads, makes] = has_texels(caps, op.kind);
                groups.keep_in_buffers_if(!reads, input);
                groups.keep_in_buffers_if(!makes, output);
            }
            OpKind::Norm(norm) => groups.keep_in_buffers_if(!norm.has_texels(), input),
            OpKind::Pool(pool) => groups.keep_in_buffers_if(!pool.has_texels(), input),
            OpKind::Part { other } | OpKind::Meet { other } => groups.tie(input, tensor(other)),
            OpKind::Act(_) => {}
        }
        if op.kind.shape().is_none() {
            groups.tie(input, output);
        }
    }
    // The images are written and the output is read elsewhere.
    for value in [0, program.output] {
        groups.keep_in_buffers_if(true, tensor(value));
    }
    let none = program.buffers_alone || caps.lanes().is_none();
    let mut in_texels = |id: usize| {
        let root = groups.root(id);
        !none && !groups.in_buffers[root]
    };
    Places {
        tensors: (0..count).map(&mut in_texels).collect(),
        gradients: (count..2 * count).map(&mut in_texels).collect(),
    }
}

/// Whether a convolution or linear layer reads a texture at its input, and makes one of its output.
fn has_texels(caps: &Caps, kind: OpKind) -> [bool; 2] {
    match Fast::of(caps, kind) {
        Some(Fast::Texels(InTexels { input, output, .. })) => {
            [input, output].map(|layer| layer.channels.is_multiple_of(2))
        }
        Some(Fast::Product(product)) => {
            [product.reads_texels(), product.makes_texels(Direction::Forward)]
        }
        Some(Fast::Haloed(_)) | None => [false; 2],
    }
}

impl Groups {
    fn root(&self, mut id: usize) -> usize {
        while self.parents[id] != id {
            id = self.parents[id];
        }
        id
    }

    fn tie(&mut self, a: usize, b: usize) {
        let [a, b] = [a, b].map(|id| self.root(id));
        self.parents[b] = a;
        self.in_buffers[a] |= self.in_buffers[b];
    }

    fn keep_in_buffers_if(&mut self, must: bool, id: usize) {
        let root = self.root(id);
        self.in_buffers[root] |= must;
    }
}

#[cfg(test)]
mod tests {
    use wgpu::{AdapterInfo, Backend, DeviceType, Features, Limits};

    use super::*;
    use crate::Net;

    fn caps(kind: DeviceType) -> Caps {
        let info = AdapterInfo {
            subgroup_min_size: 8,
            subgroup_max_size: 8,
            ..AdapterInfo::new(kind, Backend::Vulkan)
        };
        Caps::of(&info, Features::SUBGROUP, &Limits::default())
    }

    /// Values of an image in textures, of all that operations make.
    fn share_in_textures(caps: &Caps, program: &Program) -> f64 {
        let tensors = places(caps, program).tensors;
        let made = program.ops.iter().map(|op| &program.values[op.output]);
        let len = |in_texels: bool| {
            let some = made.clone().filter(|value| tensors[value.tensor] || !in_texels);
            some.map(|value| value.len).sum::<usize>() as f64
        };
        len(true) / len(false)
    }

    #[test]
    fn deep_networks_have_almost_all_in_textures_on_cpus_and_nothing_elsewhere() {
        let nets = [
            Net::vgg11((3, 32), 10, false),
            Net::resnet18((3, 32), 10, false),
            Net::resnet18((3, 32), 10, true),
            Net::alexnet((3, 32), 10, false),
        ];
        for net in nets.map(Result::unwrap) {
            let program = net.program();
            let share = share_in_textures(&caps(DeviceType::Cpu), program);
            assert!(share > 0.9, "{share}");
            assert_eq!(share_in_textures(&caps(DeviceType::DiscreteGpu), program), 0.0);
            let apart = Program { buffers_alone: true, ..program.clone() };
            assert_eq!(share_in_textures(&caps(DeviceType::Cpu), &apart), 0.0);
        }
    }
}
