// The gradient at the convolution of a first block, for those who read it. Its planes are the largest: to store and load
// them would cost more than to compute each value again from the normalised ones.

// Normalised values, before weight and bias.
@group(0) @binding(1) var planes: texture_storage_2d<rgba32float, read>;
@group(0) @binding(2) var d_pooled: texture_storage_2d<rgba32float, read>;
// As norm_backward.wgsl leaves them.
@group(0) @binding(3) var moments: texture_storage_2d<rgba32float, read>;

fn moments_of(image: u32, k: u32) -> Moments {
    let at = 2u * (image * params.outputs + k);
    let a = textureLoad(moments, texel(at));
    return Moments(a.xy, a.zw, textureLoad(moments, texel(at + 1u)).x);
}
