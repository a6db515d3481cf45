//! The networks of the field by name, on images of any size they fit (Zhao et al., ICLR 2021; Zhao & Bilen, ICML 2021
//! and WACV 2023).

use super::{Activation, ConvNet, Layer, Net, NormKind, PoolKind};
use crate::Result;

impl Net {
    /// A ConvNet with a linear layer on top, as published.
    ///
    /// # Errors
    /// As [`Net::new`].
    pub fn of_convnet(net: &ConvNet, classes: usize) -> Result<Self> {
        let images = (net.channels(), net.size());
        let blocks = (net.width(), net.depth());
        let (norm, act) = (NormKind::Instance, Activation::Relu);
        Self::convnet(images, classes, blocks, norm, act, Some(PoolKind::Avg))
    }

    /// `depth` blocks of convolution 3×3, norm, activation and pool, if any, each of `width` channels. As published:
    /// 128, 3, instance norm, ReLU, average pool.
    ///
    /// # Errors
    /// As [`Net::new`].
    #[allow(clippy::too_many_arguments)]
    pub fn convnet(
        (channels, size): (usize, usize),
        classes: usize,
        (width, depth): (usize, usize),
        norm: NormKind,
        act: Activation,
        pool: Option<PoolKind>,
    ) -> Result<Self> {
        let mut layers = Vec::new();
        for block in 0..depth {
            layers.push(conv(width, 3, 1, if block == 0 { padding(channels, 1, 3) } else { 1 }));
            layers.extend([Layer::Norm(norm), Layer::Act { kind: act }]);
            layers.extend(pool.map(halve));
        }
        layers.extend([Layer::Flatten, Layer::Linear { out: classes }]);
        Self::new(channels, size, layers)
    }

    /// Two hidden layers of 128 features.
    ///
    /// # Errors
    /// As [`Net::new`].
    pub fn mlp((channels, size): (usize, usize), classes: usize) -> Result<Self> {
        let hidden = [Layer::Linear { out: 128 }, RELU];
        let layers = [&[Layer::Flatten][..], &hidden, &hidden, &[Layer::Linear { out: classes }]];
        Self::new(channels, size, layers.concat())
    }

    /// LeCun's network with ReLU and largest-value pools (LeCun et al., 1998).
    ///
    /// # Errors
    /// As [`Net::new`].
    pub fn lenet((channels, size): (usize, usize), classes: usize) -> Result<Self> {
        let max = || halve(PoolKind::Max);
        let mut layers = vec![conv(6, 5, 1, padding(channels, 0, 2)), RELU, max()];
        layers.extend([conv(16, 5, 1, 0), RELU, max(), Layer::Flatten]);
        layers.extend([Layer::Linear { out: 120 }, RELU, Layer::Linear { out: 84 }, RELU]);
        layers.push(Layer::Linear { out: classes });
        Self::new(channels, size, layers)
    }

    /// AlexNet for small images (Krizhevsky et al., 2012), without a norm or with batch norm.
    ///
    /// # Errors
    /// As [`Net::new`].
    pub fn alexnet(
        (channels, size): (usize, usize),
        classes: usize,
        batch_norm: bool,
    ) -> Result<Self> {
        let first = padding(channels, 2, 4);
        let mut layers = Vec::new();
        for (out, kernel, pad, pooled) in [
            (128, 5, first, true),
            (192, 5, 2, true),
            (256, 3, 1, false),
            (192, 3, 1, false),
            (192, 3, 1, true),
        ] {
            layers.push(conv(out, kernel, 1, pad));
            layers.extend(batch_norm.then_some(Layer::Norm(NormKind::Batch)));
            layers.push(RELU);
            layers.extend(pooled.then(|| halve(PoolKind::Max)));
        }
        layers.extend([Layer::Flatten, Layer::Linear { out: classes }]);
        Self::new(channels, size, layers)
    }

    /// VGG11 (Simonyan & Zisserman, 2015), with instance norm as published for condensing, or batch norm.
    ///
    /// # Errors
    /// As [`Net::new`].
    pub fn vgg11(
        (channels, size): (usize, usize),
        classes: usize,
        batch_norm: bool,
    ) -> Result<Self> {
        let mut layers = Vec::new();
        for (i, (out, pooled)) in [
            (64, true),
            (128, true),
            (256, false),
            (256, true),
            (512, false),
            (512, true),
            (512, false),
            (512, true),
        ]
        .into_iter()
        .enumerate()
        {
            layers.push(conv(out, 3, 1, if i == 0 { padding(channels, 1, 3) } else { 1 }));
            layers.extend([norm(batch_norm), RELU]);
            layers.extend(pooled.then(|| halve(PoolKind::Max)));
        }
        layers.extend([Layer::Flatten, Layer::Linear { out: classes }]);
        Self::new(channels, size, layers)
    }

    /// ResNet18 for small images (He et al., 2016), with instance norm as published for condensing, or batch norm.
    ///
    /// # Errors
    /// As [`Net::new`].
    pub fn resnet18(images: (usize, usize), classes: usize, batch_norm: bool) -> Result<Self> {
        resnet(images, classes, batch_norm, false)
    }

    /// ResNet18 with batch norm, where a stride of 2 is an average pool after a convolution of stride 1, and no pool
    /// comes last.
    ///
    /// # Errors
    /// As [`Net::new`].
    pub fn resnet18_bn_ap(images: (usize, usize), classes: usize) -> Result<Self> {
        resnet(images, classes, true, true)
    }
}

const RELU: Layer = Layer::Act { kind: Activation::Relu };

fn conv(out: usize, kernel: usize, stride: usize, pad: usize) -> Layer {
    Layer::Conv { out, kernel, stride, pad, bias: true }
}

fn halve(kind: PoolKind) -> Layer {
    Layer::Pool { kind, kernel: 2, stride: 2, pad: 0 }
}

fn norm(batch: bool) -> Layer {
    Layer::Norm(if batch { NormKind::Batch } else { NormKind::Instance })
}

/// The padding of a first convolution: wider for one-channel images, which are smaller.
fn padding(channels: usize, colour: usize, grey: usize) -> usize {
    if channels == 1 { grey } else { colour }
}

fn resnet(
    (channels, size): (usize, usize),
    classes: usize,
    batch_norm: bool,
    pooled: bool,
) -> Result<Net> {
    let conv =
        |out, kernel, stride| Layer::Conv { out, kernel, stride, pad: kernel / 2, bias: false };
    // A convolution that halves, or the pool that stands for its stride.
    let halving = |out, kernel, stride| match pooled && stride == 2 {
        true => (conv(out, kernel, 1), Some(halve(PoolKind::Avg))),
        false => (conv(out, kernel, stride), None),
    };
    let mut layers = vec![conv(64, 3, 1), norm(batch_norm), RELU];
    let mut before = 64;
    for (out, first_stride) in [(64, 1), (128, 2), (256, 2), (512, 2)] {
        for stride in [first_stride, 1] {
            let (first, pool) = halving(out, 3, stride);
            let mut body = vec![first, norm(batch_norm), RELU];
            body.extend(pool);
            body.extend([conv(out, 3, 1), norm(batch_norm)]);
            let mut shortcut = Vec::new();
            if stride != 1 || out != before {
                let (first, pool) = halving(out, 1, stride);
                shortcut.push(first);
                shortcut.extend(pool);
                shortcut.push(norm(batch_norm));
            }
            layers.extend([Layer::Residual { body, shortcut }, RELU]);
            before = out;
        }
    }
    if !pooled {
        layers.push(Layer::Pool { kind: PoolKind::Avg, kernel: 4, stride: 4, pad: 0 });
    }
    layers.extend([Layer::Flatten, Layer::Linear { out: classes }]);
    Net::new(channels, size, layers)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of parameters that their authors and users state, for colour images of 32×32 and ten classes.
    #[test]
    fn networks_have_the_published_numbers_of_parameters() {
        let images = (3, 32);
        let convnet = Net::convnet(
            images,
            10,
            (128, 3),
            NormKind::Instance,
            Activation::Relu,
            Some(PoolKind::Avg),
        );
        for (net, parameters) in [
            (Net::mlp(images, 10), 411_146),
            (convnet, 320_010),
            (Net::lenet(images, 10), 62_006),
            (Net::alexnet(images, 10, false), 1_872_202),
            (Net::vgg11(images, 10, false), 9_231_114),
            (Net::resnet18(images, 10, false), 11_173_962),
            (Net::resnet18(images, 10, true), 11_173_962),
            (Net::resnet18_bn_ap(images, 10), 11_250_762),
        ] {
            assert_eq!(net.unwrap().parameters(), parameters);
        }
        assert_eq!(Net::alexnet((1, 28), 10, true).unwrap().classes(), 10);
        assert_eq!(Net::vgg11((1, 28), 10, true).unwrap().features(), 512);
    }
}
