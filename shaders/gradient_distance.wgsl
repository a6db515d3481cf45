// How far the two gradients of each network are apart, from the products of their rows: BY_ROWS the sum over rows of
// 1 − cosine; else from the sums over all rows, which it leaves as well: 1 − cosine of the whole, or with SQUARES ‖a − b‖². A
// share of it is added to the loss of the class that the network's label names. One workgroup a network; no two have the
// same label.

struct DistanceParams {
    rows: u32,
    share: f32,
    nets: u32,
    pad: u32,
}

@group(0) @binding(0) var<storage, read> params: DistanceParams;
@group(0) @binding(1) var<storage, read> products: array<Products>;
@group(0) @binding(2) var<storage, read_write> total: array<Products>;
@group(0) @binding(3) var<storage, read> labels: array<u32>;
@group(0) @binding(4) var<storage, read_write> losses: array<f32>;

override BY_ROWS: bool;
override SQUARES: bool;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let net = flat_group(group);
    if net >= params.nets {
        return;
    }
    var ab_squares = vec2f();
    var aa_bb = vec2f();
    var terms = vec2f();
    for (var row = lane; row < params.rows; row += TEAM) {
        let own = products[net * params.rows + row];
        ab_squares += vec2f(own.ab, own.squares);
        aa_bb += vec2f(own.aa, own.bb);
        terms.x += one_minus_cosine(own);
    }
    let first = workgroup_sum(lane, ab_squares);
    let second = workgroup_sum(lane, aa_bb);
    let by_rows = workgroup_sum(lane, terms).x;
    if lane == 0u {
        let all = Products(first.x, second.x, second.y, first.y);
        total[net] = all;
        let whole = select(one_minus_cosine(all), all.squares, SQUARES);
        losses[labels[net]] += params.share * select(whole, by_rows, BY_ROWS);
    }
}
