"""Opens what `dm-wgpu export` wrote in FOLDER with PyTorch, NumPy and Pillow, and compares every value with
what tests/program/export.rs put beside it. Prints "as expected" at the end."""

import json, os, pathlib, sys

import numpy as np
import torch
from PIL import Image

folder = pathlib.Path(sys.argv[1])
about = json.loads((folder / "expected.json").read_text())
n, channels, size, _ = shape = about["shape"]
mean, std = (np.array(about[name], np.float32) for name in ["mean", "std"])


def expected(run):
    images = np.fromfile(folder / f"expected{run}.f32", "<f4").reshape(shape)
    labels = np.fromfile(folder / f"expected{run}.i64", "<i8")
    assert len(np.unique(images)) > n and len(labels) == n
    return images, labels


def same(found, wanted):
    assert found.dtype == wanted.dtype and found.shape == wanted.shape, (found.dtype, found.shape)
    assert (found == wanted).all()


for weights_only in [True, False]:
    for mmap in [True, False]:
        loaded = torch.load(folder / "runs/synthetic.pt", weights_only=weights_only, mmap=mmap)
        assert list(loaded)[:2] == ["data", "accs_all_exps"], list(loaded)
        assert loaded["accs_all_exps"] == about["accuracies"], loaded["accs_all_exps"]
        assert (loaded["class_names"], loaded["dataset"]) == (about["class_names"], "made up")
        same(np.array(loaded["mean"], np.float32), mean)
        same(np.array(loaded["std"], np.float32), std)
        assert len(loaded["data"]) == 2
        for run, (images, labels) in enumerate(loaded["data"]):
            assert images.is_contiguous() and not images.requires_grad
            for found, wanted in zip([images, labels], expected(run)):
                same(found.numpy(), wanted)
            # What benchmarks do with them.
            images += 1

images, labels = expected(0)
arrays = np.load(folder / "one.npz", allow_pickle=False)
same(arrays["images"], images)
same(arrays["labels"], labels)
same(arrays["mean"], mean)
same(arrays["std"], std)
assert arrays["class_names"].tolist() == about["class_names"] and str(arrays["dataset"]) == "made up"

# As torchvision.datasets.ImageFolder finds its classes and pictures.
root = folder / "pictures"
found = {}
for label, name in enumerate(sorted(entry.name for entry in os.scandir(root) if entry.is_dir())):
    for count, path in enumerate(sorted((root / name).iterdir())):
        found[label, count] = np.asarray(Image.open(path)).reshape(size, size, channels)
assert len(found) == n, len(found)
seen = [0] * len(about["class_names"])
for image, label in zip(images, labels):
    pixels = np.floor((image.transpose(1, 2, 0) * std + mean) * np.float32(255) + np.float32(0.5))
    assert (found[label, seen[label]] == pixels.clip(0, 255)).all()
    seen[label] += 1
names = (root / "classes.txt").read_text(encoding="utf-8").splitlines()
assert names == about["class_names"], names

print("as expected")
