// As reduce.wgsl, where a workgroup is one subgroup of TEAM lanes: neither memory nor barriers.

// Every invocation must call it, and gets both sums.
fn workgroup_sum(lane: u32, value: vec2f) -> vec2f {
    var sum = value;
    for (var distance = TEAM / 2u; distance > 0u; distance >>= 1u) {
        sum += subgroupShuffleXor(sum, distance);
    }
    return sum;
}
