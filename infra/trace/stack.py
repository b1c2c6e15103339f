"""Runs a command for a deployed stack: with the table's name, the region and the credentials in the environment.

Usage: stack.py COMMAND …, with STACK and AWS_REGION in the environment. The credentials are those that boto3 finds. The
command gets TABLE_NAME, AWS_REGION, and the credentials in AWS's own variables, so it needs no other source of them.
"""

import os
import sys

import boto3
from botocore.exceptions import BotoCoreError, ClientError


def environment(stack):
    session = boto3.Session(region_name=os.environ.get("AWS_REGION") or None)
    if not session.region_name:
        sys.exit("Say which region: AWS_REGION=eu-central-1")
    [described] = session.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}
    if "TableName" not in outputs:
        sys.exit(f"The stack {stack} in {session.region_name} has no output TableName: it is no Spillway stack.")
    credentials = session.get_credentials().get_frozen_credentials()
    found = {
        "TABLE_NAME": outputs["TableName"],
        "AWS_REGION": session.region_name,
        "AWS_ACCESS_KEY_ID": credentials.access_key,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
        "AWS_SESSION_TOKEN": credentials.token or "",
    }
    return os.environ | found


def main(command):
    stack = os.environ["STACK"]
    try:
        found = environment(stack)
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"The stack {stack} can't be described: {error}")
    os.execvpe(command[0], command, found)


if __name__ == "__main__":
    main(sys.argv[1:])
