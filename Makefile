# Tasks of this repository; `make help` lists them. They need Rust; scripts/prepare installs the rest.

# If XDG_RUNTIME_DIR is not set, as where nobody has logged in, Mesa's drivers complain on stderr.
ifndef XDG_RUNTIME_DIR
export XDG_RUNTIME_DIR := $(CURDIR)/target/runtime
endif

.PHONY: help demo test test-full test-limits test-swiftshader test-hlsl check-wasm web test-web test-cluster mesa-matrix soak fuzz fuzz-corpus bench-peers clean
# All targets build into the same folder.
.NOTPARALLEL:

help:
	@echo "make demo         condense the embedded digits, 9 to 14 seconds on two cores of a Xeon after the build"
	@echo "make test         format, lints, every test, the documentation"
	@echo "make test-full    make test, all tests again in release mode with the slow ones, check-wasm, mesa-matrix"
	@echo "make test-limits  every test on a device with WebGPU's default limits and no optional feature"
	@echo "make test-swiftshader  the golden vectors on another software device, Chromium's SwiftShader"
	@echo "make test-hlsl    compile every shader with Microsoft's compiler, which scripts/dxc downloads"
	@echo "make check-wasm   check that the library compiles for browsers, with rustup's target or Debian's Rust"
	@echo "make web          build the page that condenses in a browser, into target/web, for any static host"
	@echo "make test-web     test that page in headless Chromium against the native program on the same software device"
	@echo "make test-cluster  test shards on Slurm, Ray and Kubernetes, if they are installed"
	@echo "make mesa-matrix  golden vectors, doctor and bench with the Mesa of three Debian releases; needs root"
	@echo "make soak         condense for an hour in one process, whose memory must not grow; TIME=600 takes ten minutes"
	@echo "make fuzz         fuzz every reader of files, ten minutes each; TIME=60 and TARGET=npz do less"
	@echo "make fuzz-corpus  add the fuzzer's new small files to tests/corpus.tar.gz"
	@echo "make bench-peers  compare times with PyTorch and burn, if they are installed; WIDTH=32 ITERATIONS=3 is quick"
	@echo "make clean        remove what was built, keep runs/"

$(XDG_RUNTIME_DIR):
	@mkdir -p -m 700 $@

# Smaller than published (width 128, 256 real images, 20 000 iterations), so that it suits a CPU. In so few iterations, images
# get farther at a learning rate above the published 1.
demo: | $(XDG_RUNTIME_DIR)
	scripts/prepare --release
	cargo run --quiet --release -- --dataset glyphs --ipc 10 --iterations 30 --lr-img 5 --width 32 --batch-real 64 --eval-nets 1 --eval-epochs 60
	@echo "Open grid.png in that folder: one row per class. docs/run-folder.md describes the other files."

test: | $(XDG_RUNTIME_DIR)
	cargo fmt --check
	TESTS=1 scripts/prepare
	cargo clippy --all-targets -- -D warnings
	cargo clippy --no-default-features --tests -- -D warnings
	cargo test --no-fail-fast
# The example gives dependencies the same features as tests do, so that what clippy compiled is used again.
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --lib --example custom_loop

# Two ignored tests are left out: one asks the real mirrors, one draws a picture for people to judge.
test-full: test
	cargo test --release -- --include-ignored --skip every_mirror_has_the_file --skip contact_sheet
	scripts/check-wasm
	scripts/mesa-matrix

test-limits: | $(XDG_RUNTIME_DIR)
	DM_WGPU_LIMITS=webgpu cargo test --no-fail-fast

# SwiftShader, with which Chromium draws if there is no GPU, as a Vulkan driver. Vulkan loaders before 1.3.207 read
# VK_ICD_FILENAMES.
SWIFTSHADER ?= /usr/lib/chromium/vk_swiftshader_icd.json
test-swiftshader: export VK_DRIVER_FILES = $(SWIFTSHADER)
test-swiftshader: export VK_ICD_FILENAMES = $(SWIFTSHADER)
test-swiftshader: | $(XDG_RUNTIME_DIR)
	@test -e "$(SWIFTSHADER)" || { echo "no $(SWIFTSHADER): install chromium (Debian), or set SWIFTSHADER=…/vk_swiftshader_icd.json"; exit 1; }
	cargo run --quiet -- adapters --backend vulkan | grep SwiftShader
	cargo test --test kernels golden:: -- --nocapture

test-hlsl:
	test -x target/dxc/dxc || scripts/dxc
	cargo test --test shaders microsofts -- --include-ignored --nocapture

check-wasm:
	scripts/check-wasm

web:
	scripts/web

test-web: web | $(XDG_RUNTIME_DIR)
	scripts/test-web

test-cluster: | $(XDG_RUNTIME_DIR)
	scripts/test-cluster

mesa-matrix: | $(XDG_RUNTIME_DIR)
	scripts/mesa-matrix

soak: | $(XDG_RUNTIME_DIR)
	scripts/soak $(TIME)

# Ten minutes for each reader of files, or TIME seconds; TARGET chooses one reader.
fuzz:
	scripts/fuzz run $(or $(TIME),600) $(TARGET)

fuzz-corpus:
	scripts/fuzz keep $(TARGET)

# Settings on make's command line, such as SHAPES and WIDTH, reach it as environment variables; --help lists them.
bench-peers: | $(XDG_RUNTIME_DIR)
	benches/peers/compare

clean:
	cargo clean
