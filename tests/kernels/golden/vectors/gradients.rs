//! `case=gradient_match` and `case=gradient_match_run`: distances of gradients, their gradients at the pixels, and in a run
//! the moves of the pixels and the network's training between them.

use dm_wgpu::{Architecture, Distance, Net, testing::Images};

use super::{Result, Vectors};
use crate::reference::{Op, layers::Tensors, widen};

/// Either case: the former is a run of one step.
pub struct GradientsCase {
    pub net: Net,
    pub init: Tensors,
    /// Of each class that is matched.
    pub labels: Vec<u32>,
    pub ipc: usize,
    pub distance: Distance,
    pub rates: (f32, f32),
    pub lr_net: f32,
    /// Steps of training after each step but the last.
    pub inner: usize,
    pub syn0: Images,
    pub steps: Vec<GradientsStep>,
}

/// One step, with what it should leave.
pub struct GradientsStep {
    /// One per class.
    pub ops: Vec<Op>,
    pub real: Images,
    /// Real images whose statistics freeze batch norms.
    pub norm: Option<Images>,
    pub distances: Vec<f32>,
    pub grad: Vec<f32>,
    /// Pixels and velocity, in a run.
    pub moved: Option<(Vec<f32>, Vec<f32>)>,
    /// The training that follows: one operation per image in each step, and the loss before it.
    pub inner: Vec<(Vec<Op>, f32)>,
    /// The network after that.
    pub trained: Tensors,
}

impl Vectors {
    pub(super) fn gradient_match(&self) -> Result<GradientsCase> {
        let (syn0, real) = (self.images("syn")?, self.images("real")?);
        let (net, init, distance) = match self.meta.contains_key("layers") {
            true => {
                let net = Net::new(syn0.channels, syn0.size, self.number("layers")?);
                let distance = self.distance()?;
                (net.map_err(|e| e.to_string())?, self.tensors("init."), distance)
            }
            false => {
                let (net, init) = self.earlier(&syn0)?;
                (net, init, Distance::Ours)
            }
        };
        let op = self.op(self.text("op")?, "", 0)?;
        let step = GradientsStep {
            ops: vec![op],
            real,
            norm: None,
            distances: self.floats("distance")?,
            grad: self.floats("d_syn")?,
            moved: None,
            inner: Vec::new(),
            trained: Tensors::new(),
        };
        let (rates, labels, ipc) = ((0.1, 0.5), vec![self.number("label")?], syn0.n);
        let steps = vec![step];
        Ok(GradientsCase {
            net,
            init,
            labels,
            ipc,
            distance,
            rates,
            lr_net: 0.01,
            inner: 0,
            syn0,
            steps,
        })
    }

    pub(super) fn gradient_match_run(&self) -> Result<GradientsCase> {
        let syn0 = self.images("syn0")?;
        let net = Net::new(syn0.channels, syn0.size, self.number("layers")?)
            .map_err(|e| e.to_string())?;
        let [steps, inner, classes] =
            ["steps", "inner", "classes"].map(|name| self.number::<usize>(name));
        let (steps, inner, classes) = (steps?, inner?, classes?);
        let ops: Vec<Vec<String>> = self.number("ops")?;
        let inner_ops: Vec<Vec<String>> = self.number("inner_ops")?;
        let step = |s: usize| -> Result<GradientsStep> {
            let at = |name: &str| format!("step{s}.{name}");
            let names = ops.get(s).ok_or(format!("ops have no step {s}"))?.iter().enumerate();
            // The last step is followed by none.
            let names_inner = inner_ops.get(s).map_or(&[][..], |names| names);
            let inner = names_inner.iter().enumerate().map(|(i, name)| {
                let prefix = at(&format!("inner{i}."));
                let ops = (0..syn0.n).map(|n| self.op(name, &prefix, n));
                let loss = self.floats(&format!("{prefix}loss"))?;
                Ok((ops.collect::<Result<_>>()?, *loss.first().ok_or("an empty loss")?))
            });
            Ok(GradientsStep {
                ops: names.map(|(k, op)| self.op(op, &at(""), k)).collect::<Result<_>>()?,
                real: self.images(&at("real"))?,
                norm: self
                    .tensors
                    .contains_key(&at("norm"))
                    .then(|| self.images(&at("norm")))
                    .transpose()?,
                distances: self.floats(&at("distances"))?,
                grad: self.floats(&at("grad"))?,
                moved: Some((self.floats(&at("syn"))?, self.floats(&at("velocity"))?)),
                inner: inner.collect::<Result<_>>()?,
                trained: self.tensors(&at("net.")),
            })
        };
        let steps: Result<Vec<_>> = (0..steps).map(step).collect();
        Ok(GradientsCase {
            init: self.init(&net),
            net,
            labels: (0..classes as u32).collect(),
            ipc: self.number("ipc")?,
            distance: self.distance()?,
            rates: (self.number("lr")?, self.number("momentum")?),
            lr_net: self.number("lr_net")?,
            inner,
            syn0,
            steps: steps?,
        })
    }

    fn distance(&self) -> Result<Distance> {
        match self.text("distance")? {
            "ours" => Ok(Distance::Ours),
            "mse" => Ok(Distance::Mse),
            "cos" => Ok(Distance::Cos),
            unknown => Err(format!("names the unknown distance {unknown:?}")),
        }
    }

    /// The ConvNet of files without layers, whose norms are 1 and 0.
    fn earlier(&self, syn: &Images) -> Result<(Net, Tensors)> {
        let (width, depth) = (self.number("width")?, self.number::<usize>("depth")?);
        let classes = self.floats("fc.bias")?.len();
        let net = Architecture::default()
            .net((syn.channels, syn.size), classes, (width, depth))
            .map_err(|e| e.to_string())?;
        let last = 4 * depth + 1;
        let mut init = Tensors::new();
        for (from, to) in
            (0..depth).map(|d| (format!("conv{d}"), 4 * d)).chain([("fc".into(), last)])
        {
            for name in ["weight", "bias"] {
                let values = widen(&self.floats(&format!("{from}.{name}"))?);
                init.insert(format!("{to}.{name}"), values);
            }
        }
        for d in 0..depth {
            init.insert(format!("{}.weight", 4 * d + 1), vec![1.0; width]);
            init.insert(format!("{}.bias", 4 * d + 1), vec![0.0; width]);
        }
        Ok((net, init))
    }
}
