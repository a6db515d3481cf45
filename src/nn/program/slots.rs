//! Which tensors share memory: from when to when each is needed, and the slot that it gets.

use super::{OpKind, Places, Program, Room, Slot, Slots, Value};
use crate::kernels::layers::PoolKind;

/// From when to when a tensor is needed. Operation i of n runs at time i, its backward pass at 2n − 1 − i.
#[derive(Debug, Clone, Copy)]
struct Life {
    len: usize,
    from: usize,
    to: usize,
}

const FOR_EVER: usize = usize::MAX;

/// Without places, all lie in buffers.
pub(super) fn assign(program: &Program, places: Option<&Places>) -> Room {
    let Program { values, ops, output, .. } = program;
    let mut tensors = Lives::new(values.len());
    let mut gradients = Lives::new(values.len());
    // A tensor that an operation reads or writes at this time.
    let at = |lives: &mut Lives, id: usize, value: &Value, time: usize| {
        lives.needed(id, value.len, time);
    };
    for (i, op) in ops.iter().enumerate() {
        let back = 2 * ops.len() - 1 - i;
        let (input, made) = (&values[op.input], &values[op.output]);
        at(&mut tensors, input.tensor, input, i);
        at(&mut tensors, made.tensor, made, i);
        let (reads_input, reads_output) = match op.kind {
            OpKind::Conv { .. } | OpKind::Norm(_) | OpKind::Linear(_) => (true, false),
            OpKind::Act(kind) => (kind.reads_input(), !kind.reads_input()),
            OpKind::Pool(pool) => (pool.kind == PoolKind::Max, false),
            OpKind::Part { .. } | OpKind::Meet { .. } => (false, false),
        };
        if reads_input {
            at(&mut tensors, input.tensor, input, back);
        }
        if reads_output {
            at(&mut tensors, made.tensor, made, back);
        }
        at(&mut gradients, input.gradient, input, back);
        at(&mut gradients, made.gradient, made, back);
        if let OpKind::Part { other } | OpKind::Meet { other } = op.kind {
            let other = &values[other];
            at(&mut tensors, other.tensor, other, i);
            at(&mut gradients, other.gradient, other, back);
        }
    }
    // The input of the first operation belongs to another owner. The output is read afterwards, as is the gradient at
    // the input; the gradient at the output is written before the backward pass.
    tensors.0[values[0].tensor] = None;
    tensors.lasts(values[*output].tensor);
    gradients.lasts(values[0].gradient);
    if let Some(life) = &mut gradients.0[values[*output].gradient] {
        life.from = 0;
    }
    Room {
        tensors: tensors.assign(places.map(|places| &places.tensors[..])),
        gradients: gradients.assign(places.map(|places| &places.gradients[..])),
    }
}

struct Lives(Vec<Option<Life>>);

impl Lives {
    fn new(tensors: usize) -> Self {
        Self(vec![None; tensors])
    }

    fn needed(&mut self, id: usize, len: usize, time: usize) {
        let life = self.0[id].get_or_insert(Life { len, from: time, to: time });
        (life.from, life.to) = (life.from.min(time), life.to.max(time));
    }

    fn lasts(&mut self, id: usize) {
        if let Some(life) = &mut self.0[id] {
            life.to = FOR_EVER;
        }
    }

    fn assign(&self, in_texels: Option<&[bool]>) -> Slots {
        let texels = |id: usize| in_texels.is_some_and(|of| of[id]);
        let (buffers, in_buffers) = self.assign_those(|id| !texels(id));
        let (textures, in_textures) = self.assign_those(texels);
        let both = in_buffers.into_iter().zip(in_textures);
        let of = both.map(|(b, t)| b.map(Slot::Buffer).or(t.map(Slot::Texture))).collect();
        Slots { buffers, textures, of }
    }

    /// The slots' lengths, and each tensor's slot, of some of them.
    fn assign_those(&self, these: impl Fn(usize) -> bool) -> (Vec<usize>, Vec<Option<usize>>) {
        let some = |&id: &usize| self.0[id].is_some() && these(id);
        let mut order: Vec<_> = (0..self.0.len()).filter(some).collect();
        order.sort_by_key(|&id| self.0[id].map_or(0, |life| life.from));
        let mut slots: Vec<Life> = Vec::new();
        let mut slot_of = vec![None; self.0.len()];
        for id in order {
            let Some(life) = self.0[id] else { continue };
            // Of those that are free, the one that fits best; else the largest, which grows.
            let free = (0..slots.len()).filter(|&slot| slots[slot].to < life.from);
            let best = free.min_by_key(|&slot| match slots[slot].len.checked_sub(life.len) {
                Some(unused) => (false, unused),
                None => (true, life.len - slots[slot].len),
            });
            let slot = best.unwrap_or_else(|| {
                slots.push(life);
                slots.len() - 1
            });
            slots[slot] = Life { len: slots[slot].len.max(life.len), ..life };
            slot_of[id] = Some(slot);
        }
        (slots.iter().map(|slot| slot.len).collect(), slot_of)
    }
}
