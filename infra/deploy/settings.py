"""Prints the stack, region and parameters for `make deploy`, from the environment and the SAM CLI's config file.

Usage: settings.py CONFIG TEMPLATE, with STACK, AWS_REGION and PARAMETERS="Name=value …" in the environment. Prints four
lines: the stack's name, its region, the parameters as one argument of `sam build` and `sam deploy`, and the other options
of `sam deploy`: --resolve-s3 if the config names no bucket, and the tags of samconfig.toml if the config names none. A
parameter that neither the environment nor the config names keeps its deployed value.
"""

import os
import pathlib
import sys

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from click import ClickException
from samcli.cli.types import CfnParameterOverridesType
from samcli.lib.config.exceptions import SamConfigFileReadException
from samcli.lib.config.samconfig import SamConfig
from samcli.yamlhelper import yaml_parse

# The config that the project brings.
DEFAULTS = pathlib.Path(__file__).resolve().parents[2] / "samconfig.toml"


def read(config):
    """Returns the settings of `sam deploy` in the config, read by the SAM CLI's own reader."""
    path = pathlib.Path(config)
    if not path.is_file():
        sys.exit(f"The config file {config} does not exist.")
    try:
        return SamConfig(path.parent, path.name).get_all(["deploy"], "parameters")
    except SamConfigFileReadException as error:
        why = error
        while why.args and isinstance(why.args[0], Exception):
            why = why.args[0]
        sys.exit(f"{config} can't be read: {why}")


def one_of(what, variable, configured, config):
    """Returns the value of the variable or of the config. If both have a value, the values must be equal: otherwise
    `make deploy` would change another stack by mistake."""
    given, configured = os.environ.get(variable, ""), str(configured or "")
    if given and configured and given != configured:
        sys.exit(f"{variable} says {given} and {config} says {configured}: use another CONFIG= for another {what}.")
    return given or configured


def parameters(text):
    try:
        return CfnParameterOverridesType().convert(text, None, None)
    except ClickException as error:
        sys.exit(f"The parameters can't be read: {error.format_message()}")


def deployed(stack, region):
    """Returns the parameters of the deployed stack. Empty if the stack does not exist."""
    try:
        described = boto3.client("cloudformation", region_name=region).describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":
            return {}
        sys.exit(f"The stack {stack} can't be described: {error}")
    except BotoCoreError as error:
        sys.exit(f"The stack {stack} can't be described: {error}")
    return {parameter["ParameterKey"]: parameter["ParameterValue"] for parameter in described.get("Parameters", [])}


def unknown(template, names, where):
    """Returns a sentence if the template lacks one of the names, which the SAM CLI would ignore. Otherwise returns None."""
    lacking = sorted(set(names) - yaml_parse(pathlib.Path(template).read_text(encoding="utf-8"))["Parameters"].keys())
    return f"{where} names {', '.join(lacking)}, which {template} does not have." if lacking else None


def change_of_table(stack, now, wanted):
    """Returns a sentence if the stack would change its table, and leave its data behind. `make adopt` names the new table
    in ADOPTS. Otherwise returns None."""
    old, new = now.get("ExistingTable", ""), wanted.get("ExistingTable")
    if not now or new is None or new in (old, os.environ.get("ADOPTS")):
        return None
    return (
        f"ExistingTable of the stack {stack} is {old or 'empty'} and would be {new or 'empty'}, so the stack would leave"
        " its data: use `make adopt` to change the table."
    )


def main(config, template):
    settings = read(config)
    stack = one_of("stack", "STACK", settings.get("stack_name"), config)
    region = one_of("region", "AWS_REGION", settings.get("region"), config) or boto3.Session().region_name
    if not stack or not region:
        sys.exit(
            "Say which stack and region: STACK=spillway AWS_REGION=eu-central-1 make deploy"
            f" (or write stack_name and region into {config}; docs/deploy.md)."
        )
    configured, given = parameters(settings.get("parameter_overrides")), parameters(os.environ.get("PARAMETERS"))
    # A config may be older than the template, so this is only a warning.
    if warning := unknown(template, configured, config):
        print(warning, file=sys.stderr)
    if fault := unknown(template, given, "PARAMETERS"):
        sys.exit(fault)
    wanted = configured | given
    now = deployed(stack, region)
    if fault := change_of_table(stack, now, wanted):
        sys.exit(fault)
    # `sam build` must know the architecture of the deployed stack, so it is always set.
    wanted.setdefault("Architecture", now.get("Architecture", "arm64"))
    print(stack)
    print(region)
    print(" ".join('{}="{}"'.format(name, value.replace('"', r"\"")) for name, value in wanted.items()))
    options = [] if settings.get("s3_bucket") else ["--resolve-s3"]
    if not settings.get("tags"):
        options += ["--tags", read(DEFAULTS)["tags"]]
    print(" ".join(options))


main(*sys.argv[1:])
