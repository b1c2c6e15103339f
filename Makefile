# Every knob is an environment variable: `make dev PORT=9100 DATA=.local/other FIRST_DUE_SECONDS=5`.
include infra/tools/tools.mk

.DEFAULT_GOAL := dev

# The whole stack on this machine. FRESH=1 starts empty, DETACH=1 returns when it is ready.
.PHONY: dev
dev:
	@infra/local/dev.sh dev

# Ends the stack of the same DATA.
.PHONY: stop
stop:
	@infra/local/stop.sh

# The same stack with the functions under `cargo lambda watch`.
.PHONY: watch
watch: $(CARGO_LAMBDA_READY)
	@infra/local/dev.sh watch

# What happened to one payment of the running stack: make trace ID=pay_…
.PHONY: trace
trace:
	@cargo run --quiet --package spillway-tests --bin trace -- $(ID)

# A merchant, 1,000 payments (PAYMENTS=), refunds, every webhook, the books: on the running stack, or one of its own. JSON=1 for machines.
.PHONY: demo
demo:
	@cargo build --quiet --workspace --bins
	@"$${CARGO_TARGET_DIR:-target}/debug/demo"

# Load while processes die, messages are lost, writes conflict and the store fails (MINUTES=10 CLIENTS=4 SEED=); then an oracle looks for damage.
.PHONY: chaos
chaos:
	@cargo build --quiet --workspace --bins
	@"$${CARGO_TARGET_DIR:-target}/debug/chaos"

# Everything that has to hold, on this machine.
.PHONY: test
test: lint-template lint-openapi deny $(EXAMPLES_READY) $(SCHEMATHESIS_READY) $(CARGO_LAMBDA_READY)
	@tests/run.sh

# Licences and sources of all crates, by deny.toml. DENY_CHECKS=advisories fetches RustSec's database.
.PHONY: deny
deny: $(CARGO_DENY_READY)
	@$(CARGO_DENY) --log-level error check --hide-inclusion-graph $(or $(DENY_CHECKS),licenses bans sources)

# Whether the unit tests of shared/domain notice small changes of its code; at most 15 may survive.
.PHONY: mutants
mutants:
	@tests/mutants.sh

# The same for the lines that differ from the commit before (BASE=): none may survive.
.PHONY: mutants-changed
mutants-changed:
	@tests/mutants.sh changed

# Writes the OpenAPI document anew, from what the endpoints declare, into docs/openapi.json.
.PHONY: openapi
openapi:
	@cargo run --quiet --package spillway-openapi --bin openapi -- docs/openapi.json

# The linter's word on docs/openapi.json: not one warning.
.PHONY: lint-openapi
lint-openapi: $(REDOCLY_READY)
	@$(REDOCLY) lint --extends recommended-strict --max-problems 100 docs/openapi.json

# The reference of the API as one file: make reference FILE=reference.html. `make dev` serves it at /docs.
.PHONY: reference
reference:
	@mkdir -p .local
	@cargo run --quiet --package spillway-reference -- $(or $(FILE),.local/reference.html)
	@echo "$(or $(FILE),.local/reference.html)"

# How fast, how big, how dear, on this machine: a table and .local/bench.json (BENCH_JSON=); QUICK=1 for a look.
.PHONY: bench
bench:
	@tests/bench/run.sh

# Puts the last run's figures into docs/performance.md, and where `make cost` finds them.
.PHONY: performance
performance:
	@cargo run --quiet --package spillway-bench --bin bench -- docs/performance.md

# What so many requests a day cost a month on AWS: make cost REQUESTS=500000. JSON=1 for machines.
.PHONY: cost
cost:
	@cargo run --quiet --package spillway-bench --bin cost

# Calls one function of the running stack: make invoke FUNCTION=create-merchant EVENT=events/create-merchant/acme.json
.PHONY: invoke
invoke: $(CARGO_LAMBDA_READY)
	@$(CARGO_LAMBDA) invoke $(FUNCTION) --invoke-address 127.0.0.1 --invoke-port $(or $(PORT),9000) --data-file $(EVENT)

# The suite with a queue that delivers out of order and everything twice.
.PHONY: test-disorder
test-disorder:
	@QUEUE_DISORDER=1 cargo nextest run --package spillway-tests

# The suite with functions that are killed at random between two calls.
.PHONY: test-kills
test-kills:
	@KILL_FUNCTIONS=1 cargo nextest run --package spillway-tests

# All tests again and again, until a run fails: make test-many TIMES=20, with KILL_FUNCTIONS=1 or QUEUE_DISORDER=1 too.
.PHONY: test-many
test-many: $(CARGO_LAMBDA_READY)
	@tests/many.sh $(or $(TIMES),20)

# To AWS: `sam build`, then `sam deploy` (STACK=, AWS_REGION=, PARAMETERS="Name=value …", CONFIG=; docs/deploy.md).
.PHONY: deploy
deploy: $(SAM_READY) $(CARGO_LAMBDA_READY)
	@infra/deploy/aws.sh

# The same to an AWS emulator on this machine, which stays up (DEPLOY_PORT=, PARAMETERS="Name=value …"); and its end.
.PHONY: deploy-local undeploy-local
deploy-local: $(SAM_READY) $(CARGO_LAMBDA_READY) $(MINISTACK_READY)
	@infra/deploy/local.sh up
undeploy-local: $(MINISTACK_READY)
	@infra/deploy/local.sh down

# The same, with the black-box tests, an upgrade and a deletion; nothing stays up.
.PHONY: test-deploy
test-deploy: $(SAM_READY) $(CARGO_LAMBDA_READY) $(MINISTACK_READY)
	@infra/deploy/local.sh test

# Checks a stack from outside, wherever it is, with one test key: make smoke URL=https://…/v1 KEY=sk_test_…
.PHONY: smoke
smoke:
	@cargo build --quiet --package spillway-tests --bin smoke
	@"$${CARGO_TARGET_DIR:-target}/debug/smoke"
