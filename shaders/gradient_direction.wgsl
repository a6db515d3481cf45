// The gradient of the distance between two gradients at the synthetic one, of one parameter of each
// network: BY_ROWS from the products of each value's row, else from those of the whole; with SQUARES 2 · (b − a). One
// invocation a value.

@group(0) @binding(0) var<storage, read> params: Params;
@group(0) @binding(1) var<storage, read> real: array<f32>;
@group(0) @binding(2) var<storage, read> synthetic: array<f32>;
// Of all parameters' rows, or of the whole, network by network.
@group(0) @binding(3) var<storage, read> products: array<Products>;
@group(0) @binding(4) var<storage, read_write> direction: array<f32>;

override BY_ROWS: bool;
override SQUARES: bool;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let at = flat_group(group) * 64u + lane;
    if at >= params.nets * params.len {
        return;
    }
    let a = real[at];
    let b = synthetic[at];
    if SQUARES {
        direction[at] = 2.0 * (b - a);
        return;
    }
    let own = parts(at, params.len);
    var row = own.x;
    if BY_ROWS {
        let block = parts(own.y, params.row_len * params.stride);
        row = own.x * params.all_rows + params.first_row + block.x * params.stride + parts(block.y, params.stride).y;
    }
    let slopes = cosine_slopes(products[row]);
    direction[at] = slopes.x * b + slopes.y * a;
}
