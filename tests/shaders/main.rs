//! Every shader as text: it is valid, it can be translated for every backend, and it binds what the
//! Rust side binds. Needs no GPU.

mod tools;

use std::{collections::HashSet, fs, path::Path};

use dm_wgpu::testing::{
    BINDINGS, Field, INVOCATIONS, STORAGE_BUFFERS, Shader, Slot, WORKGROUP_BYTES, shaders,
};
use naga::{
    AddressSpace, Handle, ImageClass, Module, ShaderStage, StorageAccess, StorageFormat, Type,
    TypeInner,
    back::{self, glsl, hlsl, msl, pipeline_constants::process_overrides, spv},
    front::wgsl,
    proc::{BoundsCheckPolicies, Layouter},
    valid::{Capabilities, ModuleInfo, ValidationFlags, Validator},
};

/// Whether it is one of the kernels for subgroups, which only adapters that have them compile.
fn has_subgroups(shader: &Shader) -> bool {
    shader.name.contains("_lanes ")
}

/// Whether it is one of the kernels of f16, which only adapters with cooperative matrices compile.
fn has_matrices(shader: &Shader) -> bool {
    shader.name.contains("_matrices ")
}

/// How many textures it binds.
fn textures(shader: &Shader) -> usize {
    let textures = [Slot::Picture, Slot::Texels];
    shader.bindings.iter().filter(|slot| textures.contains(slot)).count()
}

/// Rows and columns of the matrices that it multiplies.
fn side(shader: &Shader) -> Option<usize> {
    [8, 16].into_iter().find(|side| shader.wgsl.contains(&format!("coop_mat{side}x{side}<")))
}

fn parse(shader: &Shader) -> (Module, ModuleInfo) {
    let name = &shader.name;
    let module = wgsl::parse_str(&shader.wgsl)
        .unwrap_or_else(|e| panic!("{name}: {}", e.emit_to_string(&shader.wgsl)));
    // The others get none: an adapter without any feature must take them.
    let mut capabilities = Capabilities::empty();
    if has_subgroups(shader) {
        capabilities = Capabilities::SUBGROUP;
    } else if has_matrices(shader) {
        let f16 = Capabilities::SHADER_FLOAT16;
        capabilities = f16 | Capabilities::SUBGROUP | Capabilities::COOPERATIVE_MATRIX;
    }
    let info = Validator::new(ValidationFlags::all(), capabilities)
        .validate(&module)
        .unwrap_or_else(|e| panic!("{name}: {}", e.emit_to_string(&shader.wgsl)));
    (module, info)
}

/// What the backends are given: the module with its override constants filled in. They refuse one
/// that is left open.
fn resolved(shader: &Shader) -> (Module, ModuleInfo) {
    let (module, info) = parse(shader);
    let constants = shader.constants.iter().cloned().collect();
    let main = Some((ShaderStage::Compute, "main"));
    let (module, info) = process_overrides(&module, &info, main, &constants)
        .unwrap_or_else(|e| panic!("{}: {e}", shader.name));
    (module.into_owned(), info.into_owned())
}

#[test]
fn every_specialisation_is_listed_under_a_name_of_its_own() {
    let all = shaders();
    // Pipelines are cached by name.
    let names: HashSet<_> = all.iter().map(|s| &s.name).collect();
    assert_eq!(names.len(), all.len(), "two shaders of one name");
    let count = |part: &str| all.iter().filter(|s| s.name.starts_with(part)).count();
    // On subgroups of 8 and 16, and planes of nine sizes in textures: alone, with a bias, and on three of them with two ends
    // of a block.
    assert_eq!(count("block_cpu_lanes "), 2 * (9 * 2 + 3 * 2));
    // First blocks of one and three channels with two ends: on eight lanes with two or four outputs each, on sixteen with two.
    assert_eq!(count("first_block_cpu_lanes "), 2 * 2 * (2 + 1));
    assert_eq!(count("first_block_backward_cpu_lanes "), 2 * 2);
    // Of two ends.
    assert_eq!(count("norm_forward_cpu "), 9 * 2);
    assert_eq!(count("norm_backward_cpu "), 9 + 1);
    // Of one to four input channels per workgroup, and one or two outputs per lane.
    assert_eq!(count("weight_gradient_cpu_lanes "), 2 * 2 * 4 * 9);
    assert_eq!(count("first_block_weight_cpu_lanes "), 2 * 2 * 2);
    // Two or four outputs per lane, on subgroups of 16 with two tiles, on those of 8 with two or four: forward without and
    // with bias and back, each to a buffer, to a texture and on small planes; back through a stride to a buffer.
    assert_eq!(count("product_cpu_lanes "), 2 * (1 + 2) * (3 * 3 + 1));
    assert_eq!(count("product_weight_cpu_lanes "), 2 * 3);
    // Tiles of four sizes for convolution alone, on 4 to 64 channels per workgroup; all but one also with fewer
    // tiles. Each for few input channels and for more.
    assert_eq!(count("conv_tiles "), 2 * (4 * 5 + 19));
    // Of two to 32 pixels across for blocks, filled and not; of 32, two channel counts are one.
    assert_eq!(count("block_tiles "), 2 * 2 * (4 * 5 + 3 + 19));
    // 16, 64 and 128 output channels with 1 to 4, 8 and 16 input channels; with 16 of these no more
    // than 64 outputs.
    assert_eq!(count("conv_backward_weight_tiles "), 3 * 6 - 1);
    // Matrices of 8 and 16 on two sizes of subgroups each; tiles of 4, 8 and 16, three numbers of outputs.
    assert_eq!(count("conv_matrices "), 4 * 3 * 3);
    // Filled and not; one is missing, of more small tiles than threads share an output channel.
    assert_eq!(count("block_matrices "), 2 * (4 * 3 * 3 - 1));
    // Every override constant of a source is given by each of its entries, and no other.
    for shader in &all {
        let (module, _) = parse(shader);
        let mut declared: Vec<_> =
            module.overrides.iter().filter_map(|(_, o)| o.name.clone()).collect();
        let mut given: Vec<_> = shader.constants.iter().map(|(name, _)| name.clone()).collect();
        declared.sort();
        given.sort();
        assert_eq!(declared, given, "{}", shader.name);
    }
}

/// Fails unless a structure's fields have the names and places that they have on the Rust side. Those that only fill
/// it up may be cut otherwise.
#[track_caller]
fn assert_fields(module: &Module, structure: Handle<Type>, fields: &[Field], what: &str) {
    let TypeInner::Struct { members, .. } = &module.types[structure].inner else {
        panic!("{what}: a structure in Rust, none in WGSL");
    };
    let counts = |name: &str| name.trim_end_matches(|c: char| c == '_' || c.is_numeric()) != "pad";
    let name = |name: &Option<String>| name.clone().unwrap_or_default();
    let members: Vec<_> = members.iter().filter(|member| counts(&name(&member.name))).collect();
    let fields: Vec<_> = fields.iter().filter(|field| counts(field.name)).collect();
    let found: Vec<_> = members.iter().map(|m| (name(&m.name), m.offset as usize)).collect();
    let expected: Vec<_> = fields.iter().map(|f| (f.name.to_owned(), f.offset)).collect();
    assert_eq!(found, expected, "{what}: WGSL on the left, Rust on the right");
    for (member, field) in members.iter().zip(fields) {
        let nested = matches!(module.types[member.ty].inner, TypeInner::Struct { .. });
        if nested || !field.fields.is_empty() {
            assert_fields(module, member.ty, field.fields, &format!("{what}.{}", field.name));
        }
    }
}

#[test]
fn bindings_are_those_of_the_rust_side() {
    for shader in shaders() {
        let name = &shader.name;
        let (module, _) = parse(&shader);
        let mut layouts = Layouter::default();
        layouts.update(module.to_ctx()).unwrap();
        let mut found = vec![None; shader.bindings.len()];
        for (_, variable) in module.global_variables.iter() {
            let Some(binding) = &variable.binding else { continue };
            let what = format!("{name}, {}", variable.name.as_deref().unwrap_or("?"));
            if binding.group == 1 {
                // Where a slice of the grid begins, the same for all.
                assert_eq!((binding.binding, variable.space), (0, AddressSpace::Uniform), "{what}");
                assert_eq!(layouts[variable.ty].size, 16, "{what}");
                continue;
            }
            assert_eq!(binding.group, 0, "{what}");
            let number = binding.binding as usize;
            let slot = found
                .get_mut(number)
                .unwrap_or_else(|| panic!("{what}: Rust binds nothing at {number}"));
            let kind = match variable.space {
                AddressSpace::Handle => {
                    let TypeInner::Image { class: ImageClass::Storage { format, access }, .. } =
                        module.types[variable.ty].inner
                    else {
                        panic!("{what}: not a storage texture");
                    };
                    match (format, access) {
                        (StorageFormat::Rgba8Unorm, StorageAccess::STORE) => Slot::Picture,
                        (StorageFormat::Rgba32Float, StorageAccess::LOAD) => Slot::Texels,
                        other => panic!("{what}: a texture of {other:?}"),
                    }
                }
                AddressSpace::Storage { access } => {
                    assert!(access.contains(StorageAccess::LOAD), "{what}");
                    let structure =
                        matches!(module.types[variable.ty].inner, TypeInner::Struct { .. });
                    let size = layouts[variable.ty].size as usize;
                    match (structure, access.contains(StorageAccess::STORE)) {
                        (true, false) => {
                            let Slot::Params { fields, .. } = shader.bindings[number] else {
                                panic!("{what}: Rust binds no parameters at {number}");
                            };
                            assert_fields(&module, variable.ty, fields, &what);
                            Slot::Params { size, fields }
                        }
                        (false, false) => Slot::Read,
                        (_, true) => Slot::Write,
                    }
                }
                other => panic!("{what} is in {other:?}"),
            };
            assert!(slot.replace(kind).is_none(), "{what}: bound twice");
        }
        let expected: Vec<_> = shader.bindings.iter().copied().map(Some).collect();
        assert_eq!(found, expected, "{name}: WGSL on the left, Rust on the right");
    }
}

/// What it takes of workgroup memory.
fn workgroup_bytes(module: &Module) -> u32 {
    let mut layouts = Layouter::default();
    layouts.update(module.to_ctx()).unwrap();
    let shared = |space| space == AddressSpace::WorkGroup;
    let variables = module.global_variables.iter().filter(|(_, v)| shared(v.space));
    variables.map(|(_, v)| layouts[v.ty].size).sum()
}

#[test]
fn webgpus_default_limits_suffice() {
    let limits = dm_wgpu::wgpu::Limits::default();
    for shader in shaders() {
        let (module, _) = resolved(&shader);
        let [main] = &module.entry_points[..] else { panic!("{}: not one entry", shader.name) };
        let [x, y, z] = main.workgroup_size;
        let invocations = limits.max_compute_invocations_per_workgroup;
        assert!((1..=invocations).contains(&(x * y * z)), "{}", shader.name);
        let (textures, buffers) = (textures(&shader), shader.bindings.len() - textures(&shader));
        assert!(buffers <= limits.max_storage_buffers_per_shader_stage as usize, "{}", shader.name);
        let most = limits.max_storage_textures_per_shader_stage as usize;
        assert!(textures <= most, "{}", shader.name);
        let bytes = workgroup_bytes(&module);
        // Every adapter that is known to have cooperative matrices has twice as much.
        let room =
            limits.max_compute_workgroup_storage_size * if has_matrices(&shader) { 2 } else { 1 };
        assert!(bytes <= room, "{}: {bytes}", shader.name);
    }
}

/// What the library demands of every device is what its shaders take, no less and no more.
#[test]
fn the_demands_on_devices_are_what_shaders_need() {
    let (mut buffers, mut invocations, mut bytes) = (0, 0, 0);
    for shader in shaders().iter().filter(|shader| !has_matrices(shader)) {
        let (module, _) = resolved(shader);
        buffers = buffers.max((shader.bindings.len() - textures(shader)) as u32);
        // Which tile is taken, a device may have a say in; subgroups not every device has.
        if !shader.name.contains("_tiles ") && !has_subgroups(shader) {
            let [x, y, z] = module.entry_points[0].workgroup_size;
            invocations = invocations.max(x * y * z);
            bytes = bytes.max(workgroup_bytes(&module));
        }
    }
    let bindings = shaders().iter().map(|shader| shader.bindings.len() as u32).max();
    let demanded = (STORAGE_BUFFERS, INVOCATIONS, WORKGROUP_BYTES, Some(BINDINGS));
    assert_eq!((buffers, invocations, bytes, bindings), demanded);
}

fn to_spirv(shader: &Shader) -> Vec<u32> {
    let (module, info) = resolved(shader);
    // Vulkan 1.0 has no subgroups, 1.1 brings SPIR-V 1.3.
    let subgroups = has_subgroups(shader) || has_matrices(shader);
    let lang_version = if subgroups { (1, 3) } else { (1, 0) };
    let options = spv::Options { lang_version, ..Default::default() };
    let entry =
        spv::PipelineOptions { shader_stage: ShaderStage::Compute, entry_point: "main".into() };
    spv::write_vec(&module, &info, &options, Some(&entry))
        .unwrap_or_else(|e| panic!("{}: {e}", shader.name))
}

#[test]
fn every_shader_translates_to_spirv() {
    for shader in shaders() {
        assert_eq!(to_spirv(&shader)[0], 0x0723_0203, "{}", shader.name);
    }
}

#[test]
fn every_shader_translates_to_msl() {
    for shader in shaders() {
        // Metal has no matrices of 16.
        if side(&shader) == Some(16) {
            continue;
        }
        let (module, info) = resolved(&shader);
        // Metal 2.1 is macOS 10.14's, the first with SIMD-group functions in compute kernels; 2.3 is
        // macOS 11's, with SIMD-group matrices.
        let lang_version = match () {
            () if has_matrices(&shader) => (2, 3),
            () if has_subgroups(&shader) => (2, 1),
            () => (1, 2),
        };
        let options = msl::Options { lang_version, ..Default::default() };
        let (text, entries) =
            msl::write_string(&module, &info, &options, &msl::PipelineOptions::default())
                .unwrap_or_else(|e| panic!("{}: {e}", shader.name));
        assert!(text.contains("kernel void"), "{}", shader.name);
        entries.entry_point_names.iter().for_each(|entry| {
            assert!(entry.is_ok(), "{}: {entry:?}", shader.name);
        });
    }
}

fn to_hlsl(shader: &Shader) -> String {
    let (module, info) = resolved(shader);
    // Wave intrinsics came with 6.0; 5.1 is the last that the compiler in Windows takes.
    let shader_model =
        if has_subgroups(shader) { hlsl::ShaderModel::V6_0 } else { hlsl::ShaderModel::V5_1 };
    let options = hlsl::Options { shader_model, ..Default::default() };
    let pipeline = hlsl::PipelineOptions::default();
    let mut text = String::new();
    let reflection = hlsl::Writer::new(&mut text, &options, &pipeline)
        .write(&module, &info, None)
        .unwrap_or_else(|e| panic!("{}: {e}", shader.name));
    reflection.entry_point_names.iter().for_each(|entry| {
        assert!(entry.is_ok(), "{}: {entry:?}", shader.name);
    });
    text
}

#[test]
fn every_shader_translates_to_hlsl() {
    // naga knows cooperative matrices only on Vulkan and Metal.
    for shader in shaders().into_iter().filter(|shader| !has_matrices(shader)) {
        assert!(to_hlsl(&shader).contains("[numthreads("), "{}", shader.name);
    }
}

#[test]
fn every_shader_translates_to_glsl() {
    // The subgroup kernels too: naga then demands GL_KHR_shader_subgroup_*, without which wgpu's GL
    // backend offers no subgroups and they are never asked for.
    for shader in shaders().into_iter().filter(|shader| !has_matrices(shader)) {
        let (module, info) = resolved(&shader);
        for version in [glsl::Version::Desktop(430), glsl::Version::new_gles(310)] {
            let what = format!("{} for {version}", shader.name);
            let options = glsl::Options { version, ..Default::default() };
            let pipeline = glsl::PipelineOptions {
                shader_stage: ShaderStage::Compute,
                entry_point: "main".into(),
                multiview: None,
            };
            let mut text = String::new();
            let policies = BoundsCheckPolicies::default();
            glsl::Writer::new(&mut text, &module, &info, &options, &pipeline, policies)
                .and_then(|mut writer| writer.write())
                .unwrap_or_else(|e: back::glsl::Error| panic!("{what}: {e}"));
            let asks = text.contains("GL_KHR_shader_subgroup_basic : require");
            assert_eq!(asks, has_subgroups(&shader), "{what}");
        }
    }
}

/// The .wgsl files of a folder: (name, text).
fn files(folder: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let shaders = paths.filter(|path| path.extension().is_some_and(|e| e == "wgsl"));
    let read = |path: std::path::PathBuf| {
        (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(path).unwrap())
    };
    shaders.map(read).collect()
}

#[test]
fn every_wgsl_file_is_used_and_says_what_it_is_for() {
    let sources: Vec<HashSet<String>> =
        shaders().iter().map(|s| s.wgsl.lines().map(str::to_owned).collect()).collect();
    let files: Vec<_> = [
        "shaders",
        "shaders/shared",
        "shaders/conv/cpu",
        "shaders/layers",
        "shaders/layers/cpu",
        "shaders/augment_cpu",
    ]
    .into_iter()
    .flat_map(files)
    .collect();
    assert!(files.len() > 10, "{}", files.len());
    for (name, text) in files {
        let first = text.lines().next().unwrap_or_default();
        assert!(first.starts_with("// ") && first.len() > 20, "{name} begins with {first:?}");
        // A template's marked lines are replaced; everything else arrives as it is.
        let marked = |line: &str| ["{%", "{{", "{#"].iter().any(|mark| line.contains(mark));
        let mut lines = text.lines().filter(|line| !marked(line));
        let used = match text.contains("{% if") {
            false => sources.iter().any(|source| lines.clone().all(|line| source.contains(line))),
            // Not all lines of such a template are in one kernel.
            true => lines.clone().all(|line| sources.iter().any(|source| source.contains(line))),
        };
        assert!(used && lines.next().is_some(), "no kernel is made of {name}");
    }
}
