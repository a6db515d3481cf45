// Adds a chunk's rows (embeddings, or other values of each image) to the sums of their classes. One
// invocation per class and feature adds image after image, so where a batch is cut into chunks
// changes no bit of the sum.

struct Params {
    features: u32,
    // The chunk is embeddings chunk_start … chunk_end of the whole batch.
    chunk_start: u32,
    chunk_end: u32,
    // Classes of which the chunk has any.
    first_class: u32,
    classes: u32,
    // 1: adds to what is there even at a class's first image.
    accumulate: u32,
    pad0: u32,
    pad1: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;
// Class k is embeddings starts[k] … starts[k + 1] of the whole batch.
@group(0) @binding(1) var<storage, read> starts: array<u32>;
@group(0) @binding(2) var<storage, read> embeddings: array<f32>;
@group(0) @binding(3) var<storage, read_write> sums: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let flat = flat_group(group) * 64u + lane;
    if flat >= params.classes * params.features {
        return;
    }
    let k = params.first_class + flat / params.features;
    let feature = flat % params.features;
    let first = max(starts[k], params.chunk_start);
    let end = min(starts[k + 1u], params.chunk_end);
    let at = k * params.features + feature;
    // The class's first chunk finds the last iteration's sum.
    let fresh = first == starts[k] && params.accumulate == 0u;
    var sum = select(sums[at], 0.0, fresh);
    var i = first;
    var e = (i - params.chunk_start) * params.features + feature;
    // Eight at a time, so that the loads do not wait for one another. The order of the sum is the same.
    let step = params.features;
    for (; i + 8u <= end; i += 8u) {
        let v = array<f32, 8>(embeddings[e], embeddings[e + step], embeddings[e + 2u * step],
            embeddings[e + 3u * step], embeddings[e + 4u * step], embeddings[e + 5u * step],
            embeddings[e + 6u * step], embeddings[e + 7u * step]);
        sum = sum + v[0] + v[1] + v[2] + v[3] + v[4] + v[5] + v[6] + v[7];
        e += 8u * step;
    }
    for (; i < end; i++) {
        sum += embeddings[e];
        e += step;
    }
    sums[at] = sum;
}
