// The generator by itself, for its known-answer test: words[i] = Philox(key, counters[i]).

struct Params {
    key: vec2u,
    len: u32,
    pad: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var<storage, read> counters: array<vec4u>;
@group(0) @binding(2) var<storage, read_write> words: array<vec4u>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = flat_group(group) * 64u + lane;
    if i < params.len {
        words[i] = philox4x32(params.key, counters[i]);
    }
}
