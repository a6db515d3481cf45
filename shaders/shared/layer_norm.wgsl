// What the kernels of every norm have in common. A segment is what one mean and variance are taken over: equal runs of an
// image's channels (instance, group, layer norm), or one channel of all images of a network (batch norm).

struct Params {
    channels: u32,
    // Of a plane.
    positions: u32,
    // Channels of a segment; unused with BATCH.
    run: u32,
    images: u32,
    // Images of the same network follow each other.
    images_per_net: u32,
    // 1: adds to the gradient that is there.
    accumulate: u32,
    // 1: a ReLU follows, which is part of the norm's kernels.
    relu: u32,
    // 1: each segment is one plane.
    planes: u32,
}

@group(0) @binding(0) var<storage, read> params: Params;

const EPSILON = 1e-5;

override BATCH: bool;
// Each value of an image has a weight and bias of its own; else each channel has.
override PER_VALUE: bool;

// Where a plane is.
struct Plane {
    // Its first value.
    start: u32,
    segment: u32,
    // The weight and bias of its first value.
    affine: u32,
}

fn plane(net: u32, image: u32, channel: u32) -> Plane {
    let number = image * params.channels + channel;
    let of_net = net * params.channels + channel;
    return Plane(
        number * params.positions,
        select(quotient(number, params.run), of_net, BATCH),
        select(of_net, of_net * params.positions, PER_VALUE),
    );
}

// Of all images' planes, by number.
fn plane_of(number: u32) -> Plane {
    let place = parts(number, params.channels);
    return plane(quotient(place.x, params.images_per_net), place.x, place.y);
}

// A segment's planes: `count` of them, `step` apart.
struct Segment {
    exists: bool,
    first: u32,
    count: u32,
    step: u32,
}

fn segment_planes(segment: u32) -> Segment {
    if BATCH {
        let place = parts(segment, params.channels);
        let image = place.x * params.images_per_net;
        let first = image * params.channels + place.y;
        return Segment(image < params.images, first, params.images_per_net, params.channels);
    }
    let first = segment * params.run;
    return Segment(first < params.images * params.channels, first, params.run, 1u);
}

// The means of g and of g · x̂ over a segment that is one plane, from the sums of norm_backward_sums.
fn means_of_plane(sums: vec2f, weight: f32) -> vec2f {
    return sums.yx * (select(weight, 1.0, PER_VALUE) / f32(params.positions));
}

// Which weight and bias value `at` of a plane gets.
fn affine_at(own: Plane, at: u32) -> u32 {
    return own.affine + select(0u, at, PER_VALUE);
}

// What the norm's values become.
fn rectified(v: f32) -> f32 {
    return select(v, max(v, 0.0), params.relu == 1u);
}

fn all_rectified(v: vec4f) -> vec4f {
    return select(v, max(v, vec4f()), params.relu == 1u);
}

// The gradient at such a value, from the one at what it becomes.
fn rectified_back(v: f32, d: f32) -> f32 {
    return select(d, 0.0, params.relu == 1u && !(v > 0.0));
}

fn all_rectified_back(v: vec4f, d: vec4f) -> vec4f {
    return select(d, vec4f(), vec4<bool>(params.relu == 1u) & !(v > vec4f()));
}
