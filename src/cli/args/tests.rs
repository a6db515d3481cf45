use super::*;
use crate::cli::dataset;
use dm_wgpu::{
    Architecture, EvaluationSettings, Init, Kernels, Matching, Precision, Settings,
    augment::Strategy,
    bench::{Bench, Shape},
};

#[test]
fn claps_own_checks_pass() {
    command().debug_assert();
}

#[test]
fn defaults_are_the_librarys() {
    let dataset = dataset::tests::tiny();
    let cli = Cli::from_arguments(["dm-wgpu", "--dataset", "mnist"]).unwrap();
    assert_eq!(cli.given.settings(&dataset, Matching::Dm), Settings::for_dataset(&dataset));
    let evaluation = cli.given.evaluation(&dataset, Method::DM);
    assert_eq!(evaluation, EvaluationSettings::for_dataset(&dataset));
    assert_eq!(cli.given.evaluation(&dataset, Method::Whole).epochs, 20);
    assert_eq!((cli.given.method(), cli.given.no_eval(), cli.json), (Method::DM, false, false));
}

#[test]
fn every_flag_arrives() {
    let cli = Cli::try_parse_from(
        "dm-wgpu --dataset glyphs --ipc 2 --iterations 3 --seed 4 --init noise --augment none \
         --batch-real 5 --lr-img 0.5 --net lenet --width 6 --depth 1 --memory-budget 1GiB --adapter 7 \
         --backend gl --kernels tiles --precision f16 --quiet"
            .split_whitespace(),
    )
    .unwrap();
    let expected = Settings::for_dataset(&dataset::tests::tiny())
        .net(Architecture::LeNet)
        .ipc(2)
        .iterations(3)
        .init(Init::Noise)
        .width(6)
        .depth(1)
        .batch_real(5)
        .lr_img(0.5)
        .augment(Strategy::none())
        .seed(4);
    assert_eq!(cli.given.settings(&dataset::tests::tiny(), Matching::Dm), expected);
    let choice = cli.given.machine().adapter_choice().unwrap();
    assert_eq!((choice.adapter.as_deref(), choice.backend.as_deref()), (Some("7"), Some("gl")));
    assert_eq!(choice.kernels, Some(Kernels::Tiles));
    assert_eq!(choice.precision, Precision::F16);
    assert_eq!(choice.memory_budget, Some(1 << 30));
    assert!(cli.quiet());
}

/// A folder of data may have a name that is no text.
#[cfg(unix)]
#[test]
fn paths_arrive_as_they_are() {
    use std::os::unix::ffi::OsStringExt;
    let path = OsString::from_vec(vec![b'd', 0xff]);
    let mut words = ["dm-wgpu", "evaluate", "x", "--data-dir"].map(OsString::from).to_vec();
    words.push(path.clone());
    let Some(Command::Evaluate(args)) = Cli::from_arguments(words).unwrap().command else {
        panic!()
    };
    let data = args.given.data("mnist".into());
    assert_eq!((data.data_dir, data.name.as_str()), (Some(path.into()), "mnist"));
}

#[test]
fn adapters_needs_no_data_set() {
    let cli = Cli::try_parse_from(["dm-wgpu", "adapters", "--backend", "vulkan"]).unwrap();
    assert!(matches!(cli.command, Some(Command::Adapters { backend: Some(_) })));
    assert!(Cli::from_arguments(["dm-wgpu", "--ipc", "1"]).is_err());
}

#[test]
fn an_evaluation_inherits_settings_from_the_run() {
    let line = "dm-wgpu --dataset glyphs --width 6 --depth 1 --seed 4 \
                --augment none --eval-nets 7 --eval-epochs 8 --eval-every 9 --method k-center";
    let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
    let evaluation = cli.given.evaluation(&dataset::tests::tiny(), cli.given.method());
    let expected = EvaluationSettings::for_dataset(&dataset::tests::tiny())
        .nets(7)
        .epochs(8)
        .width(6)
        .depth(1)
        .seed(4);
    assert_eq!(evaluation, expected);
    assert_eq!(cli.given.get("eval_every"), Some(9));
}

#[test]
fn options_that_do_nothing_are_refused() {
    let answer = |line: &str| Cli::from_arguments(line.split_whitespace());
    for (line, words) in [
        ("--method random --lr-img 1", "--lr-img does nothing with --method random; leave it"),
        // The default, but given.
        (
            "--method herding --iterations 1000 --init real --eval-every 5",
            "--iterations, --init and --eval-every do nothing with --method herding; leave them",
        ),
        ("--method whole --ipc 10", "--ipc does nothing with --method whole"),
        ("--method whole --no-eval", "--no-eval leaves nothing"),
    ] {
        let error = answer(&format!("dm-wgpu --dataset glyphs {line}")).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().starts_with(&format!("error: {words}")), "{error}");
    }
    let error = "dm-wgpu compare --dataset glyphs --methods random,whole --batch-real 8";
    let error = answer(error).unwrap_err().to_string();
    assert!(error.contains("--batch-real does nothing with --methods random,whole"), "{error}");
    let error = answer("dm-wgpu compare --dataset glyphs --methods dm,random,dm").unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(
        error.to_string().starts_with("error: --methods dm,random,dm: dm is there twice"),
        "{error}"
    );
    for line in [
        "compare --dataset glyphs --methods whole,dm --batch-real 8 --ipc 1",
        "--dataset glyphs --method k-center --ipc 1 --width 8 --depth 2 --seed 1 --eval-nets 1",
        "--dataset glyphs --method whole --width 8 --eval-epochs 2 --memory-budget 1GiB",
        "--dataset glyphs --iterations 1 --init noise --eval-every 2",
    ] {
        answer(&format!("dm-wgpu {line}")).unwrap();
    }
}

#[test]
fn only_quiet_may_stand_before_a_subcommand() {
    let answer = |line: &str| Cli::from_arguments(line.split_whitespace());
    for line in [
        "-q evaluate x",
        "-q bench",
        "-q export x -f pt",
        "--quiet compare --dataset glyphs",
        "evaluate x -q",
    ] {
        assert!(answer(&format!("dm-wgpu {line}")).unwrap().quiet(), "{line}");
    }
    for line in ["--dataset glyphs compare --dataset glyphs", "--ipc 10 evaluate x"] {
        let error = answer(&format!("dm-wgpu {line}")).unwrap_err().to_string();
        assert!(error.contains(" stands before the subcommand "), "{error}");
    }
}

#[test]
fn bench_flags_become_the_librarys_benchmark() {
    let bench = |line: &str| match Cli::try_parse_from(line.split_whitespace()).unwrap().command {
        Some(Command::Bench(args)) => args.bench(),
        other => panic!("{other:?}"),
    };
    for shape in Shape::ALL {
        assert_eq!(bench(&format!("dm-wgpu bench --shape {shape}")), Bench::of(shape));
    }
    let expected = Bench {
        net: Architecture::Mlp,
        classes: 6,
        ipc: 1,
        factor: Some(2),
        width: 2,
        batch_real: 3,
        iterations: 4,
        ..Bench::of(Shape::Mnist)
    };
    let line = "--net mlp --classes 6 --ipc 1 --factor 2 --width 2 --batch-real 3 --iterations 4";
    assert_eq!(bench(&format!("dm-wgpu bench {line}")), expected);
}

#[test]
fn subcommands_have_flags_of_their_own() {
    let line = "dm-wgpu compare --dataset glyphs --methods whole,dm --ipc 2 --quiet";
    let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
    assert!(cli.quiet());
    let Some(Command::Compare(args)) = cli.command else { panic!("another command") };
    assert_eq!((args.methods, args.given.get("ipc")), (vec![Method::Whole, Method::DM], Some(2)));
    for wrong in [
        "dm-wgpu compare",
        "dm-wgpu compare --dataset glyphs --method dm",
        "dm-wgpu compare --dataset glyphs --no-eval",
        "dm-wgpu evaluate",
        "dm-wgpu evaluate x --ipc 3",
        "dm-wgpu --dataset glyphs --no-eval --eval-nets 2",
    ] {
        assert!(Cli::from_arguments(wrong.split_whitespace()).is_err(), "{wrong}");
    }
}
