"""The networks of docs/guide.md in PyTorch. Each is a pair: what makes the embedding, and the linear layer behind it."""
import functools

import torch
from torch import nn
from torch.nn import functional as F

NAMES = ["convnet", "mlp", "lenet", "alexnet", "vgg11", "resnet18"]


def norm(width):
    """With one group per channel, this is instance norm with weight and bias."""
    return nn.GroupNorm(width, width)


def relu():
    return nn.ReLU(inplace=True)


def block(inner, outer, padding=1):
    return [nn.Conv2d(inner, outer, 3, padding=padding), norm(outer), relu()]


class Residual(nn.Module):
    def __init__(self, inner, outer, stride):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inner, outer, 3, stride, 1, bias=False),
            norm(outer),
            relu(),
            nn.Conv2d(outer, outer, 3, 1, 1, bias=False),
            norm(outer),
        )
        self.shortcut = nn.Sequential()
        if stride != 1 or inner != outer:
            self.shortcut = nn.Sequential(nn.Conv2d(inner, outer, 1, stride, bias=False), norm(outer))

    def forward(self, x):
        return F.relu(self.body(x) + self.shortcut(x))


def layers(name, channels, size, width, depth):
    """All layers before the flattening. One-channel images, of 28 rows, are padded to 32 or so."""
    grey = channels == 1
    if name == "convnet":
        inner = [channels] + [width] * (depth - 1)
        blocks = [block(c, width, 3 if c == 1 and not at else 1) + [nn.AvgPool2d(2)] for at, c in enumerate(inner)]
        return sum(blocks, [])
    if name == "mlp":
        return [nn.Flatten(), nn.Linear(channels * size * size, 128), relu(), nn.Linear(128, 128), relu()]
    if name == "lenet":
        first = [nn.Conv2d(channels, 6, 5, padding=2 if grey else 0), relu(), nn.MaxPool2d(2)]
        second = [nn.Conv2d(6, 16, 5), relu(), nn.MaxPool2d(2), nn.Flatten()]
        side = ((size if grey else size - 4) // 2 - 4) // 2
        return first + second + [nn.Linear(16 * side * side, 120), relu(), nn.Linear(120, 84), relu()]
    if name == "alexnet":
        first = [nn.Conv2d(channels, 128, 5, padding=4 if grey else 2), relu(), nn.MaxPool2d(2)]
        second = [nn.Conv2d(128, 192, 5, padding=2), relu(), nn.MaxPool2d(2)]
        rest = [(192, 256), (256, 192), (192, 192)]
        rest = [layer for a, b in rest for layer in (nn.Conv2d(a, b, 3, padding=1), relu())]
        return first + second + rest + [nn.MaxPool2d(2)]
    if name == "vgg11":
        found, inner = [], channels
        for outer in [64, "pool", 128, "pool", 256, 256, "pool", 512, 512, "pool", 512, 512, "pool"]:
            if outer == "pool":
                found.append(nn.MaxPool2d(2))
            else:
                found += block(inner, outer, 3 if inner == 1 else 1)
                inner = outer
        return found
    assert name == "resnet18", name
    found, inner = [nn.Conv2d(channels, 64, 3, 1, 1, bias=False), norm(64), relu()], 64
    for outer, stride in [(64, 1), (128, 2), (256, 2), (512, 2)]:
        found += [Residual(inner, outer, stride), Residual(outer, outer, 1)]
        inner = outer
    return found + [nn.AvgPool2d(4)]


def embedding(name, channels, size, width, depth):
    """A new random network without its last layer."""
    return nn.Sequential(*layers(name, channels, size, width, depth), nn.Flatten())


@functools.cache
def features(*shape):
    """Values of an embedding. What is drawn for it changes no draw of others."""
    _, channels, size, _, _ = shape
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        return embedding(*shape)(torch.zeros(2, channels, size, size)).shape[1]


def network(name, channels, size, width, depth, classes):
    """A new random network, as a sequence of two: `net[0]` embeds images, `net[1]` recognises classes."""
    shape = (name, channels, size, width, depth)
    last = features(*shape)
    return nn.Sequential(embedding(*shape), nn.Linear(last, classes))
