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

# Everything that has to hold, on this machine.
.PHONY: test
test: lint-template $(CARGO_LAMBDA_READY)
	@tests/run.sh

# Calls one function of the running stack: make invoke FUNCTION=create-merchant EVENT=events/create-merchant/acme.json
.PHONY: invoke
invoke: $(CARGO_LAMBDA_READY)
	@$(CARGO_LAMBDA) invoke $(FUNCTION) --invoke-address 127.0.0.1 --invoke-port $(or $(PORT),9000) --data-file $(EVENT)

# The suite with a queue that delivers out of order and everything twice.
.PHONY: test-disorder
test-disorder:
	@QUEUE_DISORDER=1 cargo nextest run --package spillway-tests
