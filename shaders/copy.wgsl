// Copies values: the most that an adapter's memory can move. `bench` compares the other kernels
// with it.

@group(0) @binding(0) var<storage, read> source: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> result: array<vec4f>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = flat_group(group) * 64u + lane;
    if i >= arrayLength(&result) {
        return;
    }
    result[i] = source[i];
}
