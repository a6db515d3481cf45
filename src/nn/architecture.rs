//! Kinds of network by the names that people write.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Activation, ConvNet, Layer, Net, NormKind, PoolKind, own};
use crate::{Error, Result};

/// A kind of network, which becomes a [`Net`] for images of some shape.
///
/// It is written as its name. A ConvNet's name may list how it differs from the published one. `file:PATH` is a network
/// of the user's own; it is then written with all its layers, as `layers:NAME=[…]`:
///
/// ```
/// use dm_wgpu::{Architecture, NormKind};
///
/// let own: Architecture = "convnet:norm=batch:pool=max".parse()?;
/// assert_eq!(own.to_string(), "convnet:norm=batch:pool=max");
/// let net = own.net((3, 32), 10, (128, 3))?; // images, classes, width and depth
/// assert!(net.has_batch_norm());
/// # Ok::<(), dm_wgpu::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Architecture {
    /// Blocks of convolution 3×3, norm, activation and pool; the only kind whose width and depth can be chosen.
    ConvNet {
        /// After each convolution. As published: instance.
        norm: NormKind,
        /// After each norm. As published: ReLU.
        act: Activation,
        /// At each block's end, if any. As published: average.
        pool: Option<PoolKind>,
    },
    /// [`Net::mlp`].
    Mlp,
    /// [`Net::lenet`].
    LeNet,
    /// [`Net::alexnet`].
    AlexNet,
    /// [`Net::alexnet`] with batch norm.
    AlexNetBn,
    /// [`Net::vgg11`].
    Vgg11,
    /// [`Net::vgg11`] with batch norm.
    Vgg11Bn,
    /// [`Net::resnet18`].
    ResNet18,
    /// [`Net::resnet18`] with batch norm.
    ResNet18Bn,
    /// [`Net::resnet18_bn_ap`].
    ResNet18BnAp,
    /// The user's own, see [`from_toml`](Self::from_toml).
    Layers {
        /// Its name in tables.
        name: String,
        /// All of it.
        layers: Vec<Layer>,
    },
}

/// The published ConvNet.
impl Default for Architecture {
    fn default() -> Self {
        let (norm, act) = (NormKind::Instance, Activation::Relu);
        Self::ConvNet { norm, act, pool: Some(PoolKind::Avg) }
    }
}

/// Whether it is the default, which need not be written down.
pub(crate) fn is_usual(net: &Architecture) -> bool {
    *net == Architecture::default()
}

const NAMES: [(&str, Architecture); 9] = [
    ("mlp", Architecture::Mlp),
    ("lenet", Architecture::LeNet),
    ("alexnet", Architecture::AlexNet),
    ("alexnet-bn", Architecture::AlexNetBn),
    ("vgg11", Architecture::Vgg11),
    ("vgg11-bn", Architecture::Vgg11Bn),
    ("resnet18", Architecture::ResNet18),
    ("resnet18-bn", Architecture::ResNet18Bn),
    ("resnet18-bn-ap", Architecture::ResNet18BnAp),
];

const NORMS: [(&str, NormKind); 5] = [
    ("none", NormKind::None),
    ("batch", NormKind::Batch),
    ("layer", NormKind::Layer),
    ("instance", NormKind::Instance),
    // In four groups, as published.
    ("group", NormKind::Group { groups: 4 }),
];

const ACTS: [(&str, Activation); 4] = [
    ("relu", Activation::Relu),
    ("leaky_relu", Activation::LeakyRelu),
    ("sigmoid", Activation::Sigmoid),
    ("swish", Activation::Swish),
];

const POOLS: [(&str, Option<PoolKind>); 3] =
    [("none", None), ("max", Some(PoolKind::Max)), ("avg", Some(PoolKind::Avg))];

impl Architecture {
    /// The kinds of the published tables, without batch norm (Zhao & Bilen, WACV 2023).
    pub const PUBLISHED: [Self; 6] = [
        Self::ConvNet {
            norm: NormKind::Instance,
            act: Activation::Relu,
            pool: Some(PoolKind::Avg),
        },
        Self::Mlp,
        Self::LeNet,
        Self::AlexNet,
        Self::Vgg11,
        Self::ResNet18,
    ];

    /// Those with batch norm.
    pub const BATCH_NORM: [Self; 5] = [
        Self::ConvNet { norm: NormKind::Batch, act: Activation::Relu, pool: Some(PoolKind::Avg) },
        Self::AlexNetBn,
        Self::Vgg11Bn,
        Self::ResNet18Bn,
        Self::ResNet18BnAp,
    ];

    /// A network of the user's own, from a list of [`Layer`]s as TOML, `[[layers]]`. The last layer must be linear,
    /// with one output per class. `name` is its name in tables.
    ///
    /// ```
    /// use dm_wgpu::Architecture;
    ///
    /// let text = r#"
    ///     layers = [
    ///         { op = "conv", out = 16, kernel = 5, stride = 2, pad = 2 },
    ///         { op = "norm", kind = "instance" },
    ///         { op = "act", kind = "relu" },
    ///         { op = "flatten" },
    ///         { op = "linear", out = 10 },
    ///     ]"#;
    /// let own = Architecture::from_toml("mine", text)?;
    /// assert_eq!(own.label(), "mine");
    /// assert_eq!(own.net((1, 28), 10, (0, 0))?.features(), 16 * 14 * 14);
    /// # Ok::<(), dm_wgpu::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Setting`], with the line, if the text is not such a list. [`net`](Self::net) checks whether the layers
    /// fit images of some size.
    pub fn from_toml(name: &str, text: &str) -> Result<Self> {
        own::of_toml(name, text).map(Self::of_own)
    }

    fn of_own((name, layers): own::Named) -> Self {
        Self::Layers { name, layers }
    }

    /// ConvNets like the published one, with each possible `norm`, `act` or `pool`.
    #[cfg(feature = "files")]
    pub(crate) fn convnets(by: &str) -> Vec<Self> {
        let (usual_norm, usual_act, usual_pool) =
            (NormKind::Instance, Activation::Relu, Some(PoolKind::Avg));
        let of = |norm, act, pool| Self::ConvNet { norm, act, pool };
        match by {
            "norm" => NORMS.iter().map(|(_, norm)| of(*norm, usual_act, usual_pool)).collect(),
            "act" => ACTS.iter().map(|(_, act)| of(usual_norm, *act, usual_pool)).collect(),
            _ => POOLS.iter().map(|(_, pool)| of(usual_norm, usual_act, *pool)).collect(),
        }
    }

    /// Its name in tables: its text, or the name of a network of the user's own.
    pub fn label(&self) -> String {
        match self {
            Self::Layers { name, .. } => name.clone(),
            named => named.to_string(),
        }
    }

    /// Whether it has a width and depth.
    pub fn is_convnet(&self) -> bool {
        matches!(self, Self::ConvNet { .. })
    }

    /// Such a network for (channels, size, size) images and so many classes; (width, depth) are a ConvNet's.
    ///
    /// # Errors
    /// [`Error::Shape`] when the images are too small for it, with the smallest that are not; [`Error::Setting`] for a
    /// width of 0 or a depth outside 1…5.
    pub fn net(
        &self,
        images: (usize, usize),
        classes: usize,
        (width, depth): (usize, usize),
    ) -> Result<Net> {
        const LARGEST: usize = 256;
        let (channels, size) = images;
        let of_size = |size| self.of_size((channels, size), classes, (width, depth));
        match of_size(size) {
            Err(Error::Shape { reason, .. }) if !self.is_convnet() => {
                let fits = (size + 1..=LARGEST).find(|&size| of_size(size).is_ok());
                let smallest = fits.map_or(String::new(), |least| {
                    format!("; the smallest images for it are {least}×{least}")
                });
                let what = format!("{} on {channels}×{size}×{size} images", self.label());
                Err(Error::shape(what, reason.then(smallest)))
            }
            made => made,
        }
    }

    fn of_size(
        &self,
        images: (usize, usize),
        classes: usize,
        (width, depth): (usize, usize),
    ) -> Result<Net> {
        match *self {
            Self::ConvNet { norm, act, pool } => {
                match pool {
                    // Each block halves the images.
                    Some(_) => ConvNet::new(images.0, images.1, width, depth).map(drop)?,
                    None => ConvNet::check(width, depth)?,
                }
                Net::convnet(images, classes, (width, depth), norm, act, pool)
            }
            Self::Mlp => Net::mlp(images, classes),
            Self::LeNet => Net::lenet(images, classes),
            Self::AlexNet => Net::alexnet(images, classes, false),
            Self::AlexNetBn => Net::alexnet(images, classes, true),
            Self::Vgg11 => Net::vgg11(images, classes, false),
            Self::Vgg11Bn => Net::vgg11(images, classes, true),
            Self::ResNet18 => Net::resnet18(images, classes, false),
            Self::ResNet18Bn => Net::resnet18(images, classes, true),
            Self::ResNet18BnAp => Net::resnet18_bn_ap(images, classes),
            Self::Layers { ref name, ref layers } => own::net(name, layers, images, classes),
        }
    }
}

/// The name of one of these.
fn name_of<T: PartialEq>(names: &[(&'static str, T)], value: &T) -> String {
    match (names.iter().find(|(_, of)| of == value), names) {
        (Some((name, _)), _) => (*name).to_owned(),
        (None, _) => "?".to_owned(),
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (norm, act, pool) = match self {
            Self::ConvNet { norm, act, pool } => (norm, act, pool),
            Self::Layers { name, layers } => return f.write_str(&own::whole(name, layers)),
            named => return f.write_str(&name_of(&NAMES, named)),
        };
        f.write_str("convnet")?;
        let Self::ConvNet { norm: usual_norm, act: usual_act, pool: usual_pool } = Self::default()
        else {
            return Ok(());
        };
        let groups = match norm {
            NormKind::Group { groups } if *groups != 4 => Some(format!("group/{groups}")),
            _ => None,
        };
        let own = [
            ("norm", (*norm != usual_norm).then(|| groups.unwrap_or(name_of(&NORMS, norm)))),
            ("act", (*act != usual_act).then(|| name_of(&ACTS, act))),
            ("pool", (*pool != usual_pool).then(|| name_of(&POOLS, pool))),
        ];
        let own = own.into_iter().filter_map(|(key, value)| Some((key, value?)));
        for (key, value) in own {
            write!(f, ":{key}={value}")?;
        }
        Ok(())
    }
}

impl FromStr for Architecture {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let possible = || {
            let names: Vec<_> = NAMES.iter().map(|(name, _)| *name).collect();
            format!(
                "possible are convnet, {}, other ConvNets as convnet:norm=…:act=…:pool=…, and file:PATH of a TOML list \
                 of layers",
                names.join(", ")
            )
        };
        if let Some(own) = own::of_text(text) {
            return own.map(Self::of_own);
        }
        let (name, own) = text.split_once(':').unwrap_or((text, ""));
        if name != "convnet" {
            let found = NAMES.iter().find(|(known, _)| *known == text);
            return found
                .map(|(_, own)| own.clone())
                .ok_or_else(|| Error::setting("net", text, possible()));
        }
        let (mut norm, mut act, mut pool) =
            (NormKind::Instance, Activation::Relu, Some(PoolKind::Avg));
        for part in own.split(':').filter(|part| !part.is_empty()) {
            let known = match part.split_once('=') {
                Some(("norm", value)) => {
                    let groups = value.strip_prefix("group/").and_then(|n| n.parse().ok());
                    let own = groups.map(|groups| NormKind::Group { groups });
                    take(&mut norm, own.or_else(|| find(&NORMS, value)))
                }
                Some(("act", value)) => take(&mut act, find(&ACTS, value)),
                Some(("pool", value)) => take(&mut pool, find(&POOLS, value)),
                _ => false,
            };
            if !known {
                let possible = format!(
                    "{part:?} is not one of norm={}, act={}, pool={}",
                    words(&NORMS),
                    words(&ACTS),
                    words(&POOLS)
                );
                return Err(Error::setting("net", text, possible));
            }
        }
        Ok(Self::ConvNet { norm, act, pool })
    }
}

fn find<T: Copy>(names: &[(&str, T)], name: &str) -> Option<T> {
    names.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

fn take<T>(slot: &mut T, value: Option<T>) -> bool {
    let known = value.is_some();
    if let Some(value) = value {
        *slot = value;
    }
    known
}

fn words<T>(names: &[(&str, T)]) -> String {
    let words: Vec<_> = names.iter().map(|(name, _)| *name).collect();
    words.join("|")
}

impl Serialize for Architecture {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Architecture {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn architectures_are_what_people_write() {
        let all = NAMES.iter().map(|(name, _)| (*name).to_owned());
        let convnets = ["", ":norm=none", ":norm=group:act=swish", ":norm=group/2:pool=none"]
            .map(|own| format!("convnet{own}"));
        for text in all.chain(convnets) {
            let parsed: Architecture = text.parse().unwrap();
            assert_eq!(parsed.to_string(), text);
            assert!(parsed.net((3, 32), 10, (8, 2)).is_ok(), "{text}");
        }
        assert_eq!("convnet".parse::<Architecture>().unwrap(), Architecture::default());
        for (text, expected) in [
            ("resnet", "resnet18-bn-ap"),
            ("lenet:norm=batch", "possible are convnet"),
            ("convnet:norm=weight", "norm=none|batch|layer|instance|group"),
            ("convnet:batch", "\"batch\" is not one of"),
            ("", "possible are"),
        ] {
            let error = text.parse::<Architecture>().unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn images_that_are_too_small_are_told_what_is_not() {
        for (net, size, least) in [
            (Architecture::Vgg11, 16, "; the smallest images for it are 32×32"),
            (Architecture::ResNet18, 16, "; the smallest images for it are 25×25"),
            (Architecture::LeNet, 7, "; the smallest images for it are 16×16"),
        ] {
            let error = net.net((3, size), 10, (0, 0)).unwrap_err().to_string();
            let begin = format!("{net} on 3×{size}×{size} images: layer ");
            assert!(error.starts_with(&begin) && error.ends_with(least), "{error}");
        }
    }
}
