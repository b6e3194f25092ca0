# The newcomer's two commands are `go run ./examples/echo-api` and `make test`.

# Modules with tests that need no server. The root is also tested alone
# (GOWORK=off), to show that it needs none of the others.
MODULES   := . cmd/latido embedded examples/echo-api bench
# e2e, its servers and bench are not in the workspace, which would otherwise
# take the highest version that any of them asks for.
CACHE     := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/latido
GREMLINS  := $(CACHE)/tools/gremlins-v0.6.0
LINT      := $(CACHE)/tools/golangci-lint-v2.15.0
TESTFLAGS ?=
# The packages whose tests take longest go first: none of them is left to run
# alone at the end of its module.
LONGEST   := continuous internal/cause telemetry internal/evidence internal/scaffold internal/fleet

.DEFAULT_GOAL := help
.PHONY: help test mutate e2e kubernetes causes pictures lint bench generate golden fuzz

help: ## Say what can be made.
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

test: ## Test every module; no server is built. TESTFLAGS=-race has the race detector on.
	@for m in $(MODULES); do \
		echo "== $$m"; \
		(cd $$m && GOWORK=off go test -timeout 1h $(TESTFLAGS) $$(find $(LONGEST:%=./%) -maxdepth 0 2>/dev/null) ./...) || exit 1; \
	done

mutate: $(GREMLINS) ## Change the code, and ask whether tests notice. PACKAGE=domain SINCE=main BUDGET=5m ONE_IN=8 BY_HAND=1
	cd e2e && GREMLINS=$(GREMLINS) GOWORK=off go run ./mutants $(if $(BY_HAND),-by-hand) $(if $(SINCE),-changed $(SINCE)) \
		$(if $(BUDGET),-budget $(BUDGET)) $(if $(ONE_IN),-one-in $(ONE_IN)) $(PACKAGE)

$(GREMLINS):
	@mkdir -p $(@D)/build
	GOWORK=off GOBIN=$(@D)/build go install github.com/go-gremlins/gremlins/cmd/gremlins@v0.6.0
	@mv $(@D)/build/gremlins $@

e2e: ## Build the real servers once, and test against them.
	e2e/servers/build.sh
	cd e2e && GOWORK=off go build ./... # once, and not beside tests that look at what the CPU does
	cd e2e && GOWORK=off go test -count=1 -timeout 2h -parallel 4 $(TESTFLAGS) ./...

kubernetes: ## Build an API server of Kubernetes once, 17 min of CPU time, and have it take what is generated.
	e2e/servers/build.sh etcd controller-gen kube-apiserver
	cd e2e && KUBERNETES=1 GOWORK=off go test -count=1 -v -timeout 2h -run 'TestKubernetes' $(TESTFLAGS) .

causes: ## Break a service, judge what its alerts say, write docs/causes.md. FAULT=name,name PACE=normal HEALTHY=30m
	cd e2e && CAUSES=$(or $(PACE),fast) FAULT=$(FAULT) HEALTHY=$(HEALTHY) GOWORK=off \
		go test -count=1 -v -timeout 24h -parallel 6 -run '$(if $(HEALTHY),TestHealthy,TestFaults)' ./faults

pictures: ## Take the screenshots of the documents from the running example, and write their date.
	cd e2e && PICTURES=$(CURDIR)/docs GOWORK=off go test -count=1 -run TestPictures .

lint: $(LINT) ## Check formatting, imports between packages, common mistakes, and that mutations apply.
	@for m in $(MODULES) e2e; do \
		echo "== lint $$m"; \
		(cd $$m && GOWORK=off $(LINT) run --config $(CURDIR)/.golangci.yaml ./...) || exit 1; \
	done
	cd e2e && GOWORK=off go test -run TestPatchesApply ./mutants

$(LINT):
	@echo "golangci-lint: building once (some 4 min)"
	@mkdir -p $(@D)/build
	@cd $(@D)/build && GOWORK=off GOBIN=$(@D)/build go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
	@mv $(@D)/build/golangci-lint $@

bench: ## Measure beside the peers: one table, bench/latest.json, docs/performance.md.
	cd bench && GOWORK=off go run ./table

generate: ## Write again every file that is generated.
	cd domain && GOWORK=off go generate ./...
	cd examples/echo-api && go generate ./...
	@for what in rules rule-tests alertmanager runbook dashboards stack; do \
		GOWORK= go run ./cmd/latido generate $$what -domain examples/echo-api/domain.yaml -dir . -main ./examples/echo-api || exit 1; \
	done

golden: ## Write the golden files again; read the diff.
	GOWORK=off go test ./domain ./telemetry ./continuous ./alerting ./dashboards ./internal/evidence -update
	cd cmd/latido && GOWORK=off go test . ./internal/check ./internal/doctor ./internal/generate ./internal/scaffold -update

fuzz: ## Fuzz what parses bytes from outside, a minute each.
	GOWORK=off go test ./domain -run '^$$' -fuzz FuzzLoad -fuzztime 1m
	GOWORK=off go test ./domain -run '^$$' -fuzz FuzzParseQuantity -fuzztime 1m
	GOWORK=off go test ./telemetry -run '^$$' -fuzz FuzzSpanAsOtelhttp -fuzztime 1m
	GOWORK=off go test ./telemetry -run '^$$' -fuzz FuzzContainer -fuzztime 1m
