//! The papers' ConvNet.

use burn::{
    module::Module,
    nn::{
        InstanceNorm, InstanceNormConfig, Linear, LinearConfig, PaddingConfig2d,
        conv::{Conv2d, Conv2dConfig},
        pool::{AvgPool2d, AvgPool2dConfig},
    },
    tensor::{Device, Tensor, activation::relu},
};

/// Convolution, instance norm, ReLU, average pool.
#[derive(Module, Debug)]
struct Block {
    conv: Conv2d,
    norm: InstanceNorm,
    pool: AvgPool2d,
}

/// `depth` blocks; with `classes`, then a linear layer.
#[derive(Module, Debug)]
pub struct ConvNet {
    blocks: Vec<Block>,
    head: Option<Linear>,
}

impl ConvNet {
    pub fn new(
        [channels, size, depth]: [usize; 3],
        width: usize,
        classes: Option<usize>,
        device: &Device,
    ) -> Self {
        let mut size = size;
        let mut blocks = Vec::new();
        for block in 0..depth {
            let inner = if block == 0 { channels } else { width };
            // MNIST's 28 rows become 32, which can be halved several times.
            let padding = if inner == 1 && block == 0 { 3 } else { 1 };
            size = (size + 2 * padding - 2) / 2;
            let padding = PaddingConfig2d::Explicit(padding, padding, padding, padding);
            blocks.push(Block {
                conv: Conv2dConfig::new([inner, width], [3, 3]).with_padding(padding).init(device),
                norm: InstanceNormConfig::new(width).init(device),
                pool: AvgPool2dConfig::new([2, 2]).init(),
            });
        }
        let head =
            classes.map(|classes| LinearConfig::new(width * size * size, classes).init(device));
        Self { blocks, head }
    }

    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let seen = self.blocks.iter().fold(images, |seen, block| {
            block.pool.forward(relu(block.norm.forward(block.conv.forward(seen))))
        });
        let flat = seen.flatten(1, 3);
        match &self.head {
            Some(head) => head.forward(flat),
            None => flat,
        }
    }
}
