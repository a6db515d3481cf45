// Images as `augment_cpu/read` leaves them.

@group(0) @binding(3) var values: texture_storage_2d<rgba32float, read>;

// Of a plane that begins at texel `first`, with sides of `size` pixels.
struct TexelPlane {
    first: u32,
    size: i32,
}

fn texel_plane(image: u32, channel: u32) -> TexelPlane {
    return TexelPlane(first_texel(image, channel), i32(params.source.size));
}

// The four pixels of row y in this column of texels; zeros outside the plane, as padding after normalisation gives.
fn column_or_zero(plane: TexelPlane, y: i32, column: i32) -> vec4f {
    let columns = plane.size >> 2u;
    let inside = y >= 0 && y < plane.size && column >= 0 && column < columns;
    let at = plane.first + u32(select(0, y * columns + column, inside));
    return select(vec4f(), textureLoad(values, texel(at)), inside);
}

// The four pixels of row y from column x of pixels on.
fn four_or_zero(plane: TexelPlane, y: i32, x: i32) -> vec4f {
    let a = column_or_zero(plane, y, x >> 2u);
    let b = column_or_zero(plane, y, (x >> 2u) + 1);
    let two = (x & 2) != 0;
    let four = select(a, vec4f(a.zw, b.xy), two);
    let fifth = select(b.x, b.z, two);
    return select(four, vec4f(four.yzw, fifth), (x & 1) != 0);
}

fn value_or_zero(plane: TexelPlane, y: i32, x: i32) -> f32 {
    let four = column_or_zero(plane, y, x >> 2u);
    let two = select(four.xy, four.zw, (x & 2) != 0);
    return select(two.x, two.y, (x & 1) != 0);
}

// The first of the four columns that flip takes those from column x on from.
fn four_before_flip(row: Row, x: i32, size: i32) -> i32 {
    return select(x, size - 4 - x, does(row, FLIP));
}

fn flipped(row: Row, v: vec4f) -> vec4f {
    return select(v, v.wzyx, does(row, FLIP));
}

// Those of four pixels from column x on that lie in the image; the others are zero.
fn inside(v: vec4f, y: i32, x: i32, size: i32) -> vec4f {
    let columns = vec4i(x) + vec4i(0, 1, 2, 3);
    let rows = y >= 0 && y < size;
    return select(vec4f(), v, columns >= vec4i() & columns < vec4i(size) & vec4<bool>(rows));
}

// Those of four pixels from column x on that cutout leaves; the others are zero.
fn uncut(v: vec4f, row: Row, y: i32, x: i32, size: i32) -> vec4f {
    let side = (size + 1) / 2;
    let first = row.cutout - side / 2;
    let columns = vec4i(x) + vec4i(0, 1, 2, 3);
    let rows = does(row, CUTOUT) && y >= first.x && y < first.x + side;
    let cut = columns >= vec4i(first.y) & columns < vec4i(first.y + side);
    return select(v, vec4f(), cut & vec4<bool>(rows));
}
