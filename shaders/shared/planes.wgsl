// Where a batch of square planes lies in a buffer; twin of kernels/planes.rs.

struct Planes {
    channels: u32,
    size: u32,
    // From one row to the next.
    pitch: u32,
    // From one plane's start to its element (0, 0): what a zero halo or a border takes.
    origin: u32,
    // From one plane to the next.
    stride: u32,
    pad0: u32,
    pad1: u32,
    pad2: u32,
}

fn plane_start(p: Planes, image: u32, channel: u32) -> u32 {
    return (image * p.channels + channel) * p.stride + p.origin;
}
