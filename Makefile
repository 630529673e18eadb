# Every target works in a fresh clone: what it needs is built first, and kept for the next time.
# `make` alone prints what there is.

# Version of the operator, and of what is released with it.
VERSION = 0.1.0
# Image of the operator, to build or to deploy.
IMG ?= memhog-operator:dev
# Where released images are: the operator's here, the others' beside it. A bundle and a catalog name them so.
IMAGE_BASE = ghcr.io/kubedemo/memhog-operator
RELEASED_IMG = $(IMAGE_BASE):v$(VERSION)
BUNDLE_IMG = $(IMAGE_BASE)-bundle:v$(VERSION)
SCORECARD_IMG = $(IMAGE_BASE)-scorecard:v$(VERSION)
CATALOG_IMG = $(IMAGE_BASE)-catalog:latest
# Channels of the bundle, and the one that subscribers get who name none.
CHANNELS = stable,candidate
DEFAULT_CHANNEL = stable
# OpenShift releases that the bundle is offered on: 4.16 is the first with Kubernetes 1.29.
OPENSHIFT_VERSIONS = v4.16
# Builds the images: docker, podman or the like.
CONTAINER_TOOL ?= docker
# More arguments for `go test`, for example -race or -run=TestDecide.
TESTFLAGS ?=
# Time that each suite of `make e2e` may take.
E2E_TIMEOUT ?= 60m

SHELL := bash
.SHELLFLAGS := -o pipefail -ec
# A recipe is one script, which ends at the first command that fails.
.ONESHELL:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# The operator itself, the tools that build and check it, and the tests on a real cluster.
MODULES := . tools test
# Builds a pinned program when it is missing, and prints where it is. Progress goes to standard error.
TOOL := go -C tools run ./cmd/tool
LDFLAGS := -s -w -X main.version=$(VERSION)
# The image name in config/manager/kustomization.yaml, which IMG takes the place of.
CONFIG_IMG := memhog-operator:dev

##@ General

.PHONY: help
help: ## Print this.
	@awk 'BEGIN { FS = ":.*##"; printf "\nUsage:\n  make \033[36mTARGET\033[0m [VARIABLE=value]\n" } \
		/^[a-zA-Z0-9_-]+:.*##/ { printf "  \033[36m%-14s\033[0m %s\n", $$1, $$2 } \
		/^##@/ { printf "\n\033[1m%s\033[0m\n", substr($$0, 5) }' $(firstword $(MAKEFILE_LIST))

.PHONY: tools
tools: ## Build every program that the other targets need, ahead of time (half an hour at first, on two cores).
	@$(TOOL) path cluster prometheus verify lifecycle

.PHONY: clean
clean: ## Remove what was built inside the clone.
	rm -rf bin dist

##@ Development

.PHONY: generate
generate: ## Generate the API types' DeepCopy methods.
	@controller_gen=$$($(TOOL) path controller-gen)
	echo "controller-gen object"
	"$$controller_gen" object:headerFile=hack/boilerplate.go.txt paths=./api/...

.PHONY: manifests
manifests: ## Generate the CustomResourceDefinition and the operator's ClusterRole from the markers in the code.
	@controller_gen=$$($(TOOL) path controller-gen)
	echo "controller-gen crd rbac"
	"$$controller_gen" crd:allowDangerousTypes=true rbac:roleName=manager paths=./... \
		output:crd:artifacts:config=config/crd/bases

.PHONY: fmt
fmt: ## Format all Go code.
	@lint=$$($(TOOL) path golangci-lint)
	for module in $(MODULES); do
		echo "format $$module"
		(cd "$$module" && "$$lint" fmt ./...)
	done

.PHONY: tidy
tidy: ## Bring every go.mod and go.sum in line with the code.
	@for module in $(MODULES); do
		echo "tidy $$module"
		go -C "$$module" mod tidy
	done

.PHONY: vet
vet: ## Run go vet over all modules.
	@for module in $(MODULES); do
		echo "go vet $$module"
		go -C "$$module" vet ./...
	done

.PHONY: lint
lint: ## Run golangci-lint over all modules.
	@lint=$$($(TOOL) path golangci-lint)
	failed=0
	for module in $(MODULES); do
		echo "lint $$module"
		(cd "$$module" && "$$lint" run ./...) || failed=1
	done
	exit $$failed

# The state of the whole tree, untracked files included and ignored ones left out, as the id of a git tree object.
# It is made with an index of its own, so the developer's is not touched.
define TREE
index=$$(mktemp) && cp "$$(git rev-parse --git-path index)" "$$index" &&
	GIT_INDEX_FILE="$$index" git add --all . && GIT_INDEX_FILE="$$index" git write-tree && rm -f "$$index"
endef

# With CI set, the tree must be that of the commit from the start; without, uncommitted work is fine as long as
# nothing changes it.
.PHONY: verify
verify: ## Regenerate everything, lint, build every folder of config, then fail on any difference in the tree.
	@before=$$($(TREE))
	if [ -n "$$CI" ]; then before=$$(git rev-parse 'HEAD^{tree}'); fi
	$(MAKE) generate manifests bundle catalog tidy fmt
	$(MAKE) lint config bundle-validate
	after=$$($(TREE))
	if ! git --no-pager diff --stat --patch --exit-code "$$before" "$$after"; then
		echo "make verify: the tree differs from what is generated, see above: run 'make generate manifests bundle catalog tidy fmt' and commit" >&2
		exit 1
	fi
	echo "make verify: nothing differs"

.PHONY: config
config: ## Build every folder of config with kustomize, to see that it can be; components as part of what uses them.
	@kustomize=$$($(TOOL) path kustomize)
	for folder in $$(find config -name kustomization.yaml -exec grep -L '^kind: Component$$' {} + | xargs dirname | sort); do
		echo "kustomize build $$folder"
		"$$kustomize" build "$$folder" >/dev/null
	done

##@ Test

.PHONY: test
test: ## Run the unit, property and API-server integration tests. Needs no root.
	@assets=$$($(TOOL) dir apiserver)
	KUBEBUILDER_ASSETS="$$assets" go test $(TESTFLAGS) ./...
	go -C tools test $(TESTFLAGS) ./...
	go -C test test -short $(TESTFLAGS) $$(go -C test list ./... | grep -v '/e2e$$')

.PHONY: e2e
e2e: ## Run the end-to-end tests on virtual machines and a real cluster: one of their own (needs root), or that of KUBECONFIG.
	@if [ "$$(id -u)" != 0 ] && [ -z "$$KUBECONFIG" ]; then
		echo "make e2e: a cluster of its own needs root; set KUBECONFIG to use another" >&2
		exit 1
	fi
	$(TOOL) path $(if $(KUBECONFIG),,cluster prometheus) promtool >/dev/null # not while stories are told, which it would slow down
	set -x
	go -C test test -count=1 -timeout=$(E2E_TIMEOUT) -v $(TESTFLAGS) ./vm
	go -C test test -count=1 -timeout=$(E2E_TIMEOUT) -v $(TESTFLAGS) ./cluster
	go -C test test -count=1 -timeout=$(E2E_TIMEOUT) -v $(TESTFLAGS) -skip='^Test(WithoutResize|Agent)' ./e2e
	if [ -z "$$KUBECONFIG" ]; then
		MEMHOG_E2E_AGENTS=1 go -C test test -count=1 -timeout=$(E2E_TIMEOUT) -v $(TESTFLAGS) -run=^TestAgent ./e2e
		MEMHOG_E2E_WITHOUT_RESIZE=1 go -C test test -count=1 -timeout=$(E2E_TIMEOUT) -v $(TESTFLAGS) -run=^TestWithoutResize ./e2e
	fi

.PHONY: replay
replay: ## Replay memory traces through the operator's decisions, and write the table and the charts of docs/replay.md anew.
	@go -C test run ./replay --markdown ../docs/replay.md --chart ../docs

.PHONY: bench-resize
bench-resize: ## Measure how long resizes in place take, on a real cluster (needs root), and write it into docs/in-place.md.
	@go -C test run ./cmd/bench --docs ../docs resize

.PHONY: bench-fill
bench-fill: ## Measure which growth each source of samples survives, agents first (two to three hours, needs root), and write it into docs/agent.md.
	@go -C test run ./cmd/bench --docs ../docs fill

.PHONY: bench-agent
bench-agent: ## Measure what an agent takes of its node, on a real cluster (needs root), and write it into docs/agent.md.
	@go -C test run ./cmd/bench --docs ../docs agent

.PHONY: demo
demo: ## Watch a container being rescued on a real cluster. RATE=512: MiB a second; AGENT=off; STRATEGY=Rollout: not in place; METRICS=prometheus; KEEP=1: leave the cluster up.
	@echo "compiling the demo: a minute or two at first"
	go -C test run ./cmd/demo

##@ Build

.PHONY: build
build: ## Build the operator into bin/manager.
	CGO_ENABLED=0 go build -trimpath -ldflags "$(LDFLAGS)" -o bin/manager .

.PHONY: run
run: ## Run the operator here, against the cluster of your kubeconfig. ARGS are its flags.
	go run -ldflags "$(LDFLAGS)" . $(ARGS)

.PHONY: docker-build
docker-build: ## Build the image IMG.
	$(CONTAINER_TOOL) build --build-arg VERSION=$(VERSION) -t $(IMG) .

##@ Operator Lifecycle Manager

# The names of what `make docker-build` makes give way to those of the release. The generator notes the time at which
# it ran; the date of the release, from the base, takes its place, so that the same input gives the same bundle. Of the
# related images the generator knows only those that a container's environment names, and ours names none. OLM makes a
# Service for the webhook itself.
.PHONY: bundle
bundle: ## Generate the bundle of VERSION in bundle/, and bundle.Dockerfile.
	@operator_sdk=$$($(TOOL) path operator-sdk)
	kustomize=$$($(TOOL) path kustomize)
	base=config/manifests/bases/memhog-operator.clusterserviceversion.yaml
	echo "operator-sdk generate kustomize manifests"
	"$$operator_sdk" generate kustomize manifests --quiet --interactive=false
	rm -rf bundle bundle.Dockerfile
	echo "operator-sdk generate bundle --version $(VERSION)"
	"$$kustomize" build config/manifests |
		sed -e 's|image: memhog-operator:dev$$|image: $(RELEASED_IMG)|' -e 's|containerImage: memhog-operator:dev$$|containerImage: $(RELEASED_IMG)|' \
			-e 's|image: memhog-operator-scorecard:dev$$|image: $(SCORECARD_IMG)|' |
		"$$operator_sdk" generate bundle --quiet --overwrite --version $(VERSION) \
			--channels $(CHANNELS) --default-channel $(DEFAULT_CHANNEL) --extra-service-accounts memhog-operator-agent
	rm bundle/manifests/memhog-operator-webhook_v1_service.yaml
	created=$$(grep '^    createdAt:' $$base)
	sed -i -e "s|^    createdAt:.*|$$created|" \
		-e 's|^  version: $(VERSION)$$|  relatedImages:\n  - image: $(RELEASED_IMG)\n    name: manager\n&|' \
		bundle/manifests/memhog-operator.clusterserviceversion.yaml
	printf '\n  # Releases of OpenShift that the bundle is offered on.\n  com.redhat.openshift.versions: %s\n' $(OPENSHIFT_VERSIONS) \
		>>bundle/metadata/annotations.yaml
	printf '\n# Releases of OpenShift that the bundle is offered on.\nLABEL com.redhat.openshift.versions=%s\n' $(OPENSHIFT_VERSIONS) \
		>>bundle.Dockerfile

# Every warning counts, but for those of the multiarch check on an image that cannot be looked at: before a release it
# is not published, and a machine may have no container tool. Nor does the one that takes a right to CronJobs and
# HorizontalPodAutoscalers for a use of their old versions: rights are to all versions.
.PHONY: bundle-validate
bundle-validate: ## Check the bundle by all that operator-sdk knows of bundles; a warning fails.
	@operator_sdk=$$($(TOOL) path operator-sdk)
	for check in suite=operatorframework name=operatorhubv2 name=good-practices name=capabilities name=categories name=multiarch; do
		echo "operator-sdk bundle validate --select-optional $$check"
		said=$$("$$operator_sdk" bundle validate ./bundle --select-optional "$$check" --optional-values=k8s-version=1.37 2>&1) || failed=yes
		bad=$$(grep -iE 'level=(warn|error|fatal)' <<<"$$said" | grep -vE 'unable to inspect the image|error/error|removed in v1.25.* for (cronjobs|horizontalpodautoscalers): [^:]*ClusterPermissions[^:]*,(cronjobs|horizontalpodautoscalers): [^:]*ClusterPermissions[^:]*$$' || true)
		if [ -n "$$failed$$bad" ]; then
			echo "$$said" >&2
			exit 1
		fi
	done

.PHONY: catalog
catalog: ## Render the catalog in catalog/ from config/catalog/template.yaml and the bundles, and validate it.
	@echo "opm alpha render-template config/catalog/template.yaml"
	go -C test run ./cmd/catalog

.PHONY: olm-images
olm-images: ## Build the images of bundle, catalog and scorecard by CONTAINER_TOOL.
	$(CONTAINER_TOOL) build -f bundle.Dockerfile -t $(BUNDLE_IMG) .
	$(CONTAINER_TOOL) build -f catalog.Dockerfile -t $(CATALOG_IMG) .
	$(CONTAINER_TOOL) build -f test/scorecard/Dockerfile -t $(SCORECARD_IMG) .

# Called without a version of its own it would release the present one again.
.PHONY: release
release: ## Write VERSION into every file that names one, and generate bundle and catalog. Commits nothing: see docs/release.md.
	@if [ "$(origin VERSION)" != "command line" ]; then echo "make release: say which, as in VERSION=0.2.0" >&2; exit 1; fi
	go -C test run ./cmd/release $(VERSION)
	$(MAKE) bundle bundle-validate catalog VERSION=$(VERSION)

.PHONY: scorecard
scorecard: ## Run the scorecard on the bundle, on a real cluster (needs root).
	@go -C test run ./cmd/scorecard

.PHONY: olm-e2e
olm-e2e: ## Run the way from a catalog to upgrades and uninstall, with the real OLM on a real cluster (needs root).
	go -C test test -count=1 -timeout=$(E2E_TIMEOUT) -v $(TESTFLAGS) ./olm

##@ Deployment

.PHONY: cluster-up
cluster-up: ## Start a real single-node Kubernetes on this machine (needs root).
	@go -C test run ./cmd/cluster up

.PHONY: cluster-down
cluster-down: ## Stop it.
	@go -C test run ./cmd/cluster down

.PHONY: install
install: ## Install the CustomResourceDefinition into the cluster of your kubeconfig.
	@kustomize=$$($(TOOL) path kustomize)
	kubectl=$$($(TOOL) path kubectl)
	"$$kustomize" build config/crd | "$$kubectl" apply -f -

.PHONY: uninstall
uninstall: ## Remove the CustomResourceDefinition, and with it every AppMonitor.
	@kustomize=$$($(TOOL) path kustomize)
	kubectl=$$($(TOOL) path kubectl)
	"$$kustomize" build config/crd | "$$kubectl" delete --ignore-not-found -f -

.PHONY: deploy
deploy: ## Install the operator, image IMG, into the cluster of your kubeconfig.
	@kustomize=$$($(TOOL) path kustomize)
	kubectl=$$($(TOOL) path kubectl)
	"$$kustomize" build config/default | sed 's|image: $(CONFIG_IMG)$$|image: $(IMG)|' | "$$kubectl" apply -f -

.PHONY: undeploy
undeploy: ## Remove the operator, the CustomResourceDefinition and every AppMonitor. Workloads stay as they are.
	@kustomize=$$($(TOOL) path kustomize)
	kubectl=$$($(TOOL) path kubectl)
	"$$kustomize" build config/default | "$$kubectl" delete --ignore-not-found -f -
