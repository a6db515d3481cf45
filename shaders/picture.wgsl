// All synthetic images as one picture, denormalised: each in its cell of an 8-bit texture. Cells are one pixel apart,
// and the pixels between them are transparent.

struct Params {
    mean: vec4f,
    deviation: vec4f,
    // Height and width of an image.
    size: u32,
    channels: u32,
    images: u32,
    // Images in a row of the picture, and rows before it goes on to the right.
    columns: u32,
    rows: u32,
    pad_0: u32,
    pad_1: u32,
    pad_2: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var<storage, read> images: array<f32>;
@group(0) @binding(2) var picture: texture_storage_2d<rgba8unorm, write>;

fn shade(image: u32, channel: u32, pixel: u32) -> f32 {
    // One channel is grey.
    let c = min(channel, params.channels - 1u);
    let value = images[(image * params.channels + c) * params.size * params.size + pixel];
    return value * params.deviation[c] + params.mean[c];
}

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) at: vec3u) {
    if any(at.xy >= textureDimensions(picture)) {
        return;
    }
    let pitch = params.size + 1u;
    let cell = at.xy / pitch;
    let within = at.xy % pitch;
    // A block of rows above another's continuation to the right.
    let block = cell.x / params.columns;
    let image = (block * params.rows + cell.y) * params.columns + cell.x % params.columns;
    var color = vec4f(0.0);
    if all(within < vec2u(params.size)) && image < params.images {
        let pixel = within.y * params.size + within.x;
        color = vec4f(shade(image, 0u, pixel), shade(image, 1u, pixel), shade(image, 2u, pixel), 1.0);
    }
    textureStore(picture, at.xy, clamp(color, vec4f(0.0), vec4f(1.0)));
}
