//! `case=network`: some steps of training a network of any layers, and what it makes of other images afterwards.

use dm_wgpu::{
    Layer, Net,
    testing::{self, Images},
};

use super::{Result, Values, Vectors};
use crate::reference::{layers::Tensors, widen};

/// `case=network`.
pub struct NetworkCase {
    pub net: Net,
    pub lr: f32,
    pub x: Images,
    pub labels: Vec<u32>,
    pub init: Tensors,
    /// Before each step, (N, classes).
    pub logits: Vec<Vec<f32>>,
    /// Before each step.
    pub losses: Vec<f32>,
    /// Of the first step, without weight decay.
    pub gradients: Tensors,
    /// Of the first step, at the images.
    pub dx: Vec<f32>,
    /// After the last step.
    pub last: Tensors,
    pub eval_x: Images,
    pub eval_logits: Vec<f32>,
}

impl Vectors {
    /// The usual name of the network.
    pub fn arch(&self) -> Result<String> {
        self.text("arch").map(str::to_owned)
    }

    pub(super) fn network(&self) -> Result<NetworkCase> {
        let (x, eval_x) = (self.images("x")?, self.images("eval.x")?);
        let layers: Vec<Layer> = self.number("layers")?;
        let net = Net::new(x.channels, x.size, layers).map_err(|e| e.to_string())?;
        for (name, expected) in [("momentum", 0.9), ("weight_decay", 5e-4)] {
            let given: f64 = self.number(name)?;
            if given != expected {
                return Err(format!("{name} is {given}, not {expected}"));
            }
        }
        let steps = 0..self.number::<usize>("steps")?;
        let each =
            |name: &str| steps.clone().map(|s| self.floats(&format!("step{s}.{name}"))).collect();
        let (logits, losses): (Result<Vec<_>>, Result<Vec<Vec<f32>>>) =
            (each("logits"), each("loss"));
        let labels = self.integers("labels")?.into_iter().map(|label| label as u32).collect();
        Ok(NetworkCase {
            lr: self.number("lr")?,
            labels,
            init: self.init(&net),
            logits: logits?,
            losses: losses?.concat(),
            gradients: self.tensors("step0.grad."),
            dx: self.floats("step0.dx")?,
            last: self.tensors("final."),
            eval_logits: self.floats("eval.logits")?,
            x,
            eval_x,
            net,
        })
    }

    /// A network's parameters. Running statistics begin as mean 0 and variance 1, in every network.
    pub(super) fn init(&self, net: &Net) -> Tensors {
        let mut init = self.tensors("init.");
        for (path, what) in testing::net_parameters(net) {
            if what == "running" {
                let channels = init.get(&format!("{path}.weight")).map_or(0, Vec::len);
                init.insert(format!("{path}.running_mean"), vec![0.0; channels]);
                init.insert(format!("{path}.running_var"), vec![1.0; channels]);
            }
        }
        init
    }

    /// All tensors whose names begin so, by what follows.
    pub(super) fn tensors(&self, prefix: &str) -> Tensors {
        let own = |(name, (_, values)): (&String, &(Vec<usize>, Values))| match values {
            Values::Floats(values) => Some((name.strip_prefix(prefix)?.to_owned(), widen(values))),
            Values::Integers(_) => None,
        };
        self.tensors.iter().filter_map(own).collect()
    }
}
