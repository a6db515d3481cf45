// Textures as arrays of vec4f, row after row; twin of gpu/texels.rs.

fn texel(at: u32) -> vec2u {
    return vec2u(at & 8191u, at >> 13u);
}
