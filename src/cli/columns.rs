//! Tables for the terminal.

use std::io::{self, IsTerminal};

/// Cells below each other, the first column to the left and all others to the right. On a terminal that is too narrow for
/// all columns, those that have no room are in further tables below, each with the first column again.
pub fn columns(rows: &[Vec<String>]) -> String {
    let width = terminal_size::terminal_size().filter(|_| io::stdout().is_terminal());
    within(rows, width.map_or(usize::MAX, |(width, _)| width.0.into()))
}

fn within(rows: &[Vec<String>], width: usize) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let length = |cell: &String| cell.chars().count();
    let widths: Vec<_> = (0..count)
        .map(|column| rows.iter().filter_map(|row| row.get(column)).map(length).max().unwrap_or(0))
        .collect();
    let mut tables: Vec<Vec<usize>> = vec![vec![0]];
    let mut used = 0;
    for column in 1..count {
        let more = 2 + widths[column];
        match tables.last_mut() {
            Some(table) if table.len() == 1 || widths[0] + used + more <= width => {
                table.push(column);
                used += more;
            }
            _ => {
                tables.push(vec![0, column]);
                used = more;
            }
        }
    }
    let line = |row: &Vec<String>, table: &[usize]| {
        let cells = table.iter().filter_map(|&column| Some((column, row.get(column)?)));
        let cells = cells.map(|(column, cell)| match (column, widths[column]) {
            (0, width) => format!("{cell:<width$}"),
            (_, width) => format!("  {cell:>width$}"),
        });
        cells.collect::<String>().trim_end().to_owned()
    };
    let text =
        |table: Vec<usize>| rows.iter().map(|row| line(row, &table)).collect::<Vec<_>>().join("\n");
    tables.into_iter().map(text).collect::<Vec<_>>().join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::within;

    fn table() -> Vec<Vec<String>> {
        let row = |cells: &[&str]| cells.iter().map(|cell| (*cell).to_owned()).collect();
        vec![
            row(&["run", "accuracy", "images"]),
            row(&["longer", "9 ± 1 %", "10"]),
            row(&["b", ""]),
        ]
    }

    #[test]
    fn cells_stand_below_each_other() {
        let text = "run     accuracy  images\nlonger   9 ± 1 %      10\nb";
        assert_eq!(within(&table(), usize::MAX), text);
        assert_eq!(within(&table(), 24), text);
    }

    #[test]
    fn columns_without_room_go_below() {
        let text = "run     accuracy\nlonger   9 ± 1 %\nb\n\nrun     images\nlonger      10\nb";
        for width in [23, 16, 0] {
            assert_eq!(within(&table(), width), text);
        }
        assert_eq!(within(&[], 80), "");
    }
}
