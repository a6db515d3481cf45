//! `case=classifier`: some steps of training a classifier.

use dm_wgpu::{
    ConvNet,
    testing::{ClassifierParams, Images},
};

use super::{Result, Vectors};

/// `case=classifier`.
pub struct ClassifierCase {
    pub net: ConvNet,
    pub classes: usize,
    pub lr: f32,
    pub x: Images,
    pub labels: Vec<u32>,
    pub init: ClassifierParams,
    /// Before each step, (N, classes).
    pub logits: Vec<Vec<f32>>,
    /// Before each step.
    pub losses: Vec<f32>,
    /// Of the first step, without weight decay.
    pub gradients: ClassifierParams,
    /// After the last step.
    pub last: ClassifierParams,
    /// One a block.
    pub conv_biases: Vec<ConvBias>,
}

/// A convolution's bias, which nothing here computes: `reference_golden.rs` shows why that is right.
pub struct ConvBias {
    pub init: Vec<f32>,
    pub gradient: Vec<f32>,
    pub last: Vec<f32>,
}

impl Vectors {
    pub(super) fn classifier(&self) -> Result<ClassifierCase> {
        let x = self.images("x")?;
        let net = self.net(&x)?;
        for (name, expected) in [("momentum", 0.9), ("weight_decay", 5e-4)] {
            let given: f64 = self.number(name)?;
            if given != expected {
                return Err(format!("{name} is {given}, not {expected}"));
            }
        }
        let classes = match self.shape("step0.logits")? {
            &[n, classes] if n == x.n => classes,
            shape => return Err(format!("step0.logits has shape {shape:?} for {} images", x.n)),
        };
        let label = |label: &i32| u32::try_from(*label).ok().filter(|l| (*l as usize) < classes);
        let labels = self.integers("labels")?.iter().map(label).collect::<Option<Vec<_>>>();
        let labels = labels.filter(|labels| labels.len() == x.n);
        let steps = 0..self.number::<usize>("steps")?;
        let loss = |s: usize| match self.floats(&format!("step{s}.loss"))?[..] {
            [loss] => Ok(loss),
            _ => Err(format!("step{s}.loss is not one number")),
        };
        let biases = (0..net.depth()).map(|d| {
            let get = |prefix: &str| self.floats(&format!("{prefix}.conv{d}.bias"));
            Ok(ConvBias { init: get("init")?, gradient: get("step0.grad")?, last: get("final")? })
        });
        Ok(ClassifierCase {
            classes,
            lr: self.number("lr")?,
            labels: labels.ok_or("labels are not one class an image")?,
            init: self.params("init.", &net, classes)?,
            logits: steps
                .clone()
                .map(|s| self.floats(&format!("step{s}.logits")))
                .collect::<Result<_>>()?,
            losses: steps.map(loss).collect::<Result<_>>()?,
            gradients: self.params("step0.grad.", &net, classes)?,
            last: self.params("final.", &net, classes)?,
            conv_biases: biases.collect::<Result<_>>()?,
            x,
            net,
        })
    }

    /// Without the convolutions' biases.
    fn params(&self, prefix: &str, net: &ConvNet, classes: usize) -> Result<ClassifierParams> {
        let sized = |name: String, len: usize| {
            let values = self.floats(&format!("{prefix}{name}"))?;
            let given = values.len();
            (given == len).then_some(values).ok_or(format!("{name}: {given} values, not {len}"))
        };
        let norm = |d| {
            let of = |what: &str| sized(format!("norm{d}.{what}"), net.width());
            Ok((of("weight")?, of("bias")?))
        };
        Ok(ClassifierParams {
            convs: self.weights(prefix, net)?,
            norms: (0..net.depth()).map(norm).collect::<Result<_>>()?,
            fc_weight: sized("fc.weight".into(), classes * net.features())?,
            fc_bias: sized("fc.bias".into(), classes)?,
        })
    }
}
