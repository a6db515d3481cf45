//! The program from outside: what it takes and refuses, prints and leaves behind, and how it comes through being
//! stopped, killed, or run beside itself. Most tests need an adapter; a CPU one will do.
#![cfg(feature = "cli")]

mod arguments;
mod baseline;
mod bench;
mod broken_data;
mod compare;
mod concurrent_runs;
mod datasets;
mod distillation;
mod doctor;
mod evaluate;
mod export;
mod gradient_matching;
mod helpers;
mod json_events;
mod logs;
mod packing;
#[cfg(unix)]
mod peers;
mod per_class;
mod picture_folders;
mod protocols;
mod reports;
#[cfg(unix)]
mod resume;
mod run;
#[cfg(unix)]
mod run_failures;
#[cfg(unix)]
mod several_adapters;
mod shards;
#[cfg(unix)]
mod signals;
mod trajectory;
mod usage;
