# What can be done here; `make help` lists it. Needs Rust; scripts/prepare sees to the rest.

# Without it, Mesa's drivers complain on stderr where nobody has logged in.
ifndef XDG_RUNTIME_DIR
export XDG_RUNTIME_DIR := $(CURDIR)/target/runtime
endif

.PHONY: help demo test test-full bench-peers clean
# Targets build into the same folder.
.NOTPARALLEL:

help:
	@echo "make demo         condense the embedded digits, ten seconds on two CPU cores after the build"
	@echo "make test         format, lints, every test, the documentation"
	@echo "make test-full    the same, and the tests that take long, optimised"
	@echo "make bench-peers  times beside PyTorch and burn, where they are; WIDTH=32 ITERATIONS=3 is quick"
	@echo "make clean        remove what was built, keep runs/"

$(XDG_RUNTIME_DIR):
	@mkdir -p -m 700 $@

# Smaller than published (width 128, 256 real images, 1000 iterations), so that a CPU can follow.
demo: | $(XDG_RUNTIME_DIR)
	scripts/prepare --release
	cargo run --quiet --release -- --dataset glyphs --ipc 10 --iterations 150 --width 32 --batch-real 64 --eval-nets 2 --eval-epochs 60
	@echo "Open grid.png in that folder: one row per class. README.md says what the other files are."

test: | $(XDG_RUNTIME_DIR)
	cargo fmt --check
	scripts/prepare
	cargo clippy --all-targets -- -D warnings
	cargo clippy --no-default-features --tests -- -D warnings
	cargo test --no-fail-fast
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps

# Two ignored tests are not for a machine to judge: one asks the real mirrors, one draws a picture.
test-full: test
	cargo test --release -- --include-ignored --skip mirrors --skip contact_sheet

# SHAPES, WIDTH and others on make's command line reach it as environment; it says which there are.
bench-peers: | $(XDG_RUNTIME_DIR)
	benches/peers/compare

clean:
	cargo clean
