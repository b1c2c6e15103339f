"""Where `make deploy` deploys to, and with which parameters: as the environment and the SAM CLI's config say.

Usage: settings.py CONFIG TEMPLATE, with STACK, AWS_REGION and PARAMETERS="Name=value …" in the environment. Prints four
lines: the stack's name, its region, the parameters as one argument of `sam build` and `sam deploy`, and what else
`sam deploy` needs: --resolve-s3 if the config names no bucket, the tags of samconfig.toml if it names none. A parameter that neither names keeps the value that it is deployed with.
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
    """What `sam deploy` takes from the config, read by its own reader."""
    path = pathlib.Path(config)
    if not path.is_file():
        sys.exit(f"There is no config {config}.")
    try:
        return SamConfig(path.parent, path.name).get_all(["deploy"], "parameters")
    except SamConfigFileReadException as error:
        why = error
        while why.args and isinstance(why.args[0], Exception):
            why = why.args[0]
        sys.exit(f"{config} can't be read: {why}")


def one_of(what, variable, kept, config):
    """The variable's value or the config's. Two that differ are a mistake, and would deploy over another stack."""
    given, kept = os.environ.get(variable, ""), str(kept or "")
    if given and kept and given != kept:
        sys.exit(f"{variable} says {given} and {config} says {kept}: take another CONFIG= for another {what}.")
    return given or kept


def parameters(text):
    try:
        return CfnParameterOverridesType().convert(text, None, None)
    except ClickException as error:
        sys.exit(f"The parameters can't be read: {error.format_message()}")


def deployed(stack, region):
    """The parameters of the stack as it is, or none where it is not deployed yet."""
    try:
        described = boto3.client("cloudformation", region_name=region).describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":
            return {}
        sys.exit(f"The stack {stack} can't be looked up: {error}")
    except BotoCoreError as error:
        sys.exit(f"AWS can't be asked for the stack {stack}: {error}")
    return {parameter["ParameterKey"]: parameter["ParameterValue"] for parameter in described.get("Parameters", [])}


def known(template, names, where):
    """Says which of the names the template lacks: the SAM CLI passes over them, and over a slip of the pen."""
    lacking = sorted(set(names) - yaml_parse(pathlib.Path(template).read_text(encoding="utf-8"))["Parameters"].keys())
    return f"{where} names {', '.join(lacking)}, which {template} does not have." if lacking else None


def main(config, template):
    said = read(config)
    stack = one_of("stack", "STACK", said.get("stack_name"), config)
    region = one_of("region", "AWS_REGION", said.get("region"), config) or boto3.Session().region_name
    if not stack or not region:
        sys.exit(
            "Say which stack, and where: STACK=spillway AWS_REGION=eu-central-1 make deploy"
            f" (or write stack_name and region into {config}; docs/deploy.md)."
        )
    kept, given = parameters(said.get("parameter_overrides")), parameters(os.environ.get("PARAMETERS"))
    # A config may be older than the template.
    if passed_over := known(template, kept, config):
        print(passed_over, file=sys.stderr)
    if wrong := known(template, given, "PARAMETERS"):
        sys.exit(wrong)
    wanted = kept | given
    # The functions are built for the processor that they are deployed for, so it is always said.
    wanted.setdefault("Architecture", deployed(stack, region).get("Architecture", "arm64"))
    print(stack)
    print(region)
    print(" ".join('{}="{}"'.format(name, value.replace('"', r"\"")) for name, value in wanted.items()))
    options = [] if said.get("s3_bucket") else ["--resolve-s3"]
    if not said.get("tags"):
        options += ["--tags", read(DEFAULTS)["tags"]]
    print(" ".join(options))


main(*sys.argv[1:])
