# The targets that people and CI both use. `make test` needs cargo and installs the rest.

CARGO ?= cargo

.PHONY: help run test fuzz kills soak tools peers prometheus manifests lint format generated bench docs setup

help: ## What there is
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/'

run: ## Build elder and run jobs.d
	$(CARGO) run --release --locked -- run jobs.d

test: setup tools peers prometheus manifests lint ## Lints, then all tests
	@rm -f "$${CARGO_TARGET_DIR:-target}/tmp/not-tested"
	ELDER_COMMIT_SEED="$$(git log -1 --format=%ct 2>/dev/null || date +%s)" $(CARGO) test --locked
	@sort -u "$${CARGO_TARGET_DIR:-target}/tmp/not-tested" 2>/dev/null || echo "nothing was left untested"

fuzz: setup ## Each parser for FUZZ_SECONDS (60), on inputs that are nearly right
	FUZZ_SECONDS="$${FUZZ_SECONDS:-60}" ELDER_SEED="$${ELDER_SEED:-$$(date +%s)}" \
	  $(CARGO) test --locked --profile fuzz --test it fuzz:: -- --nocapture

kills: setup tools ## Kill elder ELDER_KILLS (500) times at random moments; some three minutes
	ELDER_KILLS="$${ELDER_KILLS:-500}" $(CARGO) test --locked --test it p01_one_record -- --nocapture

soak: setup ## Edits without end under hundreds of runs, for ELDER_SOAK seconds (600)
	ELDER_SOAK="$${ELDER_SOAK:-600}" $(CARGO) test --locked --test it machine::soak -- --nocapture

# Debian's names. A test that lacks its tool says so and passes.
tools: ## Install what the tests inject faults with
	@command -v strace >/dev/null && command -v mkfs.ext4 >/dev/null && command -v prlimit >/dev/null || { \
	  if [ "$$(id -u)" = 0 ]; then as_root=; else as_root="sudo -n"; fi; \
	  $$as_root apt-get update -qq && $$as_root apt-get install -y -qq --no-install-recommends strace e2fsprogs util-linux; } \
	  || echo "strace, e2fsprogs or util-linux are not to be had: some faults are not tested" >&2

peers: ## Install what elder's fires and its schema are compared with
	@tests/peers/install "$${CARGO_TARGET_DIR:-target}/tmp/peers"

prometheus: ## Unpack what elder's rules and metrics are tried with
	@tests/prometheus/install "$${CARGO_TARGET_DIR:-target}/tmp/prometheus"

manifests: ## Install what deploy/ is checked with
	@tests/deploy/install "$${CARGO_TARGET_DIR:-target}/tmp/deploy"

lint: setup ## Format and clippy, without changing anything
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings

format: ## Format all of it
	$(CARGO) fmt

generated: setup ## Make again what is made: schemas, the shipped alert rules, the list of keys
	$(CARGO) build --locked
	$(CARGO) run -q --locked -- schema > schema/elder.schema.json
	$(CARGO) run -q --locked -- schema --tests > schema/elder-test.schema.json
	empty="$$(mktemp -d)" && $(CARGO) run -q --locked -- rules "$$empty" --format prometheusrule \
	  | tee deploy/kubernetes/monitoring/prometheusrule.yaml > deploy/helm/elder/files/prometheusrule.yaml
	cd deploy/kubernetes/overlay && $(CARGO) run -q --locked -- rules jobs --format prometheusrule > prometheusrule.yaml
	-$(CARGO) test -q --locked --test it the_list_of_keys > /dev/null 2>&1
	! [ -e "$${CARGO_TARGET_DIR:-target}/tmp/keys.md" ] || mv "$${CARGO_TARGET_DIR:-target}/tmp/keys.md" docs/keys.md

bench: setup ## Measure; tables on standard output
	$(CARGO) bench --locked

docs: ## The documentation of the code, in target/doc
	RUSTDOCFLAGS="-D warnings -A rustdoc::private-intra-doc-links" $(CARGO) doc --locked --no-deps --document-private-items

# SQLite and ring are compiled from C, so a C compiler must be there; rustup
# brings rustfmt and clippy where its minimal profile left them out.
setup:
	@command -v $(CARGO) >/dev/null || { echo "cargo is missing: see https://rustup.rs" >&2; exit 1; }
	@command -v cc >/dev/null || { \
	  if [ "$$(id -u)" = 0 ]; then as_root=; else as_root=sudo; fi; \
	  $$as_root apt-get update && $$as_root apt-get install -y --no-install-recommends gcc libc6-dev; }
	@$(CARGO) fmt --version >/dev/null 2>&1 || rustup component add rustfmt
	@$(CARGO) clippy --version >/dev/null 2>&1 || rustup component add clippy
