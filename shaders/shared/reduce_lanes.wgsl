// As team.wgsl and reduce.wgsl, where a workgroup is one subgroup: neither memory nor barriers. A template.

const TEAM = {{ lanes }}u;

// Every invocation must call this, and receives both sums.
fn workgroup_sum(lane: u32, value: vec2f) -> vec2f {
    var sum = value;
    for (var distance = TEAM / 2u; distance > 0u; distance >>= 1u) {
        sum += subgroupShuffleXor(sum, distance);
    }
    return sum;
}
