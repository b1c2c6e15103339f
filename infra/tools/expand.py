"""Prints the template as CloudFormation gets it: expanded by the SAM CLI's own translator, as JSON. It needs no account.

Usage: .local/tools/sam/bin/python infra/tools/expand.py infra/template.yaml [Parameter=value …]
"""

import json
import logging
import os
import sys

os.environ.setdefault("AWS_DEFAULT_REGION", "eu-central-1")  # the translator looks up the region's partition
logging.disable(logging.WARNING)  # it warns of features that are off here

from samcli.yamlhelper import yaml_parse
from samtranslator.translator.transform import transform


class NoManagedPolicies:
    """The translator would list AWS's managed policies from the account to find them by name. No role here names one."""

    def load(self):
        return {}


def main(path, given):
    with open(path, encoding="utf-8") as text:
        # What an anchor stands for is one object for all its aliases, and the translator changes what it reads. The way
        # through JSON makes copies, as `sam build` does when it writes the aliases out.
        template = json.loads(json.dumps(yaml_parse(text.read())))
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            # As `sam build` and `sam package` set it.
            folder = resource["Properties"]["CodeUri"]["Fn::Sub"].rsplit("/", 1)[-1]
            resource["Properties"]["CodeUri"] = f"s3://bucket/{folder}"
    values = {name: str(parameter["Default"]) for name, parameter in template["Parameters"].items()}
    values |= {"AWS::Partition": "aws", "AWS::Region": "eu-central-1", "AWS::StackName": "spillway"}
    values |= dict(pair.split("=", 1) for pair in given)
    json.dump(transform(template, values, NoManagedPolicies()), sys.stdout, indent=1)


main(sys.argv[1], sys.argv[2:])
