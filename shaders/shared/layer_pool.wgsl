// What both directions of a pool have in common. Windows that go over the last row or column are dropped.

struct Params {
    // Of all images.
    planes: u32,
    size: u32,
    out_size: u32,
    kernel: u32,
    stride: u32,
    padding: u32,
    pad0: u32,
    pad1: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;

override MAX: bool;
