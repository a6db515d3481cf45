//! Where buffers are made, and where their memory is counted. An owner names each of its buffers once, in a constructor
//! for any [`Memory`]: a device makes them, a [`Table`] counts them. So exactly the buffers that are made are counted.
//!
//! Not in a table: the parameters of kernels (some bytes per dispatch), and data that waits on the host to be copied.

use std::{
    cell::RefCell,
    fmt::{self, Debug},
};

use bytemuck::{AnyBitPattern, NoUninit};

use super::{Buffer, Caps, Gpu, Staging, Texels, Values, texels::TEXEL_BYTES};
use crate::{Error, Result, Text};

/// Where an owner of buffers allocates them.
pub(crate) trait Memory {
    type Buffer<T: Debug>: Debug + Clone;
    type Texels: Debug + Clone;
    type Staging: Debug;

    /// The capabilities on which the choice of kernels, and so of buffers, depends.
    fn caps(&self) -> &Caps;

    /// `len` values, zero at first.
    fn buffer<T>(&self, label: &str, len: usize) -> Self::Buffer<T>
    where
        T: NoUninit + AnyBitPattern + Debug;

    /// `len` texels of four f32 each, zero at first, which kernels write in `staging`.
    fn texels(&self, label: &str, len: usize, staging: &Self::Staging) -> Self::Texels;

    /// Room to write one at a time of textures of at most `len` texels: no kernel may write two that share it.
    fn staging(&self, label: &str, len: usize) -> Self::Staging;
}

/// Values in a buffer or in a texture, where it is the owner's choice.
#[derive(Debug)]
pub(crate) enum Stored<M: Memory = Gpu> {
    Buffer(M::Buffer<f32>),
    Texels(M::Texels),
}

impl Stored {
    pub fn values(&self) -> Values<'_> {
        match self {
            Self::Buffer(buffer) => buffer.into(),
            Self::Texels(texels) => texels.into(),
        }
    }
}

impl Memory for Gpu {
    type Buffer<T: Debug> = Buffer<T>;
    type Texels = Texels;
    type Staging = Staging;

    fn caps(&self) -> &Caps {
        self.caps()
    }

    fn buffer<T>(&self, label: &str, len: usize) -> Buffer<T>
    where
        T: NoUninit + AnyBitPattern + Debug,
    {
        self.note(|so_far| so_far.declared += Buffer::<T>::bytes(len));
        Buffer::zeros(self, label, len)
    }

    fn texels(&self, label: &str, len: usize, staging: &Staging) -> Texels {
        self.note(|so_far| so_far.declared += Texels::bytes(len));
        Texels::zeros(self, label, len, staging)
    }

    fn staging(&self, label: &str, len: usize) -> Staging {
        self.note(|so_far| so_far.declared += Staging::bytes(len));
        Staging::new(self, label, len)
    }
}

/// A list of the buffers of some owners, none of which is made.
#[derive(Debug)]
pub(crate) struct Table {
    caps: Caps,
    lines: RefCell<Vec<Line>>,
}

/// A buffer, or a texture that is used as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub label: String,
    /// Bytes of its values.
    pub content: u64,
    /// Bytes of these and of what is allocated beside them.
    pub bytes: u64,
    pub texture: bool,
}

impl Memory for Table {
    type Buffer<T: Debug> = ();
    type Texels = ();
    type Staging = ();

    fn caps(&self) -> &Caps {
        &self.caps
    }

    fn buffer<T>(&self, label: &str, len: usize)
    where
        T: NoUninit + AnyBitPattern + Debug,
    {
        let content = (len as u64).saturating_mul(size_of::<T>() as u64);
        self.add(label, content, Buffer::<T>::bytes(len), false);
    }

    fn texels(&self, label: &str, len: usize, (): &()) {
        self.add(label, (len * TEXEL_BYTES) as u64, Texels::bytes(len), true);
    }

    fn staging(&self, label: &str, len: usize) {
        // It holds no values that the textures do not hold.
        self.add(label, 0, Staging::bytes(len), false);
    }
}

impl Table {
    /// For a device that can do this.
    pub fn new(caps: &Caps) -> Self {
        Self { caps: *caps, lines: RefCell::default() }
    }

    fn add(&self, label: &str, content: u64, bytes: u64, texture: bool) {
        self.lines.borrow_mut().push(Line { label: label.to_owned(), content, bytes, texture });
    }

    /// Everything that was written down, in order.
    #[cfg(feature = "testing")]
    pub fn lines(&self) -> Vec<Line> {
        self.lines.borrow().clone()
    }

    /// Bytes of all buffers together.
    pub fn bytes(&self) -> u64 {
        self.lines.borrow().iter().fold(0, |sum, line| sum.saturating_add(line.bytes))
    }

    /// The same without rounding up, so that it is proportional to the number of images.
    pub fn content(&self) -> u64 {
        self.lines.borrow().iter().fold(0, |sum, line| sum.saturating_add(line.content))
    }

    fn largest(&self) -> Option<Line> {
        // Of equals the first.
        self.lines.borrow().iter().rev().max_by_key(|line| line.bytes).cloned()
    }
}

/// One line per buffer, and their sum.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Line { label, bytes, texture, .. } in &*self.lines.borrow() {
            let kind = if *texture { "  (texture)" } else { "" };
            writeln!(f, "{bytes:>12}  {label}{kind}")?;
        }
        writeln!(f, "{:>12}  bytes in all", self.bytes())
    }
}

impl Gpu {
    /// Whether the budget has room for all of these buffers, and one binding can hold each.
    pub(crate) fn has_room_for(&self, table: &Table) -> bool {
        let bindable = |line: Line| line.bytes <= self.max_binding();
        table.bytes() <= self.memory_budget() && table.largest().is_none_or(bindable)
    }

    /// Refuses work whose smallest pieces do not fit; `needing` names the work in the error.
    pub(crate) fn check_room(&self, least: &Table, needing: &str) -> Result<()> {
        let (budget, binding) = (self.memory_budget(), self.max_binding());
        if least.bytes() > budget {
            let needed = least.bytes().div_ceil(1 << 20);
            let (given, needing) = (Text::default(), Text::from(format!("{needing} at least ")));
            let expected = needing.mebibytes(needed);
            return Err(Error::wrong("memory_budget", given.bytes(budget), expected));
        }
        match least.largest() {
            Some(Line { label, bytes, .. }) if bytes > binding => Err(Error::shape(
                format!("the buffer of {label}"),
                format!(
                    "it takes {bytes} bytes, this adapter binds at most {binding} at once; use \
                     networks of fewer channels, or smaller images"
                ),
            )),
            _ => Ok(()),
        }
    }
}

/// The largest number from 1 to `up_to` that `fits`; every smaller number must fit too.
pub(crate) fn most(up_to: usize, fits: impl Fn(usize) -> bool) -> usize {
    let (mut fitting, mut beyond) = (1, up_to + 1);
    while beyond - fitting > 1 {
        let middle = fitting + (beyond - fitting) / 2;
        if fits(middle) { fitting = middle } else { beyond = middle }
    }
    fitting
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_that_fits() {
        for up_to in 1..20 {
            for limit in 1..25 {
                assert_eq!(most(up_to, |n| n <= limit), limit.min(up_to), "{up_to}, {limit}");
            }
        }
        // If not even 1 fits, the caller has refused the work before.
        assert_eq!((most(5, |_| false), most(1, |_| false)), (1, 1));
    }
}
