// What a convolution that is fused with the rest of its block (instance norm → ReLU → average pool) has besides. The
// formulas are in conv_tiles.wgsl and conv_matrices.wgsl. A template.

{% if fused %}
// The norm's weight and bias, (nets, outputs).
@group(0) @binding(4) var<storage, read> affine: array<vec2f>;

// Whether a plane fills its tile.
override FILLED: bool;

// Values beside the plane must not count.
fn keep(v: vec4f, inside: vec4<bool>) -> vec4f {
    if FILLED {
        return v;
    }
    return select(vec4f(), v, inside);
}
{% endif %}
