//! Reads golden vectors: a safetensors file with its metadata, as one of the cases that are checked.

mod classifier;
mod gradients;
mod network;
mod snapshots;
mod unrolled;

use std::{collections::HashMap, path::Path};

use dm_wgpu::{ConvNet, testing::Images};
use safetensors::{Dtype, SafeTensors};

pub use self::{
    classifier::ClassifierCase,
    gradients::{GradientsCase, GradientsStep},
    network::NetworkCase,
    snapshots::{SnapshotsCase, SnapshotsStep},
    unrolled::UnrollCase,
};
use crate::reference::Op;

/// Errors are text: they end up in a failed test's message.
pub type Result<T> = std::result::Result<T, String>;

/// A file as it is.
pub struct Vectors {
    meta: HashMap<String, String>,
    tensors: HashMap<String, (Vec<usize>, Values)>,
}

enum Values {
    Floats(Vec<f32>),
    Integers(Vec<i32>),
}

/// `case=augment`.
pub struct AugmentCase {
    pub x: Images,
    pub y: Vec<f32>,
    pub dy: Images,
    pub dx: Vec<f32>,
    /// One an image.
    pub ops: Vec<Op>,
}

/// `case=pack`.
pub struct PackCase {
    pub factor: usize,
    pub x: Images,
    pub y: Vec<f32>,
    pub dy: Images,
    pub dx: Vec<f32>,
}

/// `case=cutmix`.
pub struct CutmixCase {
    pub x: Images,
    pub perm: Vec<usize>,
    pub beta: f32,
    pub center: [usize; 2],
    pub labels: Vec<u32>,
    pub logits: Vec<f32>,
    pub cut: [i32; 4],
    pub lambda: f32,
    pub mixed: Vec<f32>,
    pub loss: f32,
    pub d_logits: Vec<f32>,
}

impl CutmixCase {
    /// The image that each is mixed with.
    pub fn others(&self) -> Images {
        let each = self.x.values.len() / self.x.n;
        let image = |at: &usize| &self.x.values[at * each..][..each];
        Images { values: self.perm.iter().flat_map(image).copied().collect(), ..self.x }
    }
    /// The labels of each image and of the one that it is mixed with.
    pub fn both_labels(&self) -> impl Iterator<Item = (u32, u32)> {
        self.labels.iter().zip(&self.perm).map(|(label, other)| (*label, self.labels[*other]))
    }
}

/// `case=embed`.
pub struct EmbedCase {
    pub net: ConvNet,
    pub weights: Vec<Vec<f32>>,
    pub x: Images,
    pub blocks: Vec<Vec<f32>>,
    pub embedding: Vec<f32>,
    pub d_embedding: Vec<f32>,
    pub dx: Vec<f32>,
}

/// `case=dm`.
pub struct DmCase {
    pub net: ConvNet,
    pub classes: usize,
    pub ipc: usize,
    pub batch_real: usize,
    pub lr: f32,
    pub syn0: Images,
    pub steps: Vec<DmStep>,
}

/// One step of a [`DmCase`], with what it should leave.
pub struct DmStep {
    pub weights: Vec<Vec<f32>>,
    /// One a class.
    pub ops: Vec<Op>,
    pub real: Images,
    pub loss: f32,
    pub grad: Vec<f32>,
    pub syn: Vec<f32>,
    pub velocity: Vec<f32>,
}

/// What a file holds.
pub enum Case {
    Augment(AugmentCase),
    Pack(PackCase),
    Cutmix(Box<CutmixCase>),
    Snapshots(Box<SnapshotsCase>),
    Embed(EmbedCase),
    Dm(Box<DmCase>),
    Classifier(Box<ClassifierCase>),
    Network(Box<NetworkCase>),
    Gradients(Box<GradientsCase>),
    Unroll(Box<UnrollCase>),
}

impl Vectors {
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|e| format!("cannot be read: {e}"))?;
        let wrong = |e: safetensors::SafeTensorError| format!("is not safetensors: {e}");
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(wrong)?;
        let file = SafeTensors::deserialize(&bytes).map_err(wrong)?;
        let mut tensors = HashMap::new();
        for (name, view) in file.tensors() {
            let words = view.data().chunks_exact(4).map(|b| [b[0], b[1], b[2], b[3]]);
            let values = match view.dtype() {
                Dtype::F32 => Values::Floats(words.map(f32::from_le_bytes).collect()),
                Dtype::I32 => Values::Integers(words.map(i32::from_le_bytes).collect()),
                other => return Err(format!("{name} is {other:?}; F32 and I32 are known")),
            };
            tensors.insert(name, (view.shape().to_vec(), values));
        }
        Ok(Self { meta: header.metadata().clone().unwrap_or_default(), tensors })
    }

    /// The case that the metadata name.
    pub fn case(&self) -> Result<Case> {
        match self.text("case")? {
            "augment" => self.augment().map(Case::Augment),
            "embed" => self.embed().map(Case::Embed),
            "dm" => self.dm().map(Box::new).map(Case::Dm),
            "classifier" => self.classifier().map(Box::new).map(Case::Classifier),
            "network" => self.network().map(Box::new).map(Case::Network),
            "gradient_match" => self.gradient_match().map(Box::new).map(Case::Gradients),
            "gradient_match_run" => self.gradient_match_run().map(Box::new).map(Case::Gradients),
            "unroll" => self.unroll().map(Box::new).map(Case::Unroll),
            "pack" => self.pack().map(Case::Pack),
            "cutmix" => self.cutmix().map(Box::new).map(Case::Cutmix),
            "snapshot_match" => self.snapshot_match().map(Box::new).map(Case::Snapshots),
            unknown => Err(format!("holds the unknown case {unknown:?}")),
        }
    }

    fn augment(&self) -> Result<AugmentCase> {
        let x = self.images("x")?;
        let op = self.text("op")?;
        let ops = (0..x.n).map(|i| self.op(op, "", i)).collect::<Result<_>>()?;
        let dy = self.images("dy")?;
        Ok(AugmentCase { x, y: self.floats("y")?, dy, dx: self.floats("dx")?, ops })
    }

    fn pack(&self) -> Result<PackCase> {
        let (x, dy) = (self.images("x")?, self.images("dy")?);
        let (y, dx) = (self.floats("y")?, self.floats("dx")?);
        Ok(PackCase { factor: self.number("factor")?, x, y, dy, dx })
    }

    fn cutmix(&self) -> Result<CutmixCase> {
        let one =
            |name: &str| self.floats(name)?.first().copied().ok_or(format!("{name} is empty"));
        let whole = |name: &str| -> Result<Vec<usize>> {
            Ok(self.integers(name)?.iter().map(|&n| n as usize).collect())
        };
        let cut = self.integers("box")?.try_into().map_err(|_| "box has not four ends")?;
        Ok(CutmixCase {
            x: self.images("x")?,
            perm: whole("perm")?,
            beta: one("beta")?,
            center: whole("center")?.try_into().map_err(|_| "center is not two numbers")?,
            labels: self.integers("labels")?.iter().map(|&label| label as u32).collect(),
            logits: self.floats("logits")?,
            cut,
            lambda: one("lambda")?,
            mixed: self.floats("mixed")?,
            loss: one("loss")?,
            d_logits: self.floats("d_logits")?,
        })
    }

    fn embed(&self) -> Result<EmbedCase> {
        let x = self.images("x")?;
        let net = self.net(&x)?;
        let blocks = (0..net.depth()).map(|d| self.floats(&format!("block{d}.out")));
        Ok(EmbedCase {
            weights: self.weights("", &net)?,
            blocks: blocks.collect::<Result<_>>()?,
            embedding: self.floats("embedding")?,
            d_embedding: self.floats("d_embedding")?,
            dx: self.floats("dx")?,
            x,
            net,
        })
    }

    fn dm(&self) -> Result<DmCase> {
        let syn0 = self.images("syn0")?;
        let net = self.net(&syn0)?;
        if self.number::<f64>("momentum")? != 0.5 {
            return Err("momentum is not 0.5".into());
        }
        let names: Vec<Vec<String>> = self.number("ops")?;
        let (steps, classes) = (self.number::<usize>("steps")?, self.number("classes")?);
        if names.len() != steps || names.iter().any(|step| step.len() != classes) {
            return Err(format!("ops are not {steps} steps of {classes} classes"));
        }
        let steps = names.iter().enumerate().map(|(s, names)| {
            let at = |name: &str| format!("step{s}.{name}");
            let ops = names.iter().enumerate();
            let loss = self.floats(&at("loss"))?;
            Ok(DmStep {
                weights: self.weights(&at(""), &net)?,
                ops: ops.map(|(k, op)| self.op(op, &at(""), k)).collect::<Result<_>>()?,
                real: self.images(&at("real"))?,
                loss: *loss.first().ok_or("an empty loss")?,
                grad: self.floats(&at("grad"))?,
                syn: self.floats(&at("syn"))?,
                velocity: self.floats(&at("velocity"))?,
            })
        });
        let steps = steps.collect::<Result<Vec<_>>>()?;
        Ok(DmCase {
            classes,
            ipc: self.number("ipc")?,
            batch_real: self.number("batch_real")?,
            lr: self.number("lr")?,
            steps,
            syn0,
            net,
        })
    }

    /// Operation `name` with row `i` of the parameters `{prefix}p.*`.
    fn op(&self, name: &str, prefix: &str, i: usize) -> Result<Op> {
        let float = |name: &str| {
            let values = self.floats(&format!("{prefix}p.{name}"))?;
            values.get(i).copied().ok_or(format!("{name} has no row {i}"))
        };
        let integer = |name: &str| {
            let values = self.integers(&format!("{prefix}p.{name}"))?;
            values.get(i).copied().ok_or(format!("{name} has no row {i}"))
        };
        let color =
            |brightness, saturation, contrast| Op::Color { brightness, saturation, contrast };
        Ok(match name {
            "none" => Op::None,
            "brightness" => color(float("brightness")?, 1.0, 1.0),
            "saturation" => color(0.0, float("saturation")?, 1.0),
            "contrast" => color(0.0, 1.0, float("contrast")?),
            "color" => color(float("brightness")?, float("saturation")?, float("contrast")?),
            "crop" => Op::Crop { y: integer("crop_y")?, x: integer("crop_x")? },
            "cutout" => Op::Cutout { y: integer("cutout_y")?, x: integer("cutout_x")? },
            "flip" if integer("flip")? != 0 => Op::Flip,
            "flip" => Op::None,
            "scale" => Op::Scale { x: float("scale_x")?, y: float("scale_y")? },
            "rotate" => Op::Rotate(float("rotate")?),
            unknown => return Err(format!("names the unknown operation {unknown:?}")),
        })
    }

    fn net(&self, x: &Images) -> Result<ConvNet> {
        ConvNet::new(x.channels, x.size, self.number("width")?, self.number("depth")?)
            .map_err(|e| e.to_string())
    }

    /// Without the biases: the norm after each convolution cancels them.
    fn weights(&self, prefix: &str, net: &ConvNet) -> Result<Vec<Vec<f32>>> {
        let of_block = |d| {
            let name = format!("{prefix}conv{d}.weight");
            let (shape, expected) = (self.shape(&name)?, [net.width(), net.inputs(d), 3, 3]);
            if shape != expected {
                return Err(format!("{name} has shape {shape:?}, not {expected:?}"));
            }
            self.floats(&name)
        };
        (0..net.depth()).map(of_block).collect()
    }

    fn images(&self, name: &str) -> Result<Images> {
        match self.shape(name)? {
            &[n, channels, size, width] if size == width => {
                Ok(Images { values: self.floats(name)?, n, channels, size })
            }
            shape => Err(format!("{name} has shape {shape:?}; square NCHW images were expected")),
        }
    }

    fn shape(&self, name: &str) -> Result<&[usize]> {
        self.tensor(name).map(|(shape, _)| &shape[..])
    }
    fn floats(&self, name: &str) -> Result<Vec<f32>> {
        match self.tensor(name)? {
            (_, Values::Floats(values)) => Ok(values.clone()),
            _ => Err(format!("{name} holds integers")),
        }
    }
    fn integers(&self, name: &str) -> Result<Vec<i32>> {
        match self.tensor(name)? {
            (_, Values::Integers(values)) => Ok(values.clone()),
            _ => Err(format!("{name} holds floats")),
        }
    }
    fn tensor(&self, name: &str) -> Result<&(Vec<usize>, Values)> {
        self.tensors.get(name).ok_or(format!("holds no tensor {name}"))
    }
    fn text(&self, name: &str) -> Result<&str> {
        self.meta.get(name).map(String::as_str).ok_or(format!("has no {name} in its metadata"))
    }
    fn number<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<T> {
        let text = self.text(name)?;
        serde_json::from_str(text).map_err(|e| format!("{name} = {text}: {e}"))
    }
}
