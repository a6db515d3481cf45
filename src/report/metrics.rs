//! The losses of a run, and what its images were worth, as a table.

use std::{fmt::Write, path::Path};

use crate::{Accuracy, Result, files};

/// One row of `metrics.csv`.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurement {
    /// Counted from 1; 0 is before the first.
    pub iteration: u32,
    /// Its loss, which its step then lowers.
    pub loss: Option<f32>,
    /// Seconds of condensing until the loss was known.
    pub seconds: f64,
    /// What the images were worth after it, where that was measured.
    pub accuracy: Option<Accuracy>,
}

/// Writes a CSV with the columns `iteration,loss,seconds,accuracy_mean,accuracy_std`, the last two
/// in per cent. What was not measured is left empty. Losses keep every digit of an `f32`.
///
/// # Errors
/// [`Error::Io`](crate::Error::Io) when writing fails.
pub fn write_metrics(rows: &[Measurement], path: &Path) -> Result<()> {
    let mut table = String::from("iteration,loss,seconds,accuracy_mean,accuracy_std\n");
    for Measurement { iteration, loss, seconds, accuracy } in rows {
        let loss = loss.map(|loss| loss.to_string()).unwrap_or_default();
        // Writing to a String can't fail.
        let _ = write!(table, "{iteration},{loss},{seconds:.3}");
        let _ = match accuracy {
            Some(Accuracy { mean, std, .. }) => writeln!(table, ",{mean:.4},{std:.4}"),
            None => writeln!(table, ",,"),
        };
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
        let row = |iteration, loss, seconds, accuracy: &[f64]| Measurement {
            iteration,
            loss,
            seconds,
            accuracy: (!accuracy.is_empty()).then(|| Accuracy::of(accuracy.to_vec())),
        };
        let rows = [
            row(0, None, 0.0, &[97.125]),
            row(1, Some(0.1), 0.5, &[]),
            row(2, Some(1e-7), 61.0, &[80.0, 90.0]),
        ];
        write_metrics(&rows, &path).unwrap();
        let table = std::fs::read_to_string(&path).unwrap();
        assert_eq!(
            table,
            "iteration,loss,seconds,accuracy_mean,accuracy_std\n\
             0,,0.000,97.1250,0.0000\n1,0.1,0.500,,\n2,0.0000001,61.000,85.0000,5.0000\n"
        );
    }
}
