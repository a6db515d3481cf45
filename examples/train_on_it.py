"""Trains a ConvNet on a condensed set and tests it on real images. Needs PyTorch, nothing else.

    dm-wgpu --dataset mnist --ipc 10
    dm-wgpu export runs/mnist-ipc10-seed0 --format pt
    python examples/train_on_it.py runs/mnist-ipc10-seed0/synthetic.pt ~/.cache/dm-wgpu/mnist

The second path is a folder with the real test images: the t10k IDX files of MNIST and its relatives, plain
or .gz, or test_batch.bin of CIFAR-10. Without it, torchvision is asked for them. Other sets, of own pictures
for example, need a few lines of your own in real_test_images.
"""

import argparse, gzip, pathlib, sys

import torch
from torch import nn


def convnet(channels, size, classes, width=128):
    """Three blocks with instance norm, as in the papers; images of 28×28 are padded to 32×32."""
    blocks, padding = [], 3 if size == 28 else 1
    for inputs in [channels, width, width]:
        blocks += [nn.Conv2d(inputs, width, 3, padding=padding), nn.GroupNorm(width, width), nn.ReLU()]
        blocks, padding = blocks + [nn.AvgPool2d(2)], 1
    return nn.Sequential(*blocks, nn.Flatten(), nn.LazyLinear(classes))


def train(net, images, labels, epochs):
    optimiser = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    for epoch in range(epochs):
        if epoch % max(1, epochs // 10) == 0:
            print(f"epoch {epoch} of {epochs}", flush=True)
        if epoch == epochs // 2:
            optimiser.param_groups[0]["lr"] /= 10
        for batch in torch.randperm(len(images)).split(256):
            optimiser.zero_grad()
            nn.functional.cross_entropy(net(images[batch]), labels[batch]).backward()
            optimiser.step()


def real_test_images(dataset, folder, channels, size):
    """Pixels, N×C×H×W in 0…255, and labels."""
    names = {"mnist": "MNIST", "fashion-mnist": "FashionMNIST", "kmnist": "KMNIST", "cifar10": "CIFAR10"}
    if folder is None and dataset not in names:
        sys.exit(f"the test images of {dataset} are not known here, only those of {', '.join(names)}")
    if folder is None:
        try:
            import torchvision.datasets as sets
        except ImportError:
            sys.exit("name the folder of the real test images, or install torchvision, which downloads them")
        real = getattr(sets, names[dataset])("torchvision-data", train=False, download=True)
        pixels = torch.as_tensor(real.data).reshape(len(real), size, size, channels)
        return pixels.permute(0, 3, 1, 2), torch.as_tensor(real.targets)
    files = {path.name.removesuffix(".gz"): path for path in sorted(pathlib.Path(folder).iterdir())}

    def read(name):
        if name not in files:
            sys.exit(f"{folder}: there is no {name}, plain or .gz")
        data = files[name].read_bytes()
        data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
        return torch.frombuffer(bytearray(data), dtype=torch.uint8)

    if "test_batch.bin" in files:
        rows = read("test_batch.bin").view(-1, 1 + channels * size * size)
        return rows[:, 1:].view(-1, channels, size, size), rows[:, 0].long()
    pixels = read("t10k-images-idx3-ubyte")[16:].view(-1, channels, size, size)
    return pixels, read("t10k-labels-idx1-ubyte")[8:].long()


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("set", help="what dm-wgpu export --format pt wrote")
parser.add_argument("folder", nargs="?", help="with the real test images")
parser.add_argument("--epochs", type=int, default=300, help="passes over the set (default: 300)")
arguments = parser.parse_args()

saved = torch.load(arguments.set, weights_only=True)
images, labels = saved["data"][0]
channels, size = images.shape[1:3]
pixels, answers = real_test_images(saved["dataset"], arguments.folder, channels, size)
net = convnet(channels, size, len(saved["class_names"]))
net(images[:1])  # draws the last layer's weights, whose number follows from the images'
train(net, images, labels, arguments.epochs)

mean, std = (torch.tensor(saved[name]).view(1, -1, 1, 1) for name in ["mean", "std"])
with torch.no_grad():
    guesses = [net((part / 255 - mean) / std).argmax(1) for part in pixels.split(500)]
right = (torch.cat(guesses) == answers).float().mean()
print(f"{len(images)} images of {saved['dataset']}: {100 * right:.2f} % of {len(answers)} real test images")
