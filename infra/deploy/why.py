"""Prints why a stack could not be created or changed: the first resource that failed, and the reason.

Usage: why.py ENDPOINT STACK. Prints nothing if no resource failed.
"""

import sys

import boto3
from botocore.exceptions import BotoCoreError, ClientError

endpoint, stack = sys.argv[1:]
try:
    events = boto3.client("cloudformation", endpoint_url=endpoint).describe_stack_events(StackName=stack)["StackEvents"]
except (BotoCoreError, ClientError):
    sys.exit()
# The newest event comes first. The oldest failure is the cause of the others.
failed = [event for event in events if event["ResourceStatus"].endswith("_FAILED")]
if failed:
    print(f"{failed[-1]['LogicalResourceId']}: {failed[-1].get('ResourceStatusReason', 'no reason is given')}")
