// A batch to augment: which image of the source goes under which row.

struct Params {
    source: Planes,
    result: Planes,
    mean: vec4f,
    deviation: vec4f,
    // Items of this dispatch: first_item … first_item + images.
    first_item: u32,
    images: u32,
    // 1: item i reads source image items[i].image. 0: it reads image i − first_item.
    gather: u32,
    pad: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var<storage, read> items: array<Item>;
@group(0) @binding(2) var<storage, read> rows: array<Row>;
fn source_image(i: u32) -> u32 {
    return select(i, items[params.first_item + i].image, params.gather == 1u);
}

fn row_of(i: u32) -> Row {
    return rows[items[params.first_item + i].row];
}

// Where CPU adapters have a plane of image i in a texture.
fn first_texel(i: u32, channel: u32) -> u32 {
    let size = params.source.size;
    return (i * params.source.channels + channel) * (size * size / 4u);
}
