//! How far two gradients of a network are apart, and the gradient of that; of several networks at a time.

use serde::{Deserialize, Serialize};

use super::{Constants, WORKGROUP, wgsl};
use crate::gpu::{Buffer, Dispatch, Gpu, Kernel, Slot, fold, params};

params! {
    struct Params {
        len: u32,
        row_len: u32,
        stride: u32,
        rows: u32,
        first_row: u32,
        nets: u32,
        all_rows: u32,
        pad: u32,
    }
}

params! {
    struct DistanceParams {
        rows: u32,
        share: f32,
        nets: u32,
        pad: u32,
    }
}

pub(super) const ROWS: Kernel = Kernel {
    name: "gradient_rows",
    source: wgsl!(
        "shared/grid",
        "shared/quotient",
        "shared/team",
        "shared/reduce",
        "shared/gradient_rows",
        "gradient_rows"
    ),
    slots: &[Slot::params::<Params>(), Slot::Read, Slot::Read, Slot::Write],
};

pub(super) const DISTANCE: Kernel = Kernel {
    name: "gradient_distance",
    source: wgsl!(
        "shared/grid",
        "shared/team",
        "shared/reduce",
        "shared/gradient_rows",
        "gradient_distance"
    ),
    slots: &[Slot::params::<DistanceParams>(), Slot::Read, Slot::Write, Slot::Read, Slot::Write],
};

pub(super) const DIRECTION: Kernel = Kernel {
    name: "gradient_direction",
    source: wgsl!("shared/grid", "shared/quotient", "shared/gradient_rows", "gradient_direction"),
    slots: &[Slot::params::<Params>(), Slot::Read, Slot::Read, Slot::Read, Slot::Write],
};

/// What is called the distance of two gradients of a network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Distance {
    /// The sum over all weights of two or more dimensions, and over their rows (one per output), of 1 − cosine.
    #[default]
    Ours,
    /// The squared distance of the two, all parameters as one vector.
    Mse,
    /// 1 − cosine of the two, all parameters as one vector.
    Cos,
}

pub(super) const VARIANTS: &[Constants] = &[
    &[("BY_ROWS", 1.0), ("SQUARES", 0.0)],
    &[("BY_ROWS", 0.0), ("SQUARES", 1.0)],
    &[("BY_ROWS", 0.0), ("SQUARES", 0.0)],
];

/// Values that are kept of a row.
pub(crate) const PRODUCTS: usize = 4;

/// How a parameter's gradient is cut into rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rows {
    /// Values of the parameter.
    pub len: usize,
    /// Values of a row; the last may have fewer.
    pub row_len: usize,
    /// From one value of a row to the next: so many rows lie within one another.
    pub stride: usize,
    /// The first of its rows among those of all parameters.
    pub first: usize,
}

/// Networks whose gradients follow each other in every buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Nets {
    pub count: usize,
    /// Rows of all parameters of one.
    pub rows: usize,
}

impl Rows {
    pub fn count(self) -> usize {
        self.len.div_ceil(self.row_len)
    }

    /// The `products` of each row of two gradients.
    pub fn products(
        self,
        gpu: &Gpu,
        nets: Nets,
        (real, synthetic): (&Buffer<f32>, &Buffer<f32>),
        products: &Buffer<f32>,
    ) -> Dispatch {
        let params = self.params(gpu, nets);
        let bindings = [params.binding(), real.binding(), synthetic.binding(), products.binding()];
        let grid = fold(nets.count * self.count());
        ROWS.dispatch(gpu, &[], &bindings, grid).values(2 * nets.count * self.len)
    }

    /// The `direction` in which this distance grows with the synthetic gradient, from the products of all rows, and what
    /// [`distance`] left of the whole.
    pub fn direction(
        self,
        gpu: &Gpu,
        nets: Nets,
        kind: Distance,
        (real, synthetic): (&Buffer<f32>, &Buffer<f32>),
        (products, total): (&Buffer<f32>, &Buffer<f32>),
        direction: &Buffer<f32>,
    ) -> Dispatch {
        let params = self.params(gpu, nets);
        let of = if kind == Distance::Ours { products } else { total };
        let bindings = [
            params.binding(),
            real.binding(),
            synthetic.binding(),
            of.binding(),
            direction.binding(),
        ];
        let values = nets.count * self.len;
        let grid = fold(values.div_ceil(WORKGROUP));
        DIRECTION.dispatch(gpu, kind.variant(), &bindings, grid).values(3 * values)
    }

    fn params(self, gpu: &Gpu, nets: Nets) -> Buffer<Params> {
        let Self { len, row_len, stride, first } = self;
        let [len, row_len, stride, first_row] = [len, row_len, stride, first].map(|n| n as u32);
        let rows = self.count() as u32;
        let (nets, all_rows) = (nets.count as u32, nets.rows as u32);
        let params = Params { len, row_len, stride, rows, first_row, nets, all_rows, pad: 0 };
        Buffer::params(gpu, "gradient row params", &params)
    }
}

impl Distance {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ours, Self::Mse, Self::Cos];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Mse => "mse",
            Self::Cos => "cos",
        }
    }

    fn variant(self) -> Constants {
        VARIANTS[match self {
            Self::Ours => 0,
            Self::Mse => 1,
            Self::Cos => 2,
        }]
    }
}

/// Adds a `share` of the distance of each network's two gradients, from the products of their rows, to the loss of the class
/// that the network's label names, and leaves the products of the whole.
pub(crate) fn distance(
    gpu: &Gpu,
    kind: Distance,
    nets: Nets,
    products: &Buffer<f32>,
    total: &Buffer<f32>,
    labels: &Buffer<u32>,
    (losses, share): (&Buffer<f32>, f32),
) -> Dispatch {
    let (rows, count) = (nets.rows as u32, nets.count as u32);
    let params = DistanceParams { rows, share, nets: count, pad: 0 };
    let params = Buffer::params(gpu, "distance params", &params);
    let bindings =
        [params.binding(), products.binding(), total.binding(), labels.binding(), losses.binding()];
    DISTANCE
        .dispatch(gpu, kind.variant(), &bindings, fold(nets.count))
        .values(PRODUCTS * nets.count * nets.rows)
}
