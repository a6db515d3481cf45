//! The text below the flags in the help: examples, files, exit codes.

/// `dm-wgpu join --help`.
pub const JOIN: &str = "\
Examples:
  dm-wgpu --dataset mnist --shard 1/2 --out s1
  dm-wgpu --dataset mnist --shard 2/2 --out s2
  dm-wgpu join runs/mnist s1 s2 --evaluate
      a run on two devices, its images those of one to the bit
  dm-wgpu evaluate runs/mnist --eval-nets 20 --shard 1/2 --out a1.json
  dm-wgpu evaluate runs/mnist --eval-nets 20 --shard 2/2 --out a2.json
  dm-wgpu join accuracies.json a1.json a2.json
      an evaluation on two devices

The folder is there as a whole or not at all; joined again, it stays as it is. A shard that is missing,
doubled, not finished or of another run is named, with what to do.

Exit codes: 0 done, 1 failed, 2 asked for wrongly, 130 interrupted.";

/// `dm-wgpu --help`.
pub const RUN: &str = "\
Examples:
  dm-wgpu --dataset mnist
      10 images per class with the published settings, into runs/mnist-ipc10-seed0
  dm-wgpu --dataset glyphs --ipc 1 --iterations 200 --out /tmp/glyphs
      a quick look that needs no download
  dm-wgpu --dataset mnist --ipc 50 --augment color,crop --init noise --seed 3
      other images per class, other augmentations, another start
  dm-wgpu --dataset mnist --adapter nvidia --memory-budget 2GiB
      on the first adapter whose name has \"nvidia\" in it
  dm-wgpu --dataset mnist --preset paper --ipc 50
      with the iterations, networks and epochs of the paper
  dm-wgpu --config runs/mnist-ipc10-seed0/run.toml --seed 1
      as that run, but for the seed
  dm-wgpu --dataset mnist --method herding
      chosen real images instead of synthetic ones
  dm-wgpu --dataset mnist --method dsa --ipc 1
      by gradient matching instead of distribution matching
  dm-wgpu --dataset cifar10 --ipc 10 --method trajectory
      in networks that are trained on the real images, with four images in each stored one
  dm-wgpu --dataset folder:pets --resize 64
      own pictures, in pets/train/cat/… and pets/test/cat/…, or in pets/cat/…
  dm-wgpu --resume runs/mnist-ipc10-seed0
      goes on with a run that was stopped, by Ctrl-C or by anything else
  dm-wgpu --dataset mnist --runs 5
      five seeds, and the accuracy over all their networks
  dm-wgpu --dataset mnist --shard 2/8 --out shards/2
      an eighth of the classes, on one of eight devices; dm-wgpu join puts them together
  dm-wgpu --dataset mnist --adapter all
      on all GPUs of this machine at once
  dm-wgpu evaluate runs/mnist-ipc10-seed0
      what a set is worth, of a run or from elsewhere
  dm-wgpu compare --dataset mnist --ipc 1
      condensed and chosen images side by side
  dm-wgpu export runs/mnist-ipc10-seed0 --format pt
      a set for PyTorch; also for NumPy, as safetensors, as pictures
  dm-wgpu view runs/mnist-ipc10-seed0
      a set's images, here in the terminal
  dm-wgpu bench --shape cifar10
      how long an iteration takes here, and which kernels take it
  dm-wgpu doctor
      whether the adapters compute what they should

A run leaves in its folder:
  report.html             all of it to look at: images, curves, figures, settings
  grid.png                all images, one row per class
  decoded.png             of packed images (--factor), those that networks see
  progress.png            how they came to be, as an animation
  snapshots/000250.png    the images after 250 iterations, pixel by pixel
  images/CLASS/000.png    each one by itself
  synthetic.safetensors   pixels, labels, class names, normalisation, settings
  metrics.csv             the loss of every iteration, and the accuracy where measured
  report.json             all figures: accuracy, losses, seconds, settings
  run.toml                all that was asked for, the outcome, and the command that repeats the run
  checkpoint.safetensors  what --resume continues from

Environment:
  DM_WGPU_DATA     where data sets are kept, if --data-dir doesn't say
  DM_WGPU_MIRROR   the address to download them from, instead of those built in
  DM_WGPU_LIMITS   webgpu: open the adapter at WebGPU's default limits, without optional features
  RUST_LOG         what to log on stderr, e.g. dm_wgpu=debug
  NO_COLOR         set to anything, no colours

Exit codes: 0 done, 1 failed, 2 asked for wrongly, 130 interrupted.";

/// `dm-wgpu evaluate --help`.
pub const EVALUATE: &str = "\
Examples:
  dm-wgpu evaluate runs/mnist-ipc10-seed0
      a run, by networks as wide as those that judged it at its end
  dm-wgpu evaluate runs/mnist-ipc10-seed0 --eval-nets 20 --eval-epochs 1000 --seed 7
      the same by more networks, others, and trained for longer
  dm-wgpu evaluate theirs.npz --dataset mnist --json
      a set from elsewhere; one JSON object on stdout

What PATH may be:
  a run's folder          its synthetic.safetensors
  *.safetensors, *.npz    arrays images (N, C, H, W) and labels (N): floats that are normalised
                          already, taken as they are, or uint8 pixels
  any other folder        a sub-folder of pictures for each class, called as the
                          class or by its label; else in sorted order, with a warning

Exit codes: 0 done, 1 failed, 2 asked for wrongly, 130 interrupted.";

/// `dm-wgpu compare --help`.
pub const COMPARE: &str = "\
Examples:
  dm-wgpu compare --dataset mnist --ipc 1
      dm beside random, herding and k-center, into runs/compare-mnist-ipc1-seed0
  dm-wgpu compare --dataset glyphs --methods dm,whole --iterations 200 --width 32
      dm beside the upper bound, with smaller networks
  dm-wgpu compare --dataset mnist --json --quiet > table.json
      for a program to read
  dm-wgpu compare runs/mnist-ipc1-seed0 runs/mnist-ipc10-seed0
      runs that have ended: their accuracies, what differs, and a page, into runs/compare

A comparison leaves in its folder:
  report.html                all images, accuracies and curves on one page
  compare.md, compare.json   the table
  dm, random, ...            for each method a folder as its own run leaves, which evaluate reads

Exit codes: 0 done, 1 failed (wholly or for some methods), 2 asked for wrongly, 130 interrupted.";

/// `dm-wgpu completions --help`.
pub const COMPLETIONS: &str = "\
Examples:
  source <(dm-wgpu completions bash)
      for this session of bash
  dm-wgpu completions bash > ~/.local/share/bash-completion/completions/dm-wgpu
      for all to come
  dm-wgpu completions zsh > ~/.zfunc/_dm-wgpu
      where ~/.zfunc is in zsh's fpath
  dm-wgpu completions fish > ~/.config/fish/completions/dm-wgpu.fish";

/// `dm-wgpu show-config --help`.
pub const SHOW_CONFIG: &str = "\
Examples:
  dm-wgpu show-config --dataset cifar10 --preset paper --ipc 100
      every setting, and whether a recipe, the preset, a file or a flag says so
  dm-wgpu show-config --config runs/mnist-ipc10-seed0/run.toml --lr-img 5 > mine.toml
  dm-wgpu --config mine.toml
      as that run, but for the learning rate; a few of the file's keys would do

Of the data set no more is needed than its name, and no GPU is. What depends on images that are not
at hand is left out, and said.

Exit codes: 0 done, 1 failed, 2 asked for wrongly.";
