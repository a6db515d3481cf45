//! The losses of a run, and the accuracies on the way, as a table.

use std::{fmt::Write, path::Path};

use crate::{Accuracy, Error, Result, files};

const HEADER: &str = "iteration,loss,seconds,accuracy_mean,accuracy_std";

/// One row of `metrics.csv`.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurement {
    /// Counted from 1; 0 is before the first.
    pub iteration: u32,
    /// The loss before the iteration's step.
    pub loss: Option<f32>,
    /// Seconds of condensing until the loss was known.
    pub seconds: f64,
    /// The accuracy of the images after it, if it was measured.
    pub accuracy: Option<Accuracy>,
}

/// Writes a CSV with the columns `iteration,loss,seconds,accuracy_mean,accuracy_std`, the last two
/// in per cent. What was not measured is left empty. Losses keep every digit of an `f32`.
///
/// # Errors
/// [`Error::Io`] when writing fails.
pub fn write_metrics(rows: &[Measurement], path: &Path) -> Result<()> {
    let mut table = format!("{HEADER}\n");
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

/// Reads what [`write_metrics`] wrote. Accuracies have their mean and deviation only, because the
/// table does not hold each network's own.
///
/// # Errors
/// [`Error::Io`] when it can't be read, [`Error::Format`] when it is not such a table.
pub fn read_metrics(path: &Path) -> Result<Vec<Measurement>> {
    let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
    let mut lines = text.lines();
    if lines.next() != Some(HEADER) {
        return Err(Error::format(path, format!("{HEADER} was expected in its first line")));
    }
    let row = |(number, line): (usize, &str)| {
        row(line).ok_or_else(|| {
            Error::format(path, format!("line {} is no row of it: {line}", number + 2))
        })
    };
    lines.enumerate().map(row).collect()
}

fn row(line: &str) -> Option<Measurement> {
    let [iteration, loss, seconds, mean, std] = *line.split(',').collect::<Vec<_>>() else {
        return None;
    };
    let accuracy = match (mean, std) {
        ("", "") => None,
        _ => Some(Accuracy { mean: mean.parse().ok()?, std: std.parse().ok()?, runs: Vec::new() }),
    };
    Some(Measurement {
        iteration: iteration.parse().ok()?,
        loss: if loss.is_empty() { None } else { Some(loss.parse().ok()?) },
        seconds: seconds.parse().ok()?,
        accuracy,
    })
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

        let mut read = read_metrics(&path).unwrap();
        assert_eq!(read[2].accuracy.as_ref().map(|a| (a.mean, a.std)), Some((85.0, 5.0)));
        for (read, row) in read.iter_mut().zip(&rows) {
            if let (Some(read), Some(row)) = (&mut read.accuracy, &row.accuracy) {
                read.runs.clone_from(&row.runs);
            }
        }
        assert_eq!(read, rows);
        for broken in ["", "a,b\n", &table.replace("61.000", "?"), &table[..table.len() - 9]] {
            std::fs::write(&path, broken).unwrap();
            assert!(read_metrics(&path).unwrap_err().to_string().contains("metrics.csv"));
        }
    }
}
