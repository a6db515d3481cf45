// Products of two gradients of one parameter of each network, row by row. One workgroup a row.

@group(0) @binding(0) var<storage, read> params: Params;
// Of real images, and of synthetic ones.
@group(0) @binding(1) var<storage, read> real: array<f32>;
@group(0) @binding(2) var<storage, read> synthetic: array<f32>;
// Of all parameters' rows, network by network.
@group(0) @binding(3) var<storage, read_write> products: array<Products>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let own = parts(flat_group(group), params.rows);
    let net = own.x;
    let row = own.y;
    if net >= params.nets {
        return;
    }
    let block = parts(row, params.stride);
    let start = block.x * params.row_len * params.stride + block.y;
    var ab_squares = vec2f();
    var aa_bb = vec2f();
    for (var i = lane; i < params.row_len; i += TEAM) {
        let at = start + i * params.stride;
        if at < params.len {
            let a = real[net * params.len + at];
            let b = synthetic[net * params.len + at];
            ab_squares += vec2f(a * b, (a - b) * (a - b));
            aa_bb += vec2f(a * a, b * b);
        }
    }
    let first = workgroup_sum(lane, ab_squares);
    let second = workgroup_sum(lane, aa_bb);
    if lane == 0u {
        products[net * params.all_rows + params.first_row + row] = Products(first.x, second.x, second.y, first.y);
    }
}
