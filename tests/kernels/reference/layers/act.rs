use dm_wgpu::Activation;

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

pub fn act_forward(kind: Activation, x: &[f64]) -> Vec<f64> {
    let f = |&x: &f64| match kind {
        Activation::Relu => x.max(0.0),
        Activation::LeakyRelu => x.max(0.01 * x),
        Activation::Sigmoid => sigmoid(x),
        Activation::Swish => x * sigmoid(x),
    };
    x.iter().map(f).collect()
}

/// From the input and the gradient at the output.
pub fn act_backward(kind: Activation, x: &[f64], dy: &[f64]) -> Vec<f64> {
    let slope = |x: f64| match kind {
        Activation::Relu => f64::from(x > 0.0),
        Activation::LeakyRelu => {
            if x > 0.0 {
                1.0
            } else {
                0.01
            }
        }
        Activation::Sigmoid => sigmoid(x) * (1.0 - sigmoid(x)),
        Activation::Swish => sigmoid(x) + x * sigmoid(x) * (1.0 - sigmoid(x)),
    };
    x.iter().zip(dy).map(|(&x, dy)| slope(x) * dy).collect()
}
