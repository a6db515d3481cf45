// One triangle over the whole screen, with the picture of the images in the middle of it.

@group(0) @binding(0) var images: texture_2d<f32>;

@vertex
fn corner(@builtin(vertex_index) index: u32) -> @builtin(position) vec4f {
    return vec4f(f32(index & 1u) * 4.0 - 1.0, f32(index >> 1u) * 4.0 - 1.0, 0.0, 1.0);
}

const BACKGROUND = vec3f(0.01, 0.02, 0.05);
const SIDE = 640u;

@fragment
fn shade(@builtin(position) at: vec4f) -> @location(0) vec4f {
    let size = textureDimensions(images);
    // As large as fits by whole numbers, so that pixels stay what they are.
    let scale = max(SIDE / max(size.x, size.y), 1u);
    let left = (vec2i(i32(SIDE)) - vec2i(size * scale)) / 2;
    let texel = vec2i(floor((at.xy - vec2f(left)) / f32(scale)));
    if any(texel < vec2i(0)) || any(texel >= vec2i(size)) {
        return vec4f(BACKGROUND, 1.0);
    }
    let color = textureLoad(images, texel, 0);
    return vec4f(mix(BACKGROUND, color.rgb, color.a), 1.0);
}
