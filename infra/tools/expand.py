"""The template as CloudFormation gets it: expanded by the SAM CLI's own translator, as JSON. Nobody is asked for anything.

Usage: .local/tools/sam/bin/python infra/tools/expand.py infra/template.yaml [Parameter=value …]
"""

import json
import logging
import os
import sys

os.environ.setdefault("AWS_DEFAULT_REGION", "eu-central-1")  # the translator looks up the partition of a region
logging.disable(logging.WARNING)  # it tells of features that it can't switch on here

from samcli.yamlhelper import yaml_parse
from samtranslator.translator.transform import transform


class NoManagedPolicies:
    """AWS's own policies would be listed from the account, to know them by their names. No role here names one so."""

    def load(self):
        return {}


def main(path, given):
    with open(path, encoding="utf-8") as text:
        # What an anchor stands for is one object for all its aliases, and the translator changes what it reads. The way
        # through JSON makes copies, as `sam build` does when it writes the aliases out.
        template = json.loads(json.dumps(yaml_parse(text.read())))
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            # What `sam build` and `sam package` put there.
            folder = resource["Properties"]["CodeUri"]["Fn::Sub"].rsplit("/", 1)[-1]
            resource["Properties"]["CodeUri"] = f"s3://bucket/{folder}"
    values = {name: str(parameter["Default"]) for name, parameter in template["Parameters"].items()}
    values |= {"AWS::Partition": "aws", "AWS::Region": "eu-central-1", "AWS::StackName": "spillway"}
    values |= dict(pair.split("=", 1) for pair in given)
    json.dump(transform(template, values, NoManagedPolicies()), sys.stdout, indent=1)


main(sys.argv[1], sys.argv[2:])
