//! Instance norm → ReLU → average pool by whole rows, for adapters with subgroups of one fixed size.
//! Writes out the unrolled parts of `shaders/norm_relu_pool_rows_*.wgsl`.

use super::{Generated, Planes, norm_relu_pool, unrolled::put, wgsl};

/// How a subgroup shares out planes of one size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rows {
    lanes: usize,
    size: usize,
    /// Values of halo before a row: 1, or, backward alone, 0 in dense planes.
    border: usize,
    /// Forward: whether `pooled` has a halo. Backward: never.
    haloed: bool,
}

const FORWARD: &str = wgsl!(
    "shared/grid",
    "shared/planes",
    "shared/planar_vec",
    "shared/norm",
    "shared/norm_rows",
    "norm_relu_pool_rows_forward"
);
const BACKWARD: &str = wgsl!(
    "shared/grid",
    "shared/planes",
    "shared/planar_vec",
    "shared/norm",
    "shared/norm_rows",
    "norm_relu_pool_rows_backward"
);

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Forward { keep: bool },
    Backward,
}

/// A vec4f of a row: pair of rows i, row j of it, place v in the row.
type Place = (usize, usize, usize);

impl Rows {
    /// For planes of this layout, pooled to that one, if their rows can be read four values at a
    /// time. On a GPU a lane's rows must stay in registers, on a CPU they spill cheaply.
    pub fn new(lanes: usize, cpu: bool, planes: Planes, pooled: Planes) -> Option<Self> {
        let size = planes.size as usize;
        let half = |p| p == Planes::dense(planes.channels as usize, size / 2);
        let half_haloed = |p| p == Planes::haloed(planes.channels as usize, size / 2);
        let whole = |p: Planes| p == Planes::dense(p.channels as usize, size);
        let whole_haloed = |p: Planes| p == Planes::haloed(p.channels as usize, size);
        let fits = size >= 8
            && size.is_power_of_two()
            && (whole(planes) || whole_haloed(planes))
            && (half(pooled) || half_haloed(pooled));
        let border = usize::from(whole_haloed(planes));
        let rows = Self { lanes, size, border, haloed: half_haloed(pooled) };
        let most = if cpu { 128 } else { 24 };
        (fits && rows.places().count() <= most).then_some(rows)
    }

    /// Planes that a workgroup works at.
    pub fn planes(&self) -> usize {
        self.lanes / self.team()
    }

    /// Whether the pooled planes have a halo.
    pub fn haloed(&self) -> bool {
        self.haloed
    }

    /// Whether it can do both directions, or backward alone.
    pub fn forward_too(&self) -> bool {
        self.border == 1
    }

    /// Lanes that share a plane.
    fn team(&self) -> usize {
        self.lanes.min(self.size / 2)
    }

    /// Pairs of rows of each lane.
    fn pairs(&self) -> usize {
        self.size / 2 / self.team()
    }

    /// vec4f of a row and its halo.
    fn vecs(&self) -> usize {
        self.size / 4 + self.border
    }

    fn places(&self) -> impl Iterator<Item = Place> + Clone {
        let (pairs, vecs) = (self.pairs(), self.vecs());
        (0..pairs).flat_map(move |i| (0..2).flat_map(move |j| (0..vecs).map(move |v| (i, j, v))))
    }

    pub fn generate(&self, way: Way) -> Generated {
        let (source, slots, name) = match way {
            Way::Forward { keep } => (
                self.forward(keep),
                norm_relu_pool::FORWARD.slots,
                format!("forward {}", if keep { "keep" } else { "pool" }),
            ),
            Way::Backward => (self.backward(), norm_relu_pool::BACKWARD.slots, "backward".into()),
        };
        let Self { lanes, size, border, haloed } = self;
        let layouts = match (border, haloed) {
            (0, _) => " dense",
            (_, true) => " to haloed",
            (_, false) => "",
        };
        let name = format!("norm_relu_pool_rows_lanes {name} {lanes} {size}{layouts}");
        Generated { name, source, constants: &[], slots }
    }

    /// Every specialisation that any adapter can ask for, for the tests that read them all.
    pub fn all() -> Vec<Generated> {
        let mut all = Vec::new();
        for lanes in [8, 16, 32, 64] {
            for size in [8, 16, 32, 64, 128] {
                let [dense, haloed] = [Planes::dense(1, size), Planes::haloed(1, size)];
                let [half, half_haloed] = [Planes::dense(1, size / 2), Planes::haloed(1, size / 2)];
                for (planes, pooled) in [(haloed, half), (haloed, half_haloed), (dense, half)] {
                    let Some(rows) = Self::new(lanes, true, planes, pooled) else { continue };
                    if rows.forward_too() {
                        all.extend([true, false].map(|keep| rows.generate(Way::Forward { keep })));
                    }
                    if !rows.haloed() {
                        all.push(rows.generate(Way::Backward));
                    }
                }
            }
        }
        all
    }

    /// The constants, and the template with what both directions have in common.
    fn fill(&self, template: &str) -> String {
        let (lanes, team, vecs) = (self.lanes, self.team(), self.vecs());
        let count = (self.size * self.size) as f32;
        let mut sums = String::new();
        let mut distance = 1;
        while distance < team {
            put(&mut sums, format_args!("sum += subgroupShuffleXor(sum, {distance}u);"));
            distance *= 2;
        }
        let mut load = String::new();
        for place in self.places() {
            put(&mut load, format_args!("let r{} = planes[{}];", name(place), self.at(place)));
        }
        format!(
            "const LANES = {lanes}u;\nconst TEAM = {team}u;\n\
             const VECS = {vecs}u;\nconst COUNT = {count:?};\n{template}"
        )
        .replace("//{plane_sum}", &sums)
        .replace("//{load}", &load)
    }

    /// Where a lane's vec4f lies.
    fn at(&self, (i, j, v): Place) -> String {
        format!("start + {}u", (i * self.team() * 2 + j) * self.vecs() + v)
    }

    /// Binds `term` of every place, added, to `variable`.
    fn sum(&self, variable: &str, term: impl Fn(String) -> String) -> String {
        let terms: Vec<_> = self.places().map(|place| term(name(place))).collect();
        format!("let {variable} = {};", terms.join(" + "))
    }

    /// A factor that takes the halo away, where there is one.
    fn mask(&self, (_, _, v): Place) -> &'static str {
        match v {
            _ if self.border == 0 => "",
            0 => " * FIRST",
            _ if v == self.vecs() - 1 => " * LAST",
            _ => "",
        }
    }

    fn forward(&self, keep: bool) -> String {
        let mut centre = String::new();
        for place in self.places() {
            let (n, mask) = (name(place), self.mask(place));
            put(&mut centre, format_args!("let d{n} = (r{n} - mean){mask};"));
        }
        let mut store = String::new();
        for place in self.places() {
            let n = name(place);
            put(&mut store, format_args!("let v{n} = d{n} * scale;"));
            if keep {
                put(&mut store, format_args!("planes[{}] = v{n};", self.at(place)));
            }
        }
        let relu =
            |place| format!("max(v{} * weight_bias.x + weight_bias.y, vec4f())", name(place));
        let half = self.size / 2;
        put(
            &mut store,
            format_args!(
                "let to = (plane * params.pooled.stride + params.pooled.origin \
                 + lane % TEAM * params.pooled.pitch) / 4u;"
            ),
        );
        for i in 0..self.pairs() {
            for v in 0..self.vecs() {
                put(
                    &mut store,
                    format_args!(
                        "let c{i}_{v} = 0.25 * ({} + {});",
                        relu((i, 0, v)),
                        relu((i, 1, v))
                    ),
                );
            }
            // Column x of the plane is element x + 1 of its row, which begins with the halo.
            let value = |p: usize| match p % 2 {
                0 => format!("c{i}_{}.y + c{i}_{}.z", p / 2, p / 2),
                _ => format!("c{i}_{}.w + c{i}_{}.x", p / 2, p / 2 + 1),
            };
            let shift = usize::from(self.haloed);
            let row = i * self.team();
            for v in 0..(half + shift).div_ceil(4) {
                let four: Vec<_> = (4 * v..4 * v + 4)
                    .map(|e| match e.checked_sub(shift) {
                        Some(p) if p < half => value(p),
                        _ => "0.0".into(),
                    })
                    .collect();
                put(
                    &mut store,
                    format_args!(
                        "pooled[to + {row}u * params.pooled.pitch / 4u + {v}u] = vec4f({});",
                        four.join(", ")
                    ),
                );
            }
        }
        self.fill(FORWARD)
            .replace("//{sum}", &self.sum("sum", |n| format!("r{n}")))
            .replace("//{centre}", &centre)
            .replace("//{squares}", &self.sum("squares", |n| format!("d{n} * d{n}")))
            .replace("//{store}", &store)
    }

    fn backward(&self) -> String {
        let half = self.size / 2;
        let mut gradients = String::new();
        for i in 0..self.pairs() {
            let row = i * self.team();
            for q in 0..half / 4 {
                put(
                    &mut gradients,
                    format_args!(
                        "let p{i}_{q} = 0.25 * d_pooled[d_start + {row}u * params.pooled.pitch / 4u + {q}u];"
                    ),
                );
            }
            // What the pooled value above element e of a row got; nothing above the halo.
            let above = |e: usize| match e.checked_sub(self.border) {
                Some(x) if x / 2 < half => {
                    format!("p{i}_{}.{}", x / 8, ["x", "y", "z", "w"][x / 2 % 4])
                }
                _ => "0.0".into(),
            };
            for v in 0..self.vecs() {
                let four: Vec<_> = (4 * v..4 * v + 4).map(above).collect();
                put(&mut gradients, format_args!("let u{i}_{v} = vec4f({});", four.join(", ")));
            }
        }
        let mut store = String::new();
        for place @ (i, _, v) in self.places() {
            let (n, mask) = (name(place), self.mask(place));
            put(
                &mut gradients,
                format_args!(
                    "let g{n} = select(vec4f(), u{i}_{v}, \
                     r{n} * weight_bias.x + weight_bias.y > vec4f());"
                ),
            );
            put(
                &mut store,
                format_args!(
                    "planes[{}] = (g{n} - means.y - r{n} * means.x) * scale{mask};",
                    self.at(place)
                ),
            );
        }
        self.fill(BACKWARD)
            .replace("//{gradients}", &gradients)
            .replace("//{weighted}", &self.sum("weighted", |n| format!("g{n} * r{n}")))
            .replace("//{sum}", &self.sum("sum", |n| format!("g{n}")))
            .replace("//{store}", &store)
    }
}

fn name((i, j, v): Place) -> String {
    format!("{i}_{j}_{v}")
}
