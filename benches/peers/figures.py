#!/usr/bin/env python3
"""Accuracies in PyTorch, to compare with those of `dm-wgpu`. `condense` condenses MNIST or CIFAR-10; `evaluate` trains
networks on a set, which `condense` or `dm-wgpu export` wrote as npz, and tests them.

Written from docs/formulas.md and from the table of networks in docs/guide.md. DATA is the folder of MNIST's four files, plain
or as .gz, or of CIFAR-10's binary batches. The last line on stdout is one JSON object. Needs torch and numpy only.
"""
import argparse
import gzip
import json
import pathlib
import statistics
import sys
import time

import numpy as np
import torch
from torch.nn import functional as F

from networks import NAMES, network
from pytorch import BATCH, SHAPES, augment, draw, strategy

# Per channel.
STATISTICS = {
    "mnist": ([0.1307], [0.3081]),
    "cifar10": ([0.4914, 0.4822, 0.4465], [0.2023, 0.1994, 0.2010]),
}
# By images per class, for DC and DSA: updates of the pixels per network, and epochs of training between two updates.
LOOPS = {1: (1, 1), 10: (10, 50), 20: (20, 25), 30: (30, 20), 40: (40, 15), 50: (50, 10)}


def loops(options):
    """Both, as asked for or as published; None where neither says."""
    outer, inner = LOOPS.get(options.ipc, (None, None))
    return options.outer or outer, inner if options.inner is None else options.inner


def idx(folder, name):
    path = folder / name
    data = path.read_bytes() if path.exists() else gzip.decompress((folder / f"{name}.gz").read_bytes())
    sizes = np.frombuffer(data, ">i4", data[3], 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(sizes)


def load(options, test):
    """Images and labels of one part of the data set."""
    if options.shape == "mnist":
        part = "t10k" if test else "train"
        images = torch.from_numpy(idx(options.data, f"{part}-images-idx3-ubyte").copy())[:, None]
        labels = torch.from_numpy(idx(options.data, f"{part}-labels-idx1-ubyte").astype(np.int64))
    else:
        names = ["test_batch.bin"] if test else [f"data_batch_{n}.bin" for n in range(1, 6)]
        rows = np.concatenate([np.fromfile(options.data / name, np.uint8).reshape(-1, 3073) for name in names])
        labels, images = torch.from_numpy(rows[:, 0].astype(np.int64)), torch.from_numpy(rows[:, 1:].reshape(-1, 3, 32, 32))
    mean, std = (torch.tensor(of).view(1, -1, 1, 1) for of in STATISTICS[options.shape])
    return (images.float() / 255 - mean) / std, labels


def train(net, images, labels, epochs, names):
    """Trains as `dm-wgpu evaluate` does: docs/formulas.md, "The evaluation"."""
    optimiser = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimiser, [epochs // 2 + 1], 0.1)
    for _ in range(epochs):
        for chosen in torch.randperm(len(images)).split(BATCH):
            seen = images[chosen]
            if names:
                name = names[torch.randint(0, len(names), ()).item()]
                seen = augment(name, seen, draw(name, len(chosen), seen.shape[-1], "cpu"))
            optimiser.zero_grad()
            F.cross_entropy(net(seen), labels[chosen]).backward()
            optimiser.step()
        schedule.step()


@torch.no_grad()
def accuracy(net, images, labels):
    right = [(net(x).argmax(1) == y).sum().item() for x, y in zip(images.split(500), labels.split(500))]
    return sum(right) / len(labels)


def evaluate(options):
    arrays = np.load(options.set, allow_pickle=False)
    images = torch.from_numpy(arrays["images"].astype(np.float32))
    labels = torch.from_numpy(arrays["labels"].astype(np.int64))
    test = load(options, True)
    classes, channels, size, depth = SHAPES[options.shape]
    out = {}
    for name in options.net.split(","):
        start, found = time.perf_counter(), []
        for index in range(options.nets):
            torch.manual_seed(1000 * options.seed + index)
            net = network(name, channels, size, options.width, depth, classes)
            train(net, images, labels, options.epochs, strategy(channels))
            found.append(100 * accuracy(net, *test))
            print(f"{name} {index}: {found[-1]:.2f} %", file=sys.stderr)
        seconds = time.perf_counter() - start
        out[name] = {"mean": statistics.mean(found), "std": statistics.pstdev(found), "runs": found, "seconds": seconds}
    return out


def rows_apart(a, b):
    a, b = a.flatten(1), b.flatten(1)
    return (1 - (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1) + 1e-6)).sum()


def condense(options):
    torch.manual_seed(options.seed)
    images, labels = load(options, False)
    classes, channels, size, depth = SHAPES[options.shape]
    of_class = [(labels == k).nonzero().flatten() for k in range(classes)]
    if options.method == "dc":
        synthetic, names = torch.randn(classes * options.ipc, channels, size, size), []
    else:
        first = [own[torch.randperm(len(own))[: options.ipc]] for own in of_class]
        synthetic, names = images[torch.cat(first)].clone(), strategy(channels)
    synthetic.requires_grad_()
    its_labels = torch.arange(classes).repeat_interleave(options.ipc)
    rate = options.lr_img or (1.0 if options.method == "dm" else 0.1)
    optimiser = torch.optim.SGD([synthetic], lr=rate, momentum=0.5)
    outer, inner = (1, 0) if options.method == "dm" else loops(options)

    def seen(x, drawn):
        return augment(drawn[0], x, drawn[1]) if drawn else x

    times = []
    for iteration in range(options.iterations):
        start = time.perf_counter()
        net = network("convnet", channels, size, options.width, depth, classes)
        embed = net[0]
        weights = [p for p in net.parameters()]
        for step in range(outer):
            loss = torch.zeros(())
            for k in range(classes):
                real = images[of_class[k][torch.randperm(len(of_class[k]))[: options.batch_real]]]
                made = synthetic[k * options.ipc : (k + 1) * options.ipc]
                drawn = None
                if names:
                    name = names[torch.randint(0, len(names), ()).item()]
                    drawn = (name, draw(name, 1, size, "cpu"))
                if options.method == "dm":
                    with torch.no_grad():
                        target = embed(seen(real, drawn)).mean(0)
                    loss = loss + (target - embed(seen(made, drawn)).mean(0)).square().sum()
                    continue

                def gradient(x, create_graph):
                    own = torch.full((len(x),), k)
                    return torch.autograd.grad(
                        F.cross_entropy(net(seen(x, drawn)), own), weights, create_graph=create_graph
                    )

                pairs = zip(gradient(real, False), gradient(made, True))
                loss = loss + sum(rows_apart(a, b) for a, b in pairs if a.dim() > 1)
            optimiser.zero_grad()
            (grad,) = torch.autograd.grad(loss, [synthetic])
            synthetic.grad = grad
            optimiser.step()
            if step + 1 < outer:
                learner = torch.optim.SGD(net.parameters(), lr=0.01)
                for _ in range(inner):
                    for chosen in torch.randperm(len(synthetic)).split(BATCH):
                        x = synthetic.detach()[chosen]
                        if names:
                            name = names[torch.randint(0, len(names), ()).item()]
                            x = augment(name, x, draw(name, len(x), size, "cpu"))
                        learner.zero_grad()
                        F.cross_entropy(net(x), its_labels[chosen]).backward()
                        learner.step()
        times.append(time.perf_counter() - start)
        if iteration % 50 == 0 or iteration + 1 == options.iterations:
            print(f"iteration {iteration}: loss {loss.item():.4g}, {times[-1]:.3f} s", file=sys.stderr)
    np.savez(options.out, images=synthetic.detach().numpy(), labels=its_labels.numpy())
    return {"set": str(options.out), "seconds": sum(times), "median_ms": 1000 * statistics.median(times)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    own = commands.add_parser("condense")
    own.add_argument("data", type=pathlib.Path)
    own.add_argument("out", type=pathlib.Path, help="the npz to write")
    own.add_argument("--method", choices=["dm", "dc", "dsa"], default="dm")
    own.add_argument("--ipc", type=int, default=1)
    own.add_argument("--iterations", type=int, default=300)
    own.add_argument("--batch-real", type=int, default=64)
    own.add_argument("--outer", type=int, help="updates of the pixels per network, of dc and dsa [default: as published]")
    own.add_argument("--inner", type=int, help="epochs of training between two of them [default: as published]")
    own.add_argument("--lr-img", type=float, help="learning rate of the pixels [default: 1 for dm, else 0.1]")
    other = commands.add_parser("evaluate")
    other.add_argument("data", type=pathlib.Path)
    other.add_argument("set", type=pathlib.Path, help="an npz with images and labels")
    other.add_argument("--net", default="convnet", help=f"kinds of network, joined by comma: {', '.join(NAMES)}")
    other.add_argument("--nets", type=int, default=2, help="networks of each kind")
    other.add_argument("--epochs", type=int, default=300)
    for each in [own, other]:
        each.add_argument("--shape", choices=list(STATISTICS), default="mnist", help="the data set")
        each.add_argument("--width", type=int, default=32, help="channels of each convolution of the ConvNet")
        each.add_argument("--seed", type=int, default=0)
        each.add_argument("--threads", type=int, help="threads of the CPU [default: PyTorch's choice]")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    if options.command == "condense" and options.method != "dm" and None in loops(options):
        published = ", ".join(map(str, LOOPS))
        parser.error(f"dc and dsa were published for {published} images per class: add --outer and --inner")
    found = evaluate(options) if options.command == "evaluate" else condense(options)
    print(json.dumps({"peer": "pytorch", "version": torch.__version__, **vars(options), **found}, default=str))


if __name__ == "__main__":
    main()
