use super::{super::Net, *};
use crate::nn::{Layer, NormKind, PoolKind};

fn refused(layers: Vec<Layer>) -> String {
    Net::new(3, 8, layers).unwrap_err().to_string()
}

fn conv(out: usize, kernel: usize) -> Layer {
    Layer::Conv { out, kernel, stride: 1, pad: 0, bias: true }
}

const LAST: [Layer; 2] = [Layer::Flatten, Layer::Linear { out: 2 }];

#[test]
fn a_layer_that_does_not_fit_is_named() {
    let with = |layer: Layer| refused([&[layer][..], &LAST].concat());
    let residual = |body| Layer::Residual { body, shortcut: vec![] };
    for (message, expected) in [
        (with(conv(4, 9)), "layer 0 (conv 9×9): planes of 8×8 are too small"),
        (with(conv(0, 3)), "[0, 3, 3, 3] values"),
        (with(conv(4, 0)), "kernel and stride are 1 to 4096"),
        (with(conv(1 << 60, 3)), "values; 1 to"),
        (with(Layer::Norm(NormKind::Group { groups: 2 })), "3 channels are not 2 equal groups"),
        (with(Layer::Linear { out: 2 }), "layer 0 (linear): it needs features"),
        (with(Layer::Pool { kind: PoolKind::Max, kernel: 2, stride: 2, pad: 2 }), "half a window"),
        (with(residual(vec![conv(4, 1)])), "its body makes 4×8×8, its shortcut 3×8×8"),
        (with(residual(vec![conv(4, 1), conv(4, 9)])), "layer 0.body.1 (conv 9×9)"),
        (refused([&LAST[..], &[Layer::Flatten], &LAST[1..]].concat()), "layer 2"),
        (refused(vec![Layer::Flatten]), "the last layer must be linear"),
        (refused(vec![]), "the last layer must be linear"),
        (
            refused([&[conv(4, 8), Layer::Norm(NormKind::Instance)][..], &LAST].concat()),
            "no variance",
        ),
    ] {
        assert!(message.contains(expected), "{expected:?} in {message:?}");
    }
}

#[test]
fn the_blocks_at_the_beginning_are_those_of_the_fast_kernels() {
    let blocks = |net: &Net| net.program().blocks.as_ref().map(|net| (net.width(), net.depth()));
    let convnet = |norm| {
        let act = crate::nn::Activation::Relu;
        Net::convnet((1, 28), 10, (8, 3), norm, act, Some(PoolKind::Avg)).unwrap()
    };
    let own = convnet(NormKind::Instance);
    assert_eq!((blocks(&own), own.program().ops.len()), (Some((8, 3)), 1));
    assert_eq!(blocks(&convnet(NormKind::Batch)), None);
    assert_eq!(blocks(&Net::lenet((1, 28), 10).unwrap()), None);
    // Another width ends them.
    let mut layers = own.layers().to_vec();
    layers[8] = Layer::Conv { out: 9, kernel: 3, stride: 1, pad: 1, bias: true };
    let shorter = Net::new(1, 28, layers).unwrap();
    // Convolution, norm with the ReLU behind it, pool, linear layer.
    assert_eq!((blocks(&shorter), shorter.program().ops.len()), (Some((8, 2)), 4));
    let is_norm_with_relu = |op: &Op| matches!(op.kind, OpKind::Norm(norm) if norm.relu);
    assert!(shorter.program().ops.iter().any(is_norm_with_relu));
    // What passes along a direction read is between the two.
    let [apart, _] = shorter.programs_apart().unwrap();
    assert!(!apart.ops.iter().any(is_norm_with_relu));
}

/// Tensors take turns: without that, those of a deep network would be several times as many.
#[test]
fn tensors_share_room() {
    let net = Net::resnet18((3, 32), 10, true).unwrap();
    let program = net.program();
    let all: usize = program.ops.iter().map(|op| program.values[op.output].len).sum();
    let room = &program.room;
    let (values, gradients): (usize, usize) =
        (room.tensors.buffers.iter().sum(), room.gradients.buffers.iter().sum());
    assert!(values < all * 2 / 3 && gradients < all / 5, "{values}, {gradients} of {all}");
    // No two that are needed at the same time do: each operation's own are apart.
    for op in &program.ops {
        if program.slot(op.input).is_some() && !matches!(op.kind, OpKind::Part { .. }) {
            assert_ne!(program.slot(op.input), program.slot(op.output), "{op:?}");
        }
    }
}
