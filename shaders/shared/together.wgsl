// A workgroup has an image, plane or segment to itself, which its invocations share out. Twin of alone.wgsl.

// Which one an invocation works at, and its number among those that do.
fn task(group: vec3u, index: u32) -> u32 {
    return flat_group(group);
}

fn task_lane(index: u32) -> u32 {
    return index;
}
