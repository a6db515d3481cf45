// Sums over the invocations of a workgroup, always in the same order.

var<workgroup> partial: array<vec2f, TEAM>;

// Every invocation must call this, and receives both sums.
fn workgroup_sum(lane: u32, value: vec2f) -> vec2f {
    // Another invocation may still be reading the sum before this one.
    workgroupBarrier();
    partial[lane] = value;
    for (var half = TEAM / 2u; half > 0u; half >>= 1u) {
        workgroupBarrier();
        if lane < half {
            partial[lane] += partial[lane + half];
        }
    }
    workgroupBarrier();
    return partial[0];
}
