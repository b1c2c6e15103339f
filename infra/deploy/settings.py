"""Prints the stack, region and parameters for `make deploy`, from the environment and the SAM CLI's config file.

Usage: settings.py CONFIG TEMPLATE, with ENV, STACK, AWS_REGION, BUCKET, PARAMETERS="Name=value …" and GIVEN in the
environment. ENV is the section of the config. GIVEN has the names of the variables on make's command line; a name with a
lower-case letter is a parameter of the template. Prints four lines: the stack's name, its region, the parameters as one
argument of `sam build` and `sam deploy`, and the other options of `sam deploy`: the bucket, and the tags of samconfig.toml
if the config names none. A parameter that neither the environment nor the config names keeps its deployed value.
"""

import difflib
import os
import pathlib
import re
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


def read(config, section):
    """Returns the settings of `sam deploy` in this section of the config, read by the SAM CLI's own reader."""
    path = pathlib.Path(config)
    if not path.is_file():
        sys.exit(f"The config file {config} does not exist.")
    try:
        reader = SamConfig(path.parent, path.name)
        settings = reader.get_all(["deploy"], "parameters", section)
    except SamConfigFileReadException as error:
        why = error
        while why.args and isinstance(why.args[0], Exception):
            why = why.args[0]
        sys.exit(f"{config} can't be read: {why}")
    if section not in ("default", *reader.document):
        sections = [name for name in reader.document if name != "version"]
        sys.exit(f"ENV says {section}, and {config} has only the sections {', '.join(sections)}.")
    return settings


def one_of(what, variable, configured, config):
    """Returns the value of the variable or of the config. If both have a value, the values must be equal: otherwise
    `make deploy` would change another stack by mistake."""
    given, configured = os.environ.get(variable, ""), str(configured or "")
    if given and configured and given != configured:
        sys.exit(
            f"{variable} says {given} and {config} says {configured}: unset {variable}, or use another ENV= or CONFIG= for"
            f" another {what}."
        )
    return given or configured


def parameters(text):
    try:
        return CfnParameterOverridesType().convert(text, None, None)
    except ClickException as error:
        sys.exit(f"The parameters can't be read: {error.format_message()}")


def on_the_line(known):
    """Returns the parameters on make's command line. A name in capitals is a setting of the target, or a typo if the local
    runner sets a parameter by it."""
    names = os.environ.get("GIVEN", "").split()
    variables = {re.sub("(?<=[a-z])(?=[A-Z])", "_", name).upper(): name for name in known}
    for name in names:
        if name in variables:
            sys.exit(f"make deploy sets a parameter by its own name: {variables[name]}={os.environ[name]}")
    return {name: os.environ[name] for name in names if name != name.upper()}


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


def unknown(known, names, where, template):
    """Returns a sentence if the template lacks one of the names, which the SAM CLI would ignore. Otherwise returns None."""
    lacking = sorted(set(names) - known.keys())
    if not lacking:
        return None
    close = difflib.get_close_matches(lacking[0], known, 1)
    hint = f" Is {close[0]} meant?" if close else ""
    return f"{where} names {', '.join(lacking)}, which {template} does not have.{hint}"


def fraction(known, values):
    """Returns a sentence if a number is not whole, which CloudFormation would accept. Otherwise returns None."""
    for name, value in values.items():
        if name in known and known[name]["Type"] == "Number" and not re.fullmatch("[0-9]+", value):
            return f"{name} is {value}, but it must be a whole number."
    return None


def bucket(settings):
    """Returns the options that name the bucket for the template and the functions."""
    if os.environ.get("BUCKET"):
        return ["--no-resolve-s3", "--s3-bucket", os.environ["BUCKET"]]
    return [] if settings.get("s3_bucket") else ["--resolve-s3"]


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
    settings = read(config, os.environ.get("ENV") or "default")
    stack = one_of("stack", "STACK", settings.get("stack_name"), config)
    region = one_of("region", "AWS_REGION", settings.get("region"), config) or boto3.Session().region_name
    if not stack or not region:
        sys.exit(
            "Say which stack and region: STACK=spillway AWS_REGION=eu-central-1 make deploy"
            f" (or write stack_name and region into {config}; docs/deploy.md)."
        )
    try:
        known = yaml_parse(pathlib.Path(template).read_text(encoding="utf-8"))["Parameters"]
    except OSError as error:
        sys.exit(f"The template can't be read: {error}")
    configured, given = parameters(settings.get("parameter_overrides")), parameters(os.environ.get("PARAMETERS"))
    line = on_the_line(known)
    # A config may be older than the template, so this is only a warning.
    if warning := unknown(known, configured, config, template):
        print(warning, file=sys.stderr)
    wanted = configured | given | line
    for fault in (
        unknown(known, given, "PARAMETERS", template),
        unknown(known, line, "make deploy", template),
        fraction(known, wanted),
    ):
        if fault:
            sys.exit(fault)
    now = deployed(stack, region)
    if fault := change_of_table(stack, now, wanted):
        sys.exit(fault)
    # `sam build` must know the architecture of the deployed stack, so it is always set.
    wanted.setdefault("Architecture", now.get("Architecture", known["Architecture"]["Default"]))
    print(stack)
    print(region)
    print(" ".join('{}="{}"'.format(name, value.replace('"', r"\"")) for name, value in wanted.items()))
    tags = [] if settings.get("tags") else ["--tags", read(DEFAULTS, "default")["tags"]]
    print(" ".join(bucket(settings) + tags))


main(*sys.argv[1:])
