// What the softmax of an image's `logits` is made of: the largest of them, and the sum of all exponentials after that is taken
// out, so that none overflows.

struct Softmax {
    largest: f32,
    sum: f32,
}

fn softmax_of(start: u32, classes: u32) -> Softmax {
    var largest = logits[start];
    for (var k = 1u; k < classes; k++) {
        largest = max(largest, logits[start + k]);
    }
    var sum = 0.0;
    for (var k = 0u; k < classes; k++) {
        sum += exp(logits[start + k] - largest);
    }
    return Softmax(largest, sum);
}
