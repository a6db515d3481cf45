// One row per image, from rows that images share: image i takes row (first_image + i) / sharing. One invocation per
// value.

struct Params {
    features: u32,
    images: u32,
    first_image: u32,
    sharing: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var<storage, read> rows: array<f32>;
// (images, features).
@group(0) @binding(2) var<storage, read_write> result: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let at = flat_group(group) * 64u + lane;
    let place = parts(at, params.features);
    if place.x < params.images {
        let row = quotient(params.first_image + place.x, params.sharing);
        result[at] = rows[row * params.features + place.y];
    }
}
