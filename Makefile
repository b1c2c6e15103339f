# `make help` lists all targets, each with the comment above it. Every setting is an environment variable:
#
#   make dev PORT=9100 DATA=.local/other FIRST_DUE_SECONDS=5

include infra/tools/tools.mk

.DEFAULT_GOAL := dev

# Lists all targets.
.PHONY: help
help:
	@awk '/^# /{text = text sep substr($$0, 3); sep = "\n" sprintf("%18s", "")} \
	  /^[a-z-]+:/{split($$0, name, ":"); if (text) printf "%-17s %s\n", name[1], text} \
	  !/^(# |\.PHONY)/{text = sep = ""}' $(MAKEFILE_LIST)

# Runs the stack on this machine. FRESH=1 starts it empty, DETACH=1 runs it in the background.
# PORT= and DATA= start a second one. A parameter of the template is a variable: FIRST_DUE_SECONDS=5.
# CACHE=1 reads through a Redis on CACHE_PORT (6379).
.PHONY: dev
dev: $(if $(CACHE),$(REDIS_READY))
	@infra/local/dev.sh dev

# Ends the stack of the same DATA.
.PHONY: stop
stop:
	@infra/local/stop.sh

# Runs the stack with the functions under `cargo lambda watch`.
.PHONY: watch
watch: $(CARGO_LAMBDA_READY)
	@infra/local/dev.sh watch

# Shows the history of an item, what it waits for, and the log lines that name it (docs/logs.md): make trace ID=pay_…
# Also for a re_, txn_, evt_, we_, key_ or "evt_… we_…" (a delivery), or the id of a request. On a deployed stack:
# STACK= AWS_REGION=. MERCHANT=, SINCE=2h, LOGS=0, JSON=1
.PHONY: trace
trace: $(if $(STACK),$(SAM_READY))
	@infra/trace/run.sh

# Makes 1,000 payments (PAYMENTS=), some refunds and all webhooks, then checks the books.
# It uses the running stack or starts its own. JSON=1 prints JSON.
.PHONY: demo
demo:
	@cargo build --quiet --workspace --bins
	@"$${CARGO_TARGET_DIR:-target}/debug/demo"

# Runs load while processes die, messages are lost, writes conflict and the store fails.
# Then the oracle looks for damage. MINUTES=10 CLIENTS=4 SEED=
.PHONY: chaos
chaos:
	@cargo build --quiet --workspace --bins
	@"$${CARGO_TARGET_DIR:-target}/debug/chaos"

# Runs Prometheus with the rules of infra/dashboards, on the running stack or on its own (docs/monitoring.md).
# PROMETHEUS_PORT=9090. DEMO=1 injects a failure for each alert, and waits until it has fired and cleared.
.PHONY: monitor
monitor: $(PROMETHEUS_READY)
	@cargo build --quiet --workspace --bins
	@"$${CARGO_TARGET_DIR:-target}/debug/monitor"

# Writes the dashboards of Grafana and Datadog from the table in infra/dashboards/dashboards.py.
.PHONY: dashboards
dashboards:
	@python3 infra/dashboards/dashboards.py

# Reads through the cache among writes, while Redis is killed, emptied, stopped, slowed, filled and damaged.
# Fails if an answer is older than what was acknowledged before. READS=1000000 CLIENTS=8 SEED=
.PHONY: stale
stale: $(REDIS_READY)
	@cargo build --quiet --workspace --bins
	@"$${CARGO_TARGET_DIR:-target}/debug/stale"

# Replays a growing business and its weekend by the clock: ten times the mean on Saturday, and a flash of fifty times.
# Builds what is deployed, as it is deployed. Writes .local/peak.json (PEAK_JSON=) and a plot beside it. QUICK=1 takes a
# minute and a half. KILLS=1 kills a process each second of the flash.
# HOUR_SECONDS=5 FLASH_SECONDS=60 STAGE_RATE=40 CACHE_URL= SEED=
.PHONY: peak
peak:
	@tests/bench/build.sh
	@cargo build --release --package spillway-tests --bin peak
	@"$${CARGO_TARGET_DIR:-target}/release/peak"

# Writes the figures and the plot of the last `make peak` into docs/scale.md and docs/images.
.PHONY: peak-docs
peak-docs:
	@cargo build --quiet --workspace --bins
	@"$${CARGO_TARGET_DIR:-target}/debug/peak" docs/scale.md docs/images/peak.svg

# Runs all checks and tests on this machine.
.PHONY: test
test: lint-template check-security lint-openapi deny test-tools
	@tests/run.sh

# Installs what the tests and checks need. With `make --jobs 4` it installs several tools at a time.
.PHONY: test-tools
test-tools: $(SAM_READY) $(CHECKOV_READY) $(REDOCLY_READY) $(CARGO_DENY_READY) $(EXAMPLES_READY) $(SCHEMATHESIS_READY) \
  $(CARGO_LAMBDA_READY) $(PROMETHEUS_READY) $(REDIS_READY)

# Checks licences and sources of all crates by deny.toml.
# DENY_CHECKS=advisories downloads RustSec's database and checks advisories.
.PHONY: deny
deny: $(CARGO_DENY_READY)
	@$(CARGO_DENY) --log-level error check --hide-inclusion-graph $(or $(DENY_CHECKS),licenses bans sources)

# Changes shared/domain in small ways. Fails if the unit tests miss more than 15 of these changes.
.PHONY: mutants
mutants:
	@tests/mutants.sh

# The same for the lines that differ from the commit before (BASE=). Fails if the tests miss one.
.PHONY: mutants-changed
mutants-changed:
	@tests/mutants.sh changed

# Writes docs/openapi.json from the declarations of the endpoints.
.PHONY: openapi
openapi:
	@cargo build --quiet --workspace --bins
	@"$${CARGO_TARGET_DIR:-target}/debug/openapi" docs/openapi.json

# Lints docs/openapi.json. Fails at the first warning.
.PHONY: lint-openapi
lint-openapi: $(REDOCLY_READY)
	@$(REDOCLY) lint --extends recommended-strict --max-problems 100 docs/openapi.json

# Writes the API reference to one file: make reference FILE=reference.html. `make dev` serves it at /docs.
.PHONY: reference
reference:
	@mkdir -p .local
	@cargo build --quiet --workspace --bin reference
	@"$${CARGO_TARGET_DIR:-target}/debug/reference" $(or $(FILE),.local/reference.html)
	@echo "$(or $(FILE),.local/reference.html)"

# Measures time, size and cost on this machine. Prints tables and writes .local/bench.json (BENCH_JSON=).
# QUICK=1 gives rough figures in two minutes. CPU_SHARES=1 gives each function the CPU that Lambda gives its memory
# (Linux, as root).
.PHONY: bench
bench: $(REDIS_READY)
	@tests/bench/run.sh

# Shows what breaks first (docs/scale.md): runs the functions' code within AWS's limits, in virtual time. Writes
# .local/capacity.json (CAPACITY_JSON=). PARTS=merchant,payments,folds,balance,sweep,patience,lists,cost  QUICK=1
.PHONY: capacity
capacity:
	@cargo run --release --package spillway-capacity

# Writes the figures of the last run into docs/performance.md, and into the file that `make cost` reads.
.PHONY: performance
performance:
	@cargo build --quiet --workspace --bin bench
	@"$${CARGO_TARGET_DIR:-target}/debug/bench" docs/performance.md

# Estimates what REQUESTS=500000 a day cost a month on AWS. JSON=1 prints JSON.
.PHONY: cost
cost:
	@cargo build --quiet --workspace --bin cost
	@"$${CARGO_TARGET_DIR:-target}/debug/cost"

# Invokes one function of the running stack:
# make invoke FUNCTION=create-merchant EVENT=events/create-merchant/acme.json
.PHONY: invoke
invoke: $(CARGO_LAMBDA_READY)
	@$(CARGO_LAMBDA) invoke $(FUNCTION) --invoke-address 127.0.0.1 --invoke-port $(or $(PORT),9000) --data-file $(EVENT)

# Runs the suite with a queue that delivers every message twice and out of order.
.PHONY: test-disorder
test-disorder:
	@QUEUE_DISORDER=1 cargo nextest run --workspace -E 'package(spillway-tests)'

# Runs the suite while functions are killed at random between two calls.
.PHONY: test-kills
test-kills:
	@KILL_FUNCTIONS=1 cargo nextest run --workspace -E 'package(spillway-tests)'

# Runs all tests up to TIMES=20 times, until a run fails. Also with KILL_FUNCTIONS=1 or QUEUE_DISORDER=1.
.PHONY: test-many
test-many: $(CARGO_LAMBDA_READY)
	@tests/many.sh $(or $(TIMES),20)

# Builds and deploys to AWS (docs/deploy.md): ENV=stage, or STACK= AWS_REGION=. Takes parameters: Canary=false.
# Also CONFIG= BUCKET=. PACKAGED= deploys what `make package` has built.
.PHONY: deploy
deploy: $(SAM_READY) $(CARGO_LAMBDA_READY)
	@GIVEN="$(strip $(foreach name,$(.VARIABLES),$(if $(findstring command,$(origin $(name))),$(name))))" infra/deploy/aws.sh deploy

# Builds once for several stacks: uploads the functions and writes .aws-sam/packaged.yaml (PACKAGED=).
# BUCKET= AWS_REGION= Architecture=
.PHONY: package
package: $(SAM_READY) $(CARGO_LAMBDA_READY)
	@infra/deploy/aws.sh package

# Points the aliases of all functions back at the release before, or at the release TO=: STACK= AWS_REGION=
# DRY_RUN=1 only prints what it would do (docs/runbooks/bad-release.md).
.PHONY: rollback
rollback: $(SAM_READY)
	@$(TOOLS)/sam/bin/python infra/deploy/releases.py rollback

# Builds and deploys to an AWS emulator on this machine, which stays up.
# DEPLOY_PORT= PARAMETERS="Name=value …"
.PHONY: deploy-local
deploy-local: $(SAM_READY) $(CARGO_LAMBDA_READY) $(MINISTACK_READY)
	@infra/deploy/local.sh up

# Ends the emulator that `make deploy-local` started.
.PHONY: undeploy-local
undeploy-local: $(MINISTACK_READY)
	@infra/deploy/local.sh down

# Deploys to the emulator, runs the black-box tests, upgrades and deletes the stack. Nothing stays up.
.PHONY: test-deploy
test-deploy: $(SAM_READY) $(CARGO_LAMBDA_READY) $(MINISTACK_READY)
	@infra/deploy/local.sh test

# Upgrades the release before (BEFORE=, a git ref) to this one on the emulator, runs both on one table, and goes back.
.PHONY: test-release
test-release: $(SAM_READY) $(CARGO_LAMBDA_READY) $(MINISTACK_READY)
	@infra/deploy/local.sh release

# Deletes a stack on the emulator, adopts its table with a new one, damages items and repairs them. Prints times.
# BUILT=1 uses the functions that `make test-deploy` has built.
.PHONY: drill
drill: $(SAM_READY) $(CARGO_LAMBDA_READY) $(MINISTACK_READY)
	@infra/deploy/local.sh drill

# Puts a stack on an existing table (docs/deploy.md): TABLE= STACK= AWS_REGION= and the settings of `make deploy`.
# DEPLOY=0 prepares the table and deploys nothing. LEAVE= names a table that the stack shall leave.
.PHONY: adopt
adopt: $(SAM_READY) $(CARGO_LAMBDA_READY)
	@cargo build --quiet --workspace --bin plan-keys
	@$(TOOLS)/sam/bin/python infra/deploy/adopt.py infra/template.yaml

# Gives each merchant its plan key in the usage plans of a stack: STACK= AWS_REGION=. `make adopt` does it too.
.PHONY: plan-keys
plan-keys: $(SAM_READY)
	@cargo build --quiet --workspace --bin plan-keys
	@$(TOOLS)/sam/bin/python infra/deploy/operate.py plan-keys

# Prints the fingerprints of the keys from which a stack's webhook secrets are derived: STACK= AWS_REGION=
# ADD=1 adds a new key and makes it current. FROM=SECRET adds the keys of another secret.
.PHONY: webhook-keys
webhook-keys: $(SAM_READY)
	@$(TOOLS)/sam/bin/python infra/deploy/webhook_keys.py

# Lists the items of a restored table that differ in the live one: FROM= and TO= or STACK=, MERCHANT= ID= ALL=1
# It writes nothing.
.PHONY: compare
compare: $(SAM_READY)
	@cargo build --quiet --workspace --bin repair
	@WRITE= $(TOOLS)/sam/bin/python infra/deploy/operate.py repair

# The same, and with WRITE=1 writes damaged items back (docs/deploy.md). RELATED=1
# says that FROM was restored from TO, if AWS does not say so.
.PHONY: repair
repair: $(SAM_READY)
	@cargo build --quiet --workspace --bin repair
	@$(TOOLS)/sam/bin/python infra/deploy/operate.py repair

# Checks any stack from outside with one test key: make smoke URL=https://…/v1 KEY=sk_test_…
.PHONY: smoke
smoke:
	@cargo build --quiet --workspace --bin smoke
	@"$${CARGO_TARGET_DIR:-target}/debug/smoke"
