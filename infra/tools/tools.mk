# Tools that targets need. Each tool has its pinned version in infra/tools. A target that needs a tool depends on the tool's
# file *_READY, and the first such target installs the tool into its own folder under .local/tools. Nothing is installed
# globally. The Makefile includes this file.
#
#   a target that runs $(SAM) or cfn-lint     depends on $(SAM_READY)
#   a target that runs $(CARGO_LAMBDA)        depends on $(CARGO_LAMBDA_READY)
#   a target that runs the AWS emulator       depends on $(MINISTACK_READY)
#   a target that runs $(CARGO_DENY)          depends on $(CARGO_DENY_READY)
#   a target that runs schemathesis           depends on $(SCHEMATHESIS_READY)
#   a target that runs the examples           depends on $(EXAMPLES_READY)
#   a target that runs $(REDOCLY)             depends on $(REDOCLY_READY)
#   a target that runs checkov                depends on $(CHECKOV_READY)
#   a target that runs Prometheus             depends on $(PROMETHEUS_READY)
#   a target that runs redis-server           depends on $(REDIS_READY)
#
# Redocly and the examples in Node.js come from npm, Prometheus and Redis from Debian's packages, the other tools from PyPI.
# cargo-mutants is built from crates.io (cargo-mutants.crate); tests/mutants.sh installs it if there is code to test.

TOOLS := .local/tools
SAM_READY := $(TOOLS)/sam/.stamp
CARGO_LAMBDA_READY := $(TOOLS)/cargo-lambda/.stamp
CARGO_DENY_READY := $(TOOLS)/cargo-deny/.stamp
MINISTACK_READY := $(TOOLS)/ministack/.stamp
SCHEMATHESIS_READY := $(TOOLS)/schemathesis/.stamp
REDOCLY_READY := $(TOOLS)/redocly/.stamp
CHECKOV_READY := $(TOOLS)/checkov/.stamp
PROMETHEUS_READY := $(TOOLS)/prometheus/.stamp
REDIS_READY := $(TOOLS)/redis/.stamp
EXAMPLES_READY := $(TOOLS)/examples-python/.stamp $(TOOLS)/examples-node/.stamp

# The SAM CLI looks for cargo-lambda on the PATH.
CARGO_LAMBDA := PATH="$(CURDIR)/$(TOOLS)/cargo-lambda/bin:$$PATH" cargo lambda
CARGO_DENY := PATH="$(CURDIR)/$(TOOLS)/cargo-deny/bin:$$PATH" cargo deny
SAM := PATH="$(CURDIR)/$(TOOLS)/cargo-lambda/bin:$$PATH" SAM_CLI_TELEMETRY=0 $(CURDIR)/$(TOOLS)/sam/bin/sam

REDOCLY := REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true $(CURDIR)/$(TOOLS)/redocly/node_modules/.bin/redocly

# These rules stand before the pattern rule for PyPI, which would match their targets too.
$(REDOCLY_READY): infra/tools/redocly/package.json
	@infra/tools/install-npm redocly
$(TOOLS)/examples-node/.stamp: infra/tools/examples-node/package.json
	@infra/tools/install-npm examples-node
$(TOOLS)/%/.stamp: infra/tools/%.deb
	@infra/tools/install-deb $*

$(TOOLS)/%/.stamp: infra/tools/%.txt
	@infra/tools/install $*

# Installs the SAM CLI and cargo-lambda, and checks the version of the AWS CLI: the commands of docs/ need all three.
.PHONY: tools
tools: $(SAM_READY) $(CARGO_LAMBDA_READY)
	@infra/tools/aws-cli

# Lints the templates. Needs no account, and no network after the first run.
.PHONY: lint-template
lint-template: $(SAM_READY)
	@AWS_EC2_METADATA_DISABLED=true AWS_REGION=eu-central-1 $(SAM) validate --lint --region eu-central-1 --template infra/template.yaml
	@$(TOOLS)/sam/bin/cfn-lint --regions eu-central-1 us-east-1 \
	  --template infra/template.yaml infra/watch.yaml infra/deploy/deployer.yaml

# Examines the template with checkov. Fails at a finding without an answer in infra/security.yaml. Needs no account.
.PHONY: check-security
check-security: $(SAM_READY) $(CHECKOV_READY)
	@$(TOOLS)/sam/bin/python infra/tools/check_security.py
