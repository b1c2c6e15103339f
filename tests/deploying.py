"""Deploys to the emulator by the ways that lead to AWS: `make deploy`, and the SAM CLI as its own documentation has it.

Usage: deploying.py DATA ARCHITECTURE, where local.sh has built and deployed the stack `spillway` for this machine's
processor. AWS's own variables name the emulator; nothing here has a terminal. The stack `plain` stays.
"""

import os
import pathlib
import shutil
import sys

import boto3
from samcli.cli.types import CfnParameterOverridesType
from samcli.yamlhelper import yaml_parse

from emulated import REGION, ROOT, SAM, done, run, stack

# What the ELF header calls the processor: ELF for the Arm 64-bit Architecture, "ELF header".
ELF_AARCH64 = 183
# macOS's realpath knows no options.
REALPATH = """#!/bin/sh
case $1 in -*) echo "realpath: illegal option" >&2; exit 1 ;; esac
exec /usr/bin/realpath "$1"
"""


def parameters(name):
    return {each["ParameterKey"]: each["ParameterValue"] for each in stack(name)["Parameters"]}


def has_tags(name):
    """All of the stack that takes tags has the project's: what `sam deploy` gives a stack, CloudFormation hands on."""
    described, wanted = stack(name), {"Key": "project", "Value": "spillway"}
    assert wanted in described["Tags"], described
    resources = boto3.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=name)
    found = {}
    for resource in resources.search("StackResourceSummaries[]"):
        found.setdefault(resource["ResourceType"], []).append(resource["PhysicalResourceId"])
    [table] = found["AWS::DynamoDB::Table"]
    arn = boto3.client("dynamodb").describe_table(TableName=table)["Table"]["TableArn"]
    assert wanted in boto3.client("dynamodb").list_tags_of_resource(ResourceArn=arn)["Tags"], table
    for url in found["AWS::SQS::Queue"]:
        assert boto3.client("sqs").list_queue_tags(QueueUrl=url).get("Tags", {}).get("project") == "spillway", url
    for function in found["AWS::Lambda::Function"]:
        configured = boto3.client("lambda").get_function(FunctionName=function)
        assert configured.get("Tags", {}).get("project") == "spillway", configured
    for role in found["AWS::IAM::Role"]:
        assert wanted in boto3.client("iam").list_role_tags(RoleName=role)["Tags"], role
    [nested] = found["AWS::CloudFormation::Stack"]
    assert wanted in stack(nested)["Tags"], nested
    assert f"{name}-watch" in [each["DashboardName"] for each in dashboards()], "the nested stack has no dashboard"


def dashboards():
    return boto3.client("cloudwatch").list_dashboards()["DashboardEntries"]


class MakeDeploy:
    """infra/deploy/aws.sh, with the tools of this machine and none of .local/tools, which it finds by itself."""

    def __init__(self, data):
        self.config = data / "aws.toml"
        programs = data / "programs"
        programs.mkdir(exist_ok=True)
        (programs / "realpath").write_text(REALPATH)
        (programs / "realpath").chmod(0o755)
        others = [folder for folder in os.environ["PATH"].split(":") if "/.local/tools/" not in folder]
        self.path = ":".join([str(programs), *others])

    def __call__(self, config, **env):
        self.config.write_text(f"version = 0.1\n[default.deploy.parameters]\n{config}\n")
        return run(["infra/deploy/aws.sh", "deploy"], CONFIG=str(self.config), PATH=self.path, **env)


def refuses_another_stack(make_deploy):
    """A config for one stack never changes the stack that the command line names."""
    config = 'stack_name = "other"\nregion = "eu-central-1"'
    ran = make_deploy(config, BUILT="1", STACK="prod", AWS_REGION=None)
    assert ran.returncode != 0 and ran.stderr.count("\n") == 1 and "STACK says prod" in ran.stderr, ran
    print(f"make deploy: {ran.stderr.strip()}")


# The same parameters, as the SAM CLI takes them from a config.
WRITINGS = [
    'parameter_overrides = "Architecture=x86_64 LogLevel=warn WebhookWaitsSeconds=1,2"',
    r'parameter_overrides = "Architecture=\"x86_64\" LogLevel=\"warn\" WebhookWaitsSeconds=\"1,2\""',
    """parameter_overrides = 'Architecture="x86_64" LogLevel=warn WebhookWaitsSeconds="1,2"' # by hand""",
    'parameter_overrides = ["Architecture=x86_64", "LogLevel=warn", "WebhookWaitsSeconds=1,2"]',
    'parameter_overrides = "ParameterKey=Architecture,ParameterValue=x86_64 ParameterKey=LogLevel,ParameterValue=warn'
    " ParameterKey=WebhookWaitsSeconds,ParameterValue='1,2'\"",
    'parameter_overrides = { Architecture = "x86_64", LogLevel = "warn", WebhookWaitsSeconds = [1, 2] }',
]
# The project's own tags, where a config has none.
OPTIONS = "--resolve-s3 --tags project=spillway"
WRITTEN = {"Architecture": "x86_64", "LogLevel": "warn", "WebhookWaitsSeconds": "1,2"}


def reads_a_config_as_sam_does(config):
    for section in ["deploy", "global"]:
        for writing in WRITINGS:
            config.write_text(f"version = 0.1\n[default.{section}.parameters]\n{writing}\n")
            settings = [sys.executable, "infra/deploy/settings.py", config, "infra/template.yaml"]
            lines = done(run(settings, STACK="none")).splitlines()
            assert lines[:2] == ["none", REGION] and lines[3] == OPTIONS, lines
            assert CfnParameterOverridesType().convert(lines[2], None, None) == WRITTEN, lines
    print(f"make deploy: parameters are read from a config in {len(WRITINGS)} writings")


def keeps_what_is_not_said(make_deploy, data, architecture):
    """By a config written by hand, over a stack with more parameters than it names."""
    before = parameters("spillway")
    built = {"BUILT": "1", "BUILD": str(data / "build/spillway")}
    named = 'stack_name = "spillway"\n'
    done(make_deploy(f'{named}parameter_overrides = "Architecture={architecture} LogLevel=warn"', **built))
    assert parameters("spillway") == before | {"LogLevel": "warn"}, parameters("spillway")
    has_tags("spillway")
    # The processor is that of the stack.
    done(make_deploy(named, PARAMETERS="LogLevel=error", **built))
    assert parameters("spillway") == before | {"LogLevel": "error"}, parameters("spillway")
    print("make deploy: what a config or PARAMETERS names is changed, and nothing else")


def deploys_what_zig_has_built(make_deploy, data):
    """One function for arm64. Optimizing it would take minutes and change nothing of the deployment."""
    config = f'stack_name = "arm"\nregion = "{REGION}"\nconfirm_changeset = true'
    way = {
        "TEMPLATE": "tests/panicking-function/template.yaml",
        "BUILD": str(data / "build/arm"),
        "AWS_REGION": None,
        "CARGO_LAMBDA_COMPILER": None,
        "SAM_BUILD_MODE": "debug",
    }
    done(make_deploy(config, **way))
    header = (data / "build/arm/Panicking/bootstrap").read_bytes()[:20]
    assert header[:4] == b"\x7fELF" and int.from_bytes(header[18:20], "little") == ELF_AARCH64, header
    deployed = boto3.client("lambda").get_function_configuration(FunctionName="arm-panicking")
    assert deployed["Architectures"] == ["arm64"], deployed
    said = done(make_deploy(config, **way))
    assert "No changes to deploy" in said and stack("arm")["StackStatus"] == "CREATE_COMPLETE", said
    print("make deploy: an arm64 function is built by Zig and deployed, and again without a change")


def make_deploy_works(data, architecture):
    make_deploy = MakeDeploy(data)
    refuses_another_stack(make_deploy)
    reads_a_config_as_sam_does(make_deploy.config)
    keeps_what_is_not_said(make_deploy, data, architecture)
    deploys_what_zig_has_built(make_deploy, data)


def plain_sam_works(data, architecture):
    """In a folder that looks like the root, so that its config and its .aws-sam stay as they are."""
    root = data / "root"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    for name in ["events", "functions", "infra"]:
        (root / name).symlink_to(ROOT / name)
    config = shutil.copy(ROOT / "samconfig.toml", root)

    def sam(*arguments, **more):
        return run([SAM, *arguments], cwd=root, **more)

    done(sam("validate", AWS_REGION=None, AWS_DEFAULT_REGION=None))
    unbuilt = sam("deploy", "--stack-name", "plain")
    assert unbuilt.returncode != 0 and "Template file not found" in unbuilt.stderr, unbuilt
    wanted = ["--stack-name", "sources", "--resolve-s3"]
    sources = sam("deploy", "--template", "infra/template.yaml", *wanted)
    assert sources.returncode != 0 and "'CodeUri' requires Bucket and Key" in sources.stderr, sources
    functions = [each["FunctionName"] for each in boto3.client("lambda").list_functions()["Functions"]]
    assert not [name for name in functions if name.startswith("sources-")], functions
    done(sam("build", "--parameter-overrides", f"Architecture={architecture}"))
    unnamed = sam("deploy")
    assert unnamed.returncode != 0 and "Missing option '--stack-name'" in unnamed.stderr, unnamed

    said = {"Architecture": architecture, "Alarms": "false"}
    names = yaml_parse((ROOT / "infra/template.yaml").read_text(encoding="utf-8"))["Parameters"]
    # Name and region, each parameter, no question before the changes; yes, GetHealth asks for no key; else as offered.
    answers = ["plain", REGION, *(said.get(name, "") for name in names), "n", "", "", "y", "", "", ""]
    done(sam("deploy", "--guided", answers="\n".join(answers) + "\n"))
    deployed = parameters("plain")
    assert said.items() <= deployed.items() and stack("plain")["StackStatus"] == "CREATE_COMPLETE", deployed
    health = ["GetHealth", "--stack-name", "plain", "--event-file", "events/get-health/health.json"]
    has_tags("plain")
    answer = done(sam("remote", "invoke", *health)).replace(" ", "")
    assert '"statusCode":200' in answer, answer
    print("sam: validate, build and deploy --guided work in the root; sources are refused")

    done(run(["infra/deploy/aws.sh", "deploy"], CONFIG=config, BUILT="1", BUILD=str(root / ".aws-sam/build")))
    assert parameters("plain") == deployed, parameters("plain")
    print("make deploy: it goes by the answers that sam deploy --guided has kept")


def main(data, architecture):
    data = pathlib.Path(data).resolve()
    os.environ.pop("BUILT", None)  # it builds what it says that it builds
    plain_sam_works(data, architecture)
    make_deploy_works(data, architecture)


if __name__ == "__main__":
    main(*sys.argv[1:])
