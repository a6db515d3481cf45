// Philox4x32-10: a counter-based generator (Salmon et al., "Parallel random numbers: as easy as
// 1, 2, 3", SC 2011). The same counter and key give the same words in any order, on any machine.

// High and low word of a 32×32-bit product; WGSL has no wide multiply.
fn multiply_wide(a: u32, b: u32) -> vec2u {
    let al = a & 0xffffu;
    let ah = a >> 16u;
    let bl = b & 0xffffu;
    let bh = b >> 16u;
    let lh = al * bh;
    let hl = ah * bl;
    let middle = ((al * bl) >> 16u) + (lh & 0xffffu) + (hl & 0xffffu);
    return vec2u(ah * bh + (lh >> 16u) + (hl >> 16u) + (middle >> 16u), a * b);
}

fn philox4x32(key_in: vec2u, counter_in: vec4u) -> vec4u {
    var key = key_in;
    var counter = counter_in;
    for (var round = 0u; round < 10u; round++) {
        let p0 = multiply_wide(0xD2511F53u, counter.x);
        let p1 = multiply_wide(0xCD9E8D57u, counter.z);
        counter = vec4u(p1.x ^ counter.y ^ key.x, p1.y, p0.x ^ counter.w ^ key.y, p0.y);
        key += vec2u(0x9E3779B9u, 0xBB67AE85u);
    }
    return counter;
}
