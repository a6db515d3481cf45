//! The text below the flags in the help: examples, files, exit codes.

/// `dm-wgpu join --help`.
pub const JOIN: &str = "\
Examples:
  dm-wgpu --dataset mnist --shard 1/2 --out s1
  dm-wgpu --dataset mnist --shard 2/2 --out s2
  dm-wgpu join runs/mnist s1 s2 --evaluate
      a run on two devices; its images have the same bits as those of a run on one
  dm-wgpu evaluate runs/mnist --eval-nets 20 --shard 1/2 --out a1.json
  dm-wgpu evaluate runs/mnist --eval-nets 20 --shard 2/2 --out a2.json
  dm-wgpu join accuracies.json a1.json a2.json
      an evaluation on two devices

The folder of the joined run appears only when it is complete; joining again changes nothing. If a
shard is missing, given twice, unfinished or of another run, join names it and says what to do.

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.";

/// `dm-wgpu --help`.
pub const RUN: &str = "\
Examples:
  dm-wgpu --dataset mnist
      10 images per class with the published settings, into runs/mnist-ipc10-seed0
  dm-wgpu --dataset glyphs --ipc 1 --iterations 200 --out /tmp/glyphs
      a quick look that needs no download
  dm-wgpu --dataset mnist --ipc 50 --augment color,crop --init noise --seed 3
      more images per class, fewer augmentations, a start from noise, another seed
  dm-wgpu --dataset mnist --adapter nvidia --memory-budget 2GiB
      on the first adapter whose name contains \"nvidia\"
  dm-wgpu --dataset mnist --preset paper --ipc 50
      with the iterations, networks and epochs of the paper
  dm-wgpu --config runs/mnist-ipc10-seed0/run.toml --seed 1
      with the settings of that run, but another seed
  dm-wgpu --dataset mnist --method herding
      chosen real images instead of synthetic ones
  dm-wgpu --dataset mnist --method dsa --ipc 1
      by gradient matching instead of distribution matching
  dm-wgpu --dataset cifar10 --ipc 10 --method trajectory
      in networks that are trained on the real images, with four images packed into each stored one
  dm-wgpu --dataset folder:pets --resize 64
      pictures of your own, in pets/train/cat/… and pets/test/cat/…, or in pets/cat/…
  dm-wgpu --resume runs/mnist-ipc10-seed0
      resumes a run that was stopped, by Ctrl-C or by anything else
  dm-wgpu --dataset mnist --runs 5
      five seeds, and the accuracy over the networks of all of them
  dm-wgpu --dataset mnist --shard 2/8 --out shards/2
      an eighth of the classes, on one of eight devices; dm-wgpu join joins the eight
  dm-wgpu --dataset mnist --adapter all
      on all GPUs of this machine at once
  dm-wgpu evaluate runs/mnist-ipc10-seed0
      the accuracy of a set, of this program or of another one
  dm-wgpu compare --dataset mnist --ipc 1
      condensed images beside chosen ones
  dm-wgpu export runs/mnist-ipc10-seed0 --format pt
      a set for PyTorch; NumPy, safetensors and pictures are possible too
  dm-wgpu view runs/mnist-ipc10-seed0
      the images of a set, in the terminal
  dm-wgpu bench --shape cifar10
      how long an iteration takes on this machine, and each kernel's part of it
  dm-wgpu doctor
      whether the adapters compute correctly

A run leaves in its folder:
  report.html             a page of everything: images, curves, figures, settings
  grid.png                all images, one row per class
  decoded.png             with --factor: the decoded images, as networks see them
  progress.png            the images during the run, as an animation
  snapshots/000250.png    the images after 250 iterations, pixel by pixel
  images/CLASS/000.png    each image in a file
  synthetic.safetensors   pixels, labels, class names, normalisation, settings
  metrics.csv             the loss of every iteration, and each accuracy that was measured
  report.json             all figures: accuracy, losses, seconds, settings
  run.toml                everything asked for, the outcome, and the command that repeats the run
  checkpoint.safetensors  the state that --resume continues from

Environment:
  DM_WGPU_DATA     the folder of data sets, if --data-dir is not given
  DM_WGPU_MIRROR   the address to download data sets from, instead of the built-in ones
  DM_WGPU_LIMITS   webgpu: open the adapter at WebGPU's default limits, without optional features
  RUST_LOG         what to log on stderr, e.g. dm_wgpu=debug
  NO_COLOR         if set, the output has no colours

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.";

/// `dm-wgpu evaluate --help`.
pub const EVALUATE: &str = "\
Examples:
  dm-wgpu evaluate runs/mnist-ipc10-seed0
      the set of a run, with networks as wide as in its own evaluation
  dm-wgpu evaluate runs/mnist-ipc10-seed0 --eval-nets 20 --eval-epochs 1000 --seed 7
      the same with more networks, of another seed, trained for longer
  dm-wgpu evaluate theirs.npz --dataset mnist --json
      a set of another program; JSON on stdout

What PATH may be:
  a run's folder          its synthetic.safetensors
  *.safetensors, *.npz    arrays images (N, C, H, W) and labels (N); images are normalised
                          floats, used as they are, or uint8 pixels
  any other folder        a sub-folder of pictures per class, named like the class or its
                          label; other names are sorted and numbered, with a warning

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.";

/// `dm-wgpu compare --help`.
pub const COMPARE: &str = "\
Examples:
  dm-wgpu compare --dataset mnist --ipc 1
      dm, random, herding and k-center, into runs/compare-mnist-ipc1-seed0
  dm-wgpu compare --dataset glyphs --methods dm,whole --iterations 200 --width 32
      dm and the upper bound, with smaller networks
  dm-wgpu compare --dataset mnist --json --quiet > table.json
      a table for programs
  dm-wgpu compare runs/mnist-ipc1-seed0 runs/mnist-ipc10-seed0
      finished runs: their accuracies, their differences and a page, into runs/compare

A comparison leaves in its folder:
  report.html                all images, accuracies and curves on one page
  compare.md, compare.json   the table
  dm, random, ...            a folder per method, like that of a single run; evaluate reads it

Exit codes: 0 done, 1 all or some methods failed, 2 wrong usage, 130 interrupted.";

/// `dm-wgpu completions --help`.
pub const COMPLETIONS: &str = "\
Examples:
  source <(dm-wgpu completions bash)
      for the current session of bash
  dm-wgpu completions bash > ~/.local/share/bash-completion/completions/dm-wgpu
      for all later sessions
  dm-wgpu completions zsh > ~/.zfunc/_dm-wgpu
      if ~/.zfunc is in zsh's fpath
  dm-wgpu completions fish > ~/.config/fish/completions/dm-wgpu.fish";

/// `dm-wgpu show-config --help`.
pub const SHOW_CONFIG: &str = "\
Examples:
  dm-wgpu show-config --dataset cifar10 --preset paper --ipc 100
      every setting, and whether it comes from a recipe, the preset, a file or a flag
  dm-wgpu show-config --config runs/mnist-ipc10-seed0/run.toml --lr-img 5 > mine.toml
  dm-wgpu --config mine.toml
      the settings of that run with another learning rate; the file may also have only some keys

Neither a GPU nor the images of the data set are needed. A setting that depends on unknown images is
only a comment.

Exit codes: 0 done, 1 failed, 2 wrong usage.";
