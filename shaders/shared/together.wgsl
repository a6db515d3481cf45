// A workgroup has an image, plane or segment to itself, which its invocations share out. Twin of alone.wgsl.

// Which task an invocation works at, and its number among the invocations of that task.
fn task(group: vec3u, index: u32) -> u32 {
    return flat_group(group);
}

fn task_lane(index: u32) -> u32 {
    return index;
}
