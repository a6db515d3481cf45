// CutMix (Yun et al., ICCV 2019): of each image, a box from another one. One workgroup per image. The result's planes lie
// around the image's, and there may be more of them; what is left is zero.

struct Params {
    source: Planes,
    result: Planes,
    // Of the boxes: where those of these images begin.
    first: u32,
    images: u32,
    pad0: u32,
    pad1: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;
// First row, row after the last, first column, column after the last.
@group(0) @binding(1) var<storage, read> boxes: array<vec4u>;
@group(0) @binding(2) var<storage, read> own: array<f32>;
@group(0) @binding(3) var<storage, read> other: array<f32>;
@group(0) @binding(4) var<storage, read_write> result: array<f32>;

@compute @workgroup_size(TEAM)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = flat_group(group);
    if i >= params.images {
        return;
    }
    let box = boxes[params.first + i];
    let size = params.source.size;
    let channels = params.source.channels;
    let side = params.result.size;
    let border = (side - size) / 2u;
    for (var c = 0u; c < params.result.channels; c++) {
        let begin = plane_start(params.source, i, min(c, channels - 1u));
        let to = plane_start(params.result, i, c);
        for (var w = walk(lane, side); w.y < side; w = step(w)) {
            // Beside the image, numbers wrap around.
            let y = w.y - border;
            let x = w.x - border;
            let shown = y < size && x < size && c < channels;
            let at = begin + select(0u, y * params.source.pitch + x, shown);
            let mixed = y >= box.x && y < box.y && x >= box.z && x < box.w;
            let v = select(own[at], other[at], mixed);
            result[to + w.y * params.result.pitch + w.x] = select(0.0, v, shown);
        }
    }
}
