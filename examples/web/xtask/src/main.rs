//! Writes what a browser loads from what the compiler left: `xtask PAGE.wasm FOLDER`.

use std::{env, error::Error};

use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args_os().skip(1);
    let (Some(compiled), Some(folder), None) =
        (arguments.next(), arguments.next(), arguments.next())
    else {
        return Err(
            "two arguments are needed: the compiled page.wasm, and the folder to write to".into()
        );
    };
    let mut bindgen = Bindgen::new();
    bindgen.input_path(compiled).out_name("dm_wgpu").typescript(false);
    bindgen.web(true)?.generate(folder)?;
    Ok(())
}
