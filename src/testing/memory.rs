//! Access for tests to the memory that buffers take.

use crate::{Condensation, Evaluation, Gpu, Result, Selection, gpu::Table};

/// The buffers of a run as its table has them: label and bytes of each.
pub type Declared = Vec<(String, u64)>;

fn declared(table: &Table) -> Declared {
    table.lines().into_iter().map(|line| (line.label, line.bytes)).collect()
}

/// Those of a condensation.
pub fn condensation_memory(run: &Condensation) -> Result<Declared> {
    Ok(declared(&run.table()?))
}

/// Those of a selection.
pub fn selection_memory(run: &Selection) -> Result<Declared> {
    Ok(declared(&run.table()?))
}

/// Those of an evaluation.
pub fn evaluation_memory(run: &Evaluation) -> Declared {
    declared(&run.table())
}

/// Bytes that were made on a device since the last call: of buffers that tables have too, and of all.
pub fn take_made(gpu: &Gpu) -> (u64, u64) {
    let made = gpu.take_made();
    (made.declared, made.bytes)
}
