#!/usr/bin/env python3
"""Times iterations of distribution matching, or evaluation epochs, in PyTorch.

This is the same work as that of `dm-wgpu bench`, organised as the method's authors do: class after class,
eager, float32. The last line on stdout is one JSON object. Needs torch only.
"""
import argparse
import json
import math
import statistics
import sys
import time

import torch
from torch.nn import functional as F

from networks import NAMES, embedding, network

# name: classes, channels, size, depth
SHAPES = {"mnist": (10, 1, 28, 3), "cifar10": (10, 3, 32, 3), "tiny-imagenet": (200, 3, 64, 4)}
MEAN, STD = 0.45, 0.25
BATCH = 256
WARM_UP = 2


def strategy(channels):
    """All augmentations, without flip for digits."""
    every = ["color", "crop", "cutout", "flip", "scale", "rotate"]
    return [name for name in every if channels == 3 or name != "flip"]


def draw(name, count, size, device):
    """Parameters of one augmentation for `count` images. Those of one image can serve a whole batch."""

    def uniform(low, high):
        return torch.empty(count, device=device).uniform_(low, high)

    def whole(low, past):
        return torch.randint(low, past, (count,), device=device)

    if name == "color":
        return uniform(-0.5, 0.5), uniform(0, 2), uniform(0.5, 1.5)
    if name == "crop":
        most = int(size * 0.125 + 0.5)
        return whole(-most, most + 1), whole(-most, most + 1)
    if name == "cutout":
        past = size + 1 - int(size * 0.5 + 0.5) % 2
        return whole(0, past), whole(0, past)
    if name == "flip":
        return (uniform(0, 1) < 0.5,)
    one, zero = torch.ones(count, device=device), torch.zeros(count, device=device)
    if name == "scale":
        low, high = 1 / 1.2, 1.2
        x, y = uniform(low, high), uniform(low, high)
        return (torch.stack([x, zero, zero, zero, y, zero], 1).view(count, 2, 3),)
    assert name == "rotate", name
    angle = uniform(-15, 15) * (math.pi / 180)
    cos, sin = angle.cos() * one, angle.sin()
    return (torch.stack([cos, -sin, zero, sin, cos, zero], 1).view(count, 2, 3),)


def augment(name, images, parameters):
    count, _, size, _ = images.shape
    each = [p.view(-1, 1, 1, 1) for p in parameters] if name in ("color", "crop", "cutout", "flip") else []
    at = torch.arange(size, device=images.device)
    if name == "color":
        brightness, saturation, contrast = each
        images = images + brightness
        grey = images.mean(1, keepdim=True)
        images = torch.lerp(grey, images, saturation)
        level = images.mean((1, 2, 3), keepdim=True)
        return torch.lerp(level, images, contrast)
    if name == "crop":
        down, right = each
        rows, columns = at.view(1, 1, size, 1) + down, at.view(1, 1, 1, size) + right
        inside = (rows >= 0) & (rows < size) & (columns >= 0) & (columns < size)
        rows, columns = rows.clamp(0, size - 1), columns.clamp(0, size - 1)
        moved = images.flatten(2).gather(2, (rows * size + columns).flatten(2).expand(*images.shape[:2], -1))
        return moved.view_as(images) * inside
    if name == "cutout":
        edge = int(size * 0.5 + 0.5)

        def hidden(centre, along):
            first = centre - edge // 2
            return (along >= first) & (along < first + edge)

        y, x = each
        return images * ~(hidden(y, at.view(1, 1, size, 1)) & hidden(x, at.view(1, 1, 1, size)))
    if name == "flip":
        return torch.where(each[0], images.flip(3), images)
    (matrix,) = parameters
    grid = F.affine_grid(matrix.expand(count, 2, 3), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def iteration(options, shape, device, layout):
    """Returns a function that does one iteration."""
    classes, channels, size, depth = shape
    names = strategy(channels)
    picked = max(4096, options.batch_real)
    pixels = torch.randint(0, 256, (picked, channels, size, size), dtype=torch.uint8, device=device)
    synthetic = torch.randn(classes * options.ipc, channels, size, size, device=device).requires_grad_()
    optimiser = torch.optim.SGD([synthetic], lr=1.0, momentum=0.5)

    def step():
        net = embedding(options.net, channels, size, options.width, depth).to(device, memory_format=layout)
        net.requires_grad_(False)
        loss = torch.zeros((), device=device)
        for k in range(classes):
            chosen = torch.randint(0, picked, (options.batch_real,), device=device)
            real = (pixels[chosen].float() / 255 - MEAN) / STD
            made = synthetic[k * options.ipc : (k + 1) * options.ipc]
            name = names[torch.randint(0, len(names), ()).item()]
            parameters = draw(name, 1, size, device)
            with torch.no_grad():
                seen = augment(name, real, parameters).contiguous(memory_format=layout)
                target = net(seen).mean(0)
            seen = augment(name, made, parameters).contiguous(memory_format=layout)
            loss = loss + (target - net(seen).mean(0)).square().sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss.item()

    return step


def epoch(options, shape, device, layout):
    """Returns a function that trains a classifier for one epoch."""
    classes, channels, size, depth = shape
    names = strategy(channels)
    count = classes * options.ipc
    images = torch.randn(count, channels, size, size, device=device)
    labels = torch.arange(count, device=device) // options.ipc
    net = network(options.net, channels, size, options.width, depth, classes).to(device, memory_format=layout)
    optimiser = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)

    def step():
        for chosen in torch.randperm(count, device=device).split(BATCH):
            name = names[torch.randint(0, len(names), ()).item()]
            seen = augment(name, images[chosen], draw(name, len(chosen), size, device))
            loss = F.cross_entropy(net(seen.contiguous(memory_format=layout)), labels[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        return loss.item()

    return step


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--what", choices=["iteration", "epoch"], default="iteration")
    parser.add_argument("--shape", choices=list(SHAPES), default="cifar10")
    parser.add_argument("--ipc", type=int, default=10)
    parser.add_argument("--net", choices=NAMES, default="convnet")
    parser.add_argument("--width", type=int, default=128, help="channels of each convolution of the ConvNet")
    parser.add_argument("--batch-real", type=int, default=256)
    parser.add_argument("--iterations", type=int, default=5, help="iterations or epochs to time, after two to warm up")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--memory-format", choices=["contiguous", "channels_last"], default="contiguous")
    parser.add_argument("--threads", type=int, help="threads of the CPU [default: PyTorch's choice]")
    options = parser.parse_args()
    if min(options.ipc, options.width, options.batch_real, options.iterations) < 1:
        parser.error("numbers start at 1")
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("this PyTorch sees no CUDA device")
    if options.threads:
        torch.set_num_threads(options.threads)

    torch.manual_seed(0)
    # With TF32, cuDNN and cuBLAS would round factors to 10 bits, which is not the same work.
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    device = torch.device(options.device)
    layout = torch.channels_last if options.memory_format == "channels_last" else torch.contiguous_format
    step = {"iteration": iteration, "epoch": epoch}[options.what](options, SHAPES[options.shape], device, layout)

    times = []
    for index in range(WARM_UP + options.iterations):
        before = time.perf_counter()
        # Reading the loss waits for backward, but not for the optimiser.
        loss = step()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(1000 * (time.perf_counter() - before))
        warming = "warming up, " if index < WARM_UP else ""
        print(f"{warming}{options.what} {index}: {times[-1]:.1f} ms, loss {loss:.4g}", file=sys.stderr)
    timed = times[WARM_UP:]
    on_gpu = device.type == "cuda"
    print(
        json.dumps(
            {
                "peer": "pytorch",
                "version": torch.__version__,
                "device": torch.cuda.get_device_name() if on_gpu else f"cpu, {torch.get_num_threads()} threads",
                "what": options.what,
                "shape": options.shape,
                "net": options.net,
                "ipc": options.ipc,
                "width": options.width,
                "batch_real": options.batch_real,
                "memory_format": options.memory_format,
                "iterations": len(timed),
                "median_ms": statistics.median(timed),
                "min_ms": min(timed),
                "max_ms": max(timed),
                "first_ms": times[0],
                "peak_bytes": torch.cuda.max_memory_allocated() if on_gpu else None,
            }
        )
    )


if __name__ == "__main__":
    main()
