# Tools from PyPI, pinned in infra/tools/*.txt: each list is installed into a virtual environment of its own
# under .local/tools when a target first wants it. Nothing is installed globally. Included by the Makefile.
#
#   a target that runs $(SAM) or cfn-lint     depends on $(SAM_READY)
#   a target that runs $(CARGO_LAMBDA)        depends on $(CARGO_LAMBDA_READY)
#   a target that runs the AWS emulator       depends on $(MINISTACK_READY)
#   a target that runs $(CARGO_DENY)          depends on $(CARGO_DENY_READY)
#   a target that runs schemathesis           depends on $(SCHEMATHESIS_READY)
#   a target that runs the examples           depends on $(EXAMPLES_READY)
#   a target that runs $(REDOCLY)             depends on $(REDOCLY_READY); it is a Node.js tool from npm
#
# cargo-mutants is built from crates.io, pinned in cargo-mutants.crate; tests/mutants.sh installs it when there is something
# to test.

TOOLS := .local/tools
SAM_READY := $(TOOLS)/sam/.stamp
CARGO_LAMBDA_READY := $(TOOLS)/cargo-lambda/.stamp
CARGO_DENY_READY := $(TOOLS)/cargo-deny/.stamp
MINISTACK_READY := $(TOOLS)/ministack/.stamp
SCHEMATHESIS_READY := $(TOOLS)/schemathesis/.stamp
REDOCLY_READY := $(TOOLS)/redocly/.stamp
EXAMPLES_READY := $(TOOLS)/examples-python/.stamp $(TOOLS)/examples-node/.stamp

# The SAM CLI finds cargo-lambda on the PATH, and no account, profile or metadata service is asked for
# anything that a check does not need.
CARGO_LAMBDA := PATH="$(CURDIR)/$(TOOLS)/cargo-lambda/bin:$$PATH" cargo lambda
CARGO_DENY := PATH="$(CURDIR)/$(TOOLS)/cargo-deny/bin:$$PATH" cargo deny
SAM := PATH="$(CURDIR)/$(TOOLS)/cargo-lambda/bin:$$PATH" SAM_CLI_TELEMETRY=0 $(CURDIR)/$(TOOLS)/sam/bin/sam

REDOCLY := REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true $(CURDIR)/$(TOOLS)/redocly/node_modules/.bin/redocly

# Before the rule for every list of PyPI's packages, which would match too.
$(REDOCLY_READY): infra/tools/redocly/package.json
	@infra/tools/install-npm redocly
$(TOOLS)/examples-node/.stamp: infra/tools/examples-node/package.json
	@infra/tools/install-npm examples-node

$(TOOLS)/%/.stamp: infra/tools/%.txt
	@infra/tools/install $*

# What the commands of docs/ need: the SAM CLI and cargo-lambda are installed, the AWS CLI is only looked at.
.PHONY: tools
tools: $(SAM_READY) $(CARGO_LAMBDA_READY)
	@infra/tools/aws-cli

# The template as AWS would read it. Needs neither an account nor, once installed, the network.
.PHONY: lint-template
lint-template: $(SAM_READY)
	@AWS_EC2_METADATA_DISABLED=true AWS_REGION=eu-central-1 $(SAM) validate --lint --region eu-central-1 --template infra/template.yaml
	@$(TOOLS)/sam/bin/cfn-lint --regions eu-central-1 us-east-1 --template infra/template.yaml infra/watch.yaml
