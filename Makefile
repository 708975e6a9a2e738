# Lockstep. `make` alone prints what there is.

SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# -trimpath everywhere: with it in some commands and not in others, every
# package is compiled and cached twice.
export GOFLAGS := -trimpath
# Nothing here needs C but the race detector; with cgo in some commands and not
# in others, everything that reaches package net would be compiled twice.
export CGO_ENABLED := 0
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X github.com/lockstep-db/lockstep/api/instance.Version=$(VERSION)
IMAGE ?= localhost/lockstep:dev

# Runs of each fault in the end-to-end tests; the distribution of the write gap
# comes from them.
RUNS ?= 10
# How long random commands are compared with redis-server, here and on a whole
# server, each.
SECONDS ?= 60
FUZZTIME ?= 30s

##@ Start here

.PHONY: help
help: ## Print this
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo

.PHONY: demo
demo: ## A three-instance cluster on a real Kubernetes loses its primary and recovers (CLUSTER=local|current|kind)
	@hack/demo up

.PHONY: demo-down
demo-down: ## Remove what `make demo` started
	@hack/demo down

.PHONY: test
test: packages test-fast test-large differential-short interop clients test-race test-apiserver test-e2e ## All tests; installs what they need
	@echo "make test: all passed"

##@ Build

.PHONY: build
build: ## Build the three binaries into bin/
	go build -ldflags '$(LDFLAGS)' -o bin/ ./cmd/...

.PHONY: image
image: ## Build the image without Docker into dist/lockstep.tar
	@mkdir -p dist
	hack/image/build dist/lockstep.tar $(IMAGE)

.PHONY: generate
generate: ## Regenerate deep copies, CRD and RBAC from the Go types
	hack/generate

##@ Test

.PHONY: packages
packages: ## Install the system packages that the tests need, when missing
	@hack/install-packages

.PHONY: test-fast
test-fast: ## Tests that need neither Kubernetes nor the end-to-end cluster: about a minute
	go test -short $$(go list ./... | grep -v -e /test/interop -e /test/clients)

.PHONY: test-large
test-large: ## The longest string and ten thousand connections; the server takes more than a gigabyte
	go test -run 'LongestString|TenThousandConnections' ./server

.PHONY: test-race
test-race: ## The race detector over everything that has more than one goroutine
	CGO_ENABLED=1 go test -short -race $$(go list ./server/... ./controllers/... ./api/... | grep -v -e /server/command -e /server/dataset -e /server/store -e /server/rdb -e /server/lua)

.PHONY: test-apiserver
test-apiserver: ## The operator against a real kube-apiserver and etcd
	KUBEBUILDER_ASSETS="$$(hack/cluster/cluster envtest-assets)" KUBEBUILDER_CONTROLPLANE_START_TIMEOUT=120s \
		go test ./controllers/... ./api/v1alpha1/... ./charts/... ./test/control/...

.PHONY: test-e2e
test-e2e: ## Faults on a real three-node Kubernetes, with a client that writes all the time
	RUNS=$(RUNS) hack/e2e

.PHONY: interop
interop: ## Replication with the real redis-server, in both directions
	go test -short ./test/interop/...

.PHONY: clients
clients: ## What applications do with clients in Go, JavaScript, Python and Rust, redis-cli and Sentinel
	go test -short ./test/clients/...

.PHONY: differential
differential: ## Random commands of all groups, here and on redis-server, for SECONDS each way: new seeds every time
	$(call random-commands,$(SECONDS),,)

# The same seeds every time, so that a change is judged by what it changes.
.PHONY: differential-short
differential-short:
	$(call random-commands,45,1,30)

random-commands = LOCKSTEP_SECONDS=$(1) LOCKSTEP_FIRST_SEED=$(2) LOCKSTEP_LAST_SEED=$(3) \
	go test -timeout 0 -v -run '^TestRandomCommands(OnAServer)?BehaveAsOnRedis$$' ./server/command | grep -v '^=== \|^    --- PASS'

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME
	hack/fuzz $(FUZZTIME)

.PHONY: lint
lint: ## gofmt, go vet and staticcheck
	hack/lint

.PHONY: bench
bench: build ## Side by side with the installed redis-server: CPU per command, memory per key, garbage collection
	go run ./test/bench -server bin/lockstep-server -markdown docs/benchmarks.md

.PHONY: clean
clean: ## Remove bin/ and dist/; the build caches stay
	rm -rf bin dist
