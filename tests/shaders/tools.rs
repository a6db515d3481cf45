//! naga's translations, checked by tools that are not naga's: SPIR-V by Khronos' validator, HLSL by Microsoft's
//! compiler. Where a tool is not there, its test says so and passes. Metal's compiler runs on Apple's systems only.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use dm_wgpu::testing::{Shader, shaders};

use super::{has_matrices, has_subgroups, to_hlsl, to_spirv};

/// The program that `variable` names, else one of these that starts; else says how to get it.
fn tool(variable: &str, names: &[PathBuf], advice: &str) -> Option<PathBuf> {
    let starts = |path: &PathBuf| Command::new(path).arg("--version").output().is_ok();
    if let Some(named) = std::env::var_os(variable).filter(|name| !name.is_empty()) {
        let named = PathBuf::from(named);
        assert!(starts(&named), "{variable}={}: no such program", named.display());
        return Some(named);
    }
    let found = names.iter().find(|path| starts(path)).cloned();
    if found.is_none() {
        println!("SKIPPED: {advice}, or name it by {variable}");
    }
    found
}

/// What the tool has against any of the shaders, each with its shader's name. `arguments` makes a file in the
/// folder, and says how the tool is called on it.
fn complaints(
    tool: &Path,
    shaders: &[Shader],
    arguments: impl Fn(&Shader, &Path) -> Vec<String> + Sync,
) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let (folder, arguments) = (folder.path(), &arguments);
    let check = |(number, shader): (usize, &Shader)| {
        let place = folder.join(number.to_string());
        fs::create_dir(&place).unwrap();
        let output = Command::new(tool).args(arguments(shader, &place)).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (!output.status.success()).then(|| format!("{}: {said}", shader.name))
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let work = |worker| {
            let own = shaders.iter().enumerate().skip(worker).step_by(workers);
            scope.spawn(move || own.filter_map(check).collect::<Vec<_>>())
        };
        let threads: Vec<_> = (0..workers).map(work).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

#[track_caller]
fn assert_none(complaints: &[String], of: usize) {
    assert!(
        complaints.is_empty(),
        "{} of {of} shaders:\n{}",
        complaints.len(),
        complaints.join("\n")
    );
}

/// A module for the validator, under the rules of the oldest Vulkan that runs it.
fn for_spirv_val(shader: &Shader, words: &[u32], place: &Path) -> Vec<String> {
    let file = place.join("shader.spv");
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    fs::write(&file, bytes).unwrap();
    let vulkan = if has_subgroups(shader) { "vulkan1.1" } else { "vulkan1.0" };
    vec!["--target-env".into(), vulkan.into(), file.to_str().unwrap().into()]
}

fn spirv_val() -> Option<PathBuf> {
    tool("DM_WGPU_SPIRV_VAL", &["spirv-val".into()], "install spirv-tools, which has spirv-val")
}

#[test]
fn khronos_validator_takes_every_spirv() {
    let Some(tool) = spirv_val() else { return };
    let all: Vec<_> = shaders().into_iter().filter(|shader| !has_matrices(shader)).collect();
    let found =
        complaints(&tool, &all, |shader, place| for_spirv_val(shader, &to_spirv(shader), place));
    assert_none(&found, all.len());
}

#[test]
fn khronos_validator_finds_a_cut_module() {
    let Some(tool) = spirv_val() else { return };
    let shader = &shaders()[..1];
    let found = complaints(&tool, shader, |shader, place| {
        let mut words = to_spirv(shader);
        // The last instruction ends the last function.
        words.pop();
        for_spirv_val(shader, &words, place)
    });
    assert_eq!(found.len(), 1, "{found:?}");
}

/// Microsoft's compiler, or scripts/dxc's.
fn dxc() -> Option<PathBuf> {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/dxc/dxc");
    tool("DM_WGPU_DXC", &[ours, "dxc".into()], "scripts/dxc builds a dxc on Linux")
}

/// The options with which wgpu compiles, but without optimising: with it each takes seconds.
fn for_dxc(text: &str, place: &Path) -> Vec<String> {
    let file = place.join("shader.hlsl");
    fs::write(&file, text).unwrap();
    let options = ["-T", "cs_6_0", "-E", "main", "-HV", "2018", "-no-warnings", "-Ges", "-Od"];
    let (out, file) = (place.join("out.dxil"), file.to_str().unwrap().to_owned());
    let out = ["-Fo".into(), out.to_str().unwrap().to_owned(), file];
    options.into_iter().map(String::from).chain(out).collect()
}

#[test]
#[ignore = "takes minutes: make test-hlsl"]
fn microsofts_compiler_takes_every_hlsl() {
    let Some(tool) = dxc() else { return };
    let all: Vec<_> = shaders().into_iter().filter(|shader| !has_matrices(shader)).collect();
    assert_none(
        &complaints(&tool, &all, |shader, place| for_dxc(&to_hlsl(shader), place)),
        all.len(),
    );
}

#[test]
fn microsofts_compiler_finds_a_spelling_mistake() {
    let Some(tool) = dxc() else { return };
    let found = complaints(&tool, &shaders()[..1], |shader, place| {
        for_dxc(&to_hlsl(shader).replacen("[numthreads(", "[numthreds(", 1), place)
    });
    assert_eq!(found.len(), 1, "{found:?}");
}
