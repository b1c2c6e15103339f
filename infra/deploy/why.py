"""Why a stack could not be made or changed: the first resource that failed, and what was said of it.

Usage: why.py ENDPOINT STACK. Prints nothing where no resource failed.
"""

import sys

import boto3
from botocore.exceptions import BotoCoreError, ClientError

endpoint, stack = sys.argv[1:]
try:
    events = boto3.client("cloudformation", endpoint_url=endpoint).describe_stack_events(StackName=stack)["StackEvents"]
except (BotoCoreError, ClientError):
    sys.exit()
# Newest first. Behind the first failure come those that it took with it.
failed = [event for event in events if event["ResourceStatus"].endswith("_FAILED")]
if failed:
    print(f"{failed[-1]['LogicalResourceId']}: {failed[-1].get('ResourceStatusReason', 'no reason is given')}")
