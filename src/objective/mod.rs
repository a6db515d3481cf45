//! What condensing makes alike in real and synthetic images: an objective absorbs what a network makes of both sides,
//! chunk by chunk, compares them, and gives back gradients at what it absorbed of the synthetic side.

mod gradients;
mod matching;
mod mean_embeddings;

pub(crate) use gradients::{MatchedGradients, Side};
pub use matching::Matching;
pub(crate) use mean_embeddings::{MeanEmbeddings, pieces, starts};
