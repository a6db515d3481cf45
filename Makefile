# What can be done here; `make help` lists it. Needs Rust; scripts/prepare sees to the rest.

# Without it, Mesa's drivers complain on stderr where nobody has logged in.
ifndef XDG_RUNTIME_DIR
export XDG_RUNTIME_DIR := $(CURDIR)/target/runtime
endif

.PHONY: help demo test test-full test-limits test-swiftshader test-hlsl check-wasm web test-web test-cluster mesa-matrix soak fuzz fuzz-corpus bench-peers clean
# Targets build into the same folder.
.NOTPARALLEL:

help:
	@echo "make demo         condense the embedded digits, one to two minutes on two CPU cores after the build"
	@echo "make test         format, lints, every test, the documentation"
	@echo "make test-full    the same, the tests that take long, optimised, and other Mesas"
	@echo "make test-limits  every test on a device with WebGPU's default limits and no feature"
	@echo "make test-swiftshader  the golden vectors on another software device, that of chromium"
	@echo "make test-hlsl    every shader through Microsoft's compiler, which scripts/dxc fetches"
	@echo "make check-wasm   whether the library compiles for browsers, with rustup's target or Debian's Rust"
	@echo "make web          the page that condenses in a browser, into target/web, for any static host"
	@echo "make test-web     that page in headless Chromium, beside the native program on the same software device"
	@echo "make test-cluster  shards on Slurm, Ray and Kubernetes, as far as they are installed"
	@echo "make mesa-matrix  golden vectors, doctor and bench under the Mesa of three Debian releases; as root"
	@echo "make soak         an hour's work in one process, whose memory must not grow; TIME=600 is ten minutes"
	@echo "make fuzz         every reader of files against a fuzzer, ten minutes each; TIME=60 and TARGET=npz do less"
	@echo "make bench-peers  times beside PyTorch and burn, where they are; WIDTH=32 ITERATIONS=3 is quick"
	@echo "make clean        remove what was built, keep runs/"

$(XDG_RUNTIME_DIR):
	@mkdir -p -m 700 $@

# Smaller than published (width 128, 256 real images, 1000 iterations), so that a CPU can follow.
demo: | $(XDG_RUNTIME_DIR)
	scripts/prepare --release
	cargo run --quiet --release -- --dataset glyphs --ipc 10 --iterations 150 --width 32 --batch-real 64 --eval-nets 2 --eval-epochs 60
	@echo "Open grid.png in that folder: one row per class. docs/run-folder.md says what the other files are."

test: | $(XDG_RUNTIME_DIR)
	cargo fmt --check
	TESTS=1 scripts/prepare
	cargo clippy --all-targets -- -D warnings
	cargo clippy --no-default-features --tests -- -D warnings
	cargo test --no-fail-fast
# With an example, since dependencies then have the features that tests give them: as clippy has checked them.
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --lib --example custom_loop

# Two ignored tests are not for a machine to judge: one asks the real mirrors, one draws a picture.
test-full: test
	cargo test --release -- --include-ignored --skip every_mirror_has_the_file --skip contact_sheet
	scripts/check-wasm
	scripts/mesa-matrix

test-limits: | $(XDG_RUNTIME_DIR)
	DM_WGPU_LIMITS=webgpu cargo test --no-fail-fast

# What chromium draws with where there is no GPU, as a Vulkan driver. Loaders before 1.3.207 know the second name.
SWIFTSHADER ?= /usr/lib/chromium/vk_swiftshader_icd.json
test-swiftshader: export VK_DRIVER_FILES = $(SWIFTSHADER)
test-swiftshader: export VK_ICD_FILENAMES = $(SWIFTSHADER)
test-swiftshader: | $(XDG_RUNTIME_DIR)
	@test -e "$(SWIFTSHADER)" || { echo "no $(SWIFTSHADER): install chromium (Debian), or say SWIFTSHADER=…/vk_swiftshader_icd.json"; exit 1; }
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

# Ten minutes for each reader of files, or TIME seconds, or for one TARGET.
fuzz:
	scripts/fuzz run $(or $(TIME),600) $(TARGET)

fuzz-corpus:
	scripts/fuzz keep $(TARGET)

# SHAPES, WIDTH and others on make's command line reach it as environment; it says which there are.
bench-peers: | $(XDG_RUNTIME_DIR)
	benches/peers/compare

clean:
	cargo clean
