// Adam, as torch.optim.Adam (Kingma & Ba, ICLR 2015): m ← β₁ m + (1 − β₁) g; v ← β₂ v + (1 − β₂) g²;
// x ← x − lr / (1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + 1e-8) in step t, counted from 1.

struct Moves {
    // lr / (1 − β₁ᵗ).
    lr: f32,
    // √(1 − β₂ᵗ).
    scale: f32,
    first: f32,
    second: f32,
}

const SMALL = 1e-8;

@group(0) @binding(0) var<storage, read> moves: Moves;
@group(0) @binding(1) var<storage, read_write> values: array<f32>;
@group(0) @binding(2) var<storage, read_write> mean: array<f32>;
@group(0) @binding(3) var<storage, read_write> square: array<f32>;
@group(0) @binding(4) var<storage, read> gradient: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
    let i = flat_group(group) * 64u + lane;
    if i >= arrayLength(&values) {
        return;
    }
    let g = gradient[i];
    let m = moves.first * mean[i] + (1.0 - moves.first) * g;
    let v = moves.second * square[i] + (1.0 - moves.second) * g * g;
    mean[i] = m;
    square[i] = v;
    values[i] -= moves.lr * m / (sqrt(v) / moves.scale + SMALL);
}
