//! The losses of a run as a table.

use std::{fmt::Write, path::Path};

use crate::{Result, files};

/// One row of `metrics.csv`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measurement {
    /// Zero-based iteration.
    pub iteration: u32,
    /// Its loss, before its step changed the images.
    pub loss: f32,
    /// Seconds from the run's first step until the loss was known.
    pub seconds: f64,
}

/// Writes a CSV with the columns `iteration,loss,seconds`. Losses keep every digit of an `f32`.
///
/// # Errors
/// [`Error::Io`](crate::Error::Io) when writing fails.
pub fn write_metrics(rows: &[Measurement], path: &Path) -> Result<()> {
    let mut table = String::from("iteration,loss,seconds\n");
    for Measurement { iteration, loss, seconds } in rows {
        // Writing to a String can't fail.
        let _ = writeln!(table, "{iteration},{loss},{seconds:.3}");
    }
    files::write_whole(path, table.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_a_measurement() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.csv");
        let row = |iteration, loss, seconds| Measurement { iteration, loss, seconds };
        write_metrics(&[row(0, 0.1, 0.5), row(1, 1e-7, 61.0)], &path).unwrap();
        let table = std::fs::read_to_string(&path).unwrap();
        assert_eq!(table, "iteration,loss,seconds\n0,0.1,0.500\n1,0.0000001,61.000\n");
    }
}
