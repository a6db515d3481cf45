// Each invocation has an image, plane or segment to itself: for CPUs, where the barriers of a workgroup cost more than
// the work between them. Twin of team.wgsl, reduce.wgsl and together.wgsl.

const TEAM = 1u;

fn task(group: vec3u, index: u32) -> u32 {
    return flat_group(group) * 64u + index;
}

fn task_lane(index: u32) -> u32 {
    return 0u;
}

fn workgroup_sum(lane: u32, value: vec2f) -> vec2f {
    return value;
}
