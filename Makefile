# The one front door. `make help` lists what there is.
#
# Every target installs what it needs and says so. Build products and downloads are kept outside the tree, in
# $XDG_CACHE_HOME/vouch (~/.cache/vouch), so that a clean clone starts warm.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory

CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/vouch
export CARGO_TARGET_DIR ?= $(CACHE)/target
VIRTUAL_KEY_TARGET := $(CACHE)/virtual-key
export VOUCH_VIRTUAL_KEY := $(VIRTUAL_KEY_TARGET)/debug/virtual-key
export VOUCH_ISSUER := $(CARGO_TARGET_DIR)/debug/vouch-issuer
export VOUCH_KUBECTL_VOUCH := $(CARGO_TARGET_DIR)/debug/kubectl-vouch
export VOUCH_OPERATOR := $(CARGO_TARGET_DIR)/debug/vouch-operator
export VOUCH_CLUSTER := $(CACHE)/cluster/current/cluster

# A machine that builds once has no use for incremental compilation, and must not change the lock file.
ifdef CI
export CARGO_INCREMENTAL := 0
export CARGO_TERM_COLOR := never
LOCKED := --locked
endif

CARGO_DENY := 0.20.2
CARGO_CYCLONEDX := 0.5.9
# Both, because people use both.
HELM := v4.3.1
HELM_3 := v3.22.0
export VOUCH_HELM := $(CACHE)/tools/helm-$(HELM)/bin/helm
export VOUCH_HELM_3 := $(CACHE)/tools/helm-$(HELM_3)/bin/helm
# Writes the chart's README from the comments of its values.
HELM_DOCS := v1.14.2
export VOUCH_HELM_DOCS := $(CACHE)/tools/helm-docs-$(HELM_DOCS)/bin/helm-docs

# For each fuzz target.
FUZZ_SECONDS := 10

# To compile the workspace; to compile the virtual key's firmware; to run the end-to-end tests.
PACKAGES_TO_BUILD := g++ gcc libc6-dev libudev-dev make pkg-config
PACKAGES_FOR_VIRTUAL_KEY := clang
PACKAGES_TO_TEST := faketime jq openssl strace util-linux
# To link programs statically, C in them included.
PACKAGES_FOR_IMAGES := ca-certificates musl-tools
# What somebody can do who cannot become root.
WITHOUT_ROOT := make test IN_CLUSTER=no leaves out what takes root
# To run the nodes of the test cluster; a control plane alone needs none of it.
PACKAGES_FOR_CLUSTER := conntrack containerd containernetworking-plugins iptables nftables runc util-linux

.PHONY: help
help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

ifneq ($(filter demo demo-local,$(MAKECMDGOALS)),)
ifneq ($(filter-out virtual usb,$(KEY)),)
$(error KEY=$(KEY) is no key of the demonstration: it is virtual, the default, or usb)
endif
endif

.PHONY: demo
demo: WITHOUT_ROOT := make demo-local does the same without Kubernetes, and needs no root
demo: setup-root binaries virtual-key setup-clients setup-helm cluster ## Watch `helm install` and one tap become AWS credentials in two accounts. Uses sudo. KEY=usb uses your own key.
	@setup/as-root $(CARGO_TARGET_DIR)/debug/demo --cluster $(if $(KEY),--key $(KEY))

.PHONY: demo-local
demo-local: binaries virtual-key setup-clients ## The same without Kubernetes, in seconds.
	@$(CARGO_TARGET_DIR)/debug/demo $(if $(KEY),--key $(KEY))

.PHONY: test
test: setup-root lint test-cluster binaries virtual-key setup-clients setup-helm cluster fuzz ## Everything that is checked before a change lands. Uses sudo; IN_CLUSTER=no does without, and checks less.
	CARGO_TARGET_DIR=$(VIRTUAL_KEY_TARGET) cargo test $(LOCKED) --manifest-path e2e/virtual-key/Cargo.toml
	cargo test $(LOCKED) --workspace --doc
	cargo test $(LOCKED) --workspace --tests --no-fail-fast
ifeq ($(IN_CLUSTER),no)
	@echo "not run, because IN_CLUSTER=no: the scenarios in a real cluster. With sudo or as root: make test-in-cluster" >&2
else
	@$(MAKE) test-in-cluster
endif

.PHONY: check
check: lint ## The quick part: format, lints, dependencies, unit tests.
	cargo test $(LOCKED) --workspace --lib

.PHONY: bench
bench: setup-build cluster ## Compare with limits and peers, in release builds; prints ratios. ONLY="row row" measures some.
	cargo build $(LOCKED) --release --bin vouch-bench --bin controller-control --bin static-control \
		--bin vouch --bin vouch-issuer
	cargo build $(LOCKED) --profile operator --package vouch-operator --bin vouch-operator
	ln -f $(CARGO_TARGET_DIR)/operator/vouch-operator $(CARGO_TARGET_DIR)/release/vouch-operator
	$(CARGO_TARGET_DIR)/release/vouch-bench $(ONLY)

.PHONY: fuzz
fuzz: setup-build ## Feed every parser of foreign bytes for a while. FUZZ_SECONDS=600 for longer.
	e2e/fuzz/run $(FUZZ_SECONDS)

.PHONY: generate
generate: setup-build setup-helm ## Write the custom resource definitions, the chart's copies and the reference pages again. Tests say when they differ.
	cargo run --package vouch-crds --example generate
	cargo run --package vouch-chart
	$(VOUCH_HELM_DOCS) --log-level warning --chart-search-root charts
	cargo run --package vouch-operator --example generate
	cargo run --package vouch-issuer --bin vouch-issuer -- reference >docs/reference/issuer.md
	cargo run --package vouch-cli --bin vouch -- reference cli >docs/reference/cli.md
	cargo run --package vouch-cli --bin vouch -- reference environment >docs/reference/environment.md

.PHONY: fmt
fmt: ## Format the code.
	cargo fmt --all
	cargo fmt --manifest-path e2e/virtual-key/Cargo.toml

.PHONY: lint
lint: setup-build setup-deny
	cargo fmt --all --check
	cargo fmt --manifest-path e2e/virtual-key/Cargo.toml --check
	PATH="$(CACHE)/tools/cargo-deny-$(CARGO_DENY)/bin:$$PATH" cargo deny --log-level warn --locked check bans licenses sources
	cargo clippy $(LOCKED) --workspace --all-targets -- --deny warnings
	cargo clippy $(LOCKED) --workspace --test cluster -- --deny warnings

.PHONY: binaries
binaries: setup-build
	cargo build $(LOCKED) --workspace --bins

.PHONY: virtual-key
virtual-key: setup-virtual-key ## Build the security key in software, which the tests and the demo use.
	CARGO_TARGET_DIR=$(VIRTUAL_KEY_TARGET) cargo build $(LOCKED) --manifest-path e2e/virtual-key/Cargo.toml

.PHONY: cluster
cluster: setup-cluster ## Compile Kubernetes and etcd for the tests; the first time takes a quarter of an hour.
	@e2e/cluster/build

.PHONY: images
images: setup-images cluster ## Pack the static programs as OCI archives, for tests; RELEASE=1 as for people.
	@LOCKED=$(LOCKED) images/build

.PHONY: sbom
sbom: setup-build ## Write what the images are made of, as CycloneDX.
	@CYCLONEDX=$$(setup/cargo-tool cargo-cyclonedx $(CARGO_CYCLONEDX)) images/sbom

.PHONY: test-cluster
test-cluster: ## Check the code of the test cluster itself. Starts nothing.
	@setup/go
	@unformatted=$$(gofmt -l e2e/cluster); [ -z "$$unformatted" ] || { echo "gofmt -w $$unformatted" >&2; exit 1; }
	cd e2e/cluster && go vet -tags real ./internal/... && go test ./internal/...

.PHONY: try-cluster
try-cluster: cluster ## Start and break real clusters, and see that nothing of them is left. Needs root.
	cd e2e/cluster && go test -tags real -count 1 -v ./internal/real

.PHONY: test-chart
test-chart: setup-build setup-helm cluster ## Check the chart: with both Helms, against the programs it installs, and on an API server.
	cargo build $(LOCKED) --package vouch-operator --package vouch-issuer --bins
	cargo test $(LOCKED) --package vouch-chart

.PHONY: test-in-cluster
test-in-cluster: setup-root binaries virtual-key setup-clients setup-helm cluster ## Run the scenarios in a real cluster, whose nodes take root: uses sudo. ONLY=name runs some.
	cargo test $(LOCKED) --workspace --test cluster --no-run
	cargo --config "target.'cfg(all())'.runner = '$(CURDIR)/setup/as-root'" \
		test $(LOCKED) --workspace --test cluster -- $(ONLY)

.PHONY: setup-cluster setup-helm setup-images setup-root
setup-root:
ifneq ($(IN_CLUSTER),no)
	@setup/as-root || { echo "setup: $(WITHOUT_ROOT)" >&2; exit 1; }
endif
setup-cluster:
	@setup/go
	@setup/packages $(PACKAGES_FOR_CLUSTER)
setup-images: setup-build
	@setup/packages $(PACKAGES_FOR_IMAGES)
	@setup/rust-target $(shell uname -m)-unknown-linux-musl
setup-helm:
	@setup/go-tool helm helm.sh/helm/v4/cmd/helm $(HELM) >/dev/null
	@setup/go-tool helm helm.sh/helm/v3/cmd/helm $(HELM_3) >/dev/null
	@setup/go-tool helm-docs github.com/norwoodj/helm-docs/cmd/helm-docs $(HELM_DOCS) >/dev/null

.PHONY: setup-build setup-virtual-key setup-clients setup-deny
setup-build:
	@command -v cargo >/dev/null || { echo "setup: Rust is missing; install it as https://rustup.rs says" >&2; exit 1; }
	@setup/packages $(PACKAGES_TO_BUILD)
setup-virtual-key: setup-build
	@setup/packages $(PACKAGES_FOR_VIRTUAL_KEY)
setup-clients:
	@setup/packages $(PACKAGES_TO_TEST)
	@setup/python-clients >/dev/null
setup-deny:
	@setup/cargo-tool cargo-deny $(CARGO_DENY) >/dev/null
