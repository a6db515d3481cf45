// What a convolution with the whole block behind it (instance norm → ReLU → average pool) has besides. A template.

{% if fused %}
// The norm's weight and bias, (nets, outputs).
@group(0) @binding(4) var<storage, read> affine: array<vec2f>;

// Whether a plane fills its tile.
override FILLED: bool;

// Nothing beside the plane may count.
fn keep(v: vec4f, inside: vec4<bool>) -> vec4f {
    if FILLED {
        return v;
    }
    return select(vec4f(), v, inside);
}
{% endif %}
