//! Tables for the terminal.

/// Cells below each other, the first column to the left and all others to the right.
pub fn columns(rows: &[Vec<String>]) -> String {
    let length = |cell: &String| cell.chars().count();
    let widest = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(length).max();
    let line = |row: &Vec<String>| {
        let cells = row.iter().enumerate().map(|(column, cell)| {
            let width = widest(column).unwrap_or(0);
            if column == 0 { format!("{cell:<width$}") } else { format!("  {cell:>width$}") }
        });
        cells.collect::<String>().trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::columns;

    #[test]
    fn cells_stand_below_each_other() {
        let row = |cells: &[&str]| cells.iter().map(|cell| (*cell).to_owned()).collect();
        let text =
            columns(&[row(&["run", "accuracy"]), row(&["longer", "9 ± 1 %"]), row(&["b", ""])]);
        assert_eq!(text, "run     accuracy\nlonger   9 ± 1 %\nb");
    }
}
