"""Protects a stack from deletion, and its table and the keys of its webhooks from replacement and deletion by an update.

Usage: protect.py STACK REGION. It may run again. docs/deploy.md says how to lift the protection.
"""

import json
import sys

import boto3
from botocore.exceptions import BotoCoreError, ClientError

ALLOW = {"Effect": "Allow", "Principal": "*", "Action": "Update:*", "Resource": "*"}
KEEP_DATA = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": ["Update:Replace", "Update:Delete"],
    "Resource": ["LogicalResourceId/Table", "LogicalResourceId/WebhookKeys"],
}


def set_policy(cloudformation, stack, *statements):
    cloudformation.set_stack_policy(StackName=stack, StackPolicyBody=json.dumps({"Statement": statements}))


def protect(stack, region=None):
    cloudformation = boto3.client("cloudformation", region_name=region)
    cloudformation.update_termination_protection(StackName=stack, EnableTerminationProtection=True)
    set_policy(cloudformation, stack, ALLOW, KEEP_DATA)
    print(f"{stack} is protected from deletion, and its table and the keys of its webhooks from replacement.")


if __name__ == "__main__":
    try:
        protect(*sys.argv[1:])
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"The stack is deployed, but it could not be protected: {error}")
