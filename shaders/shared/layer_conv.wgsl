// What the three directions of any convolution have in common. Planes are square and dense, NCHW; zeros surround them.

struct Params {
    inputs: u32,
    outputs: u32,
    // Height and width of what is read and of what is made.
    size: u32,
    out_size: u32,
    kernel: u32,
    stride: u32,
    padding: u32,
    images: u32,
    // Images of the same network follow each other.
    images_per_net: u32,
    // 1: adds to the gradient that is there.
    accumulate: u32,
    pad0: u32,
    pad1: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;

// Four channels from `first` on, of which those beyond the last are the last.
fn four(first: u32, channels: u32) -> vec4u {
    return min(vec4u(first, first + 1u, first + 2u, first + 3u), vec4u(channels - 1u));
}

// Where an invocation is: at one position of up to four channels, so that one value that is read serves four sums. A
// workgroup has 64 positions, over all images of one network: a weight is the same for all of it, however small the
// planes are.
struct Tile {
    net: u32,
    // The first channel.
    channel: u32,
    // The image in the batch; at least `images` where there is none.
    image: u32,
    position: u32,
}

fn tile(flat: u32, lane: u32, channels: u32, positions: u32) -> Tile {
    let values = params.images_per_net * positions;
    let row = parts(flat, (values + 63u) / 64u);
    let net = parts(row.x, (channels + 3u) / 4u);
    let at = row.y * 64u + lane;
    let place = parts(at, positions);
    let image = select(params.images, net.x * params.images_per_net + place.x, at < values);
    return Tile(net.x, net.y * 4u, image, place.y);
}
