// Where the tiles of packed pictures are, and how they are enlarged (tests/golden/README.md, Packing).

struct Params {
    // What the padding of each channel is, where tiles reach beyond a picture: 0.5 as networks see it.
    padding: vec4f,
    channels: u32,
    // Height and width of a picture, and of every image in it.
    size: u32,
    // Tiles of a side.
    factor: u32,
    // Height and width of a tile.
    tile: u32,
    // Images of this dispatch: first … first + images of those that are shown.
    first: u32,
    images: u32,
    pad0: u32,
    pad1: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;
// Which image each place shows: its picture times all tiles of a picture, and its tile.
@group(0) @binding(1) var<storage, read> shown: array<u32>;

// The picture of an image, and the first row and column of its tile.
struct Tile {
    picture: u32,
    y: u32,
    x: u32,
}

fn tile_of(image: u32) -> Tile {
    let tiles = params.factor * params.factor;
    let tile = image % tiles;
    return Tile(
        image / tiles,
        tile / params.factor * params.tile,
        tile % params.factor * params.tile,
    );
}

// What an image's row (or column) reads of its tile: two rows, and the weight of the second.
struct Tap {
    low: u32,
    high: u32,
    weight: f32,
}

fn tap_of(row: u32) -> Tap {
    let at = max((f32(row) + 0.5) * f32(params.tile) / f32(params.size) - 0.5, 0.0);
    let low = u32(at);
    return Tap(low, min(low + 1u, params.tile - 1u), at - f32(low));
}
