"""Prints the log lines of a deployed stack's functions that contain one of some texts.

Usage: logs.py, with STACK and AWS_REGION in the environment, and the search on the standard input as JSON:
{"texts": ["pay_…"], "windows": [[from, until]]}, in milliseconds since 1970. Prints each line behind the function's name.
"""

import concurrent.futures
import itertools
import json
import os
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

# CloudWatch's limit of a filter pattern is 1,024 characters; an id with its marks has 34 at most.
PATTERN_TEXTS = 25
# FilterLogEvents has a quota of a few calls a second in a region; the SDK waits when it is reached.
AT_ONCE = 5


def log_groups(session, stack):
    """The log groups of the stack's functions, by the function's short name."""
    pages = session.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack)
    prefix, found = f"/aws/lambda/{stack}-", {}
    for resource in pages.search("StackResourceSummaries[?ResourceType=='AWS::Logs::LogGroup']"):
        name = resource["PhysicalResourceId"]
        if name.startswith(prefix):
            found[name.removeprefix(prefix)] = name
    return found


def lines(logs, group, window, texts):
    """The lines of a group in this time that contain one of the texts."""
    asked = {"logGroupName": group, "startTime": window[0], "endTime": window[1]}
    # The emulator does not know optional terms: docs/emulators.md.
    if not os.environ.get("AWS_ENDPOINT_URL"):
        asked["filterPattern"] = " ".join(f'?"{text}"' for text in texts)
    try:
        pages = logs.get_paginator("filter_log_events").paginate(**asked)
        messages = [event["message"].strip() for page in pages for event in page["events"]]
    except logs.exceptions.ResourceNotFoundException:
        return []
    return [message for message in messages if any(text in message for text in texts)]


def search(session, stack, texts, windows):
    """Function's name and line of each line found. A line that several searches find comes once."""
    config = Config(retries={"mode": "adaptive", "max_attempts": 10}, max_pool_connections=AT_ONCE)
    logs = session.client("logs", config=config)
    batches = [texts[start : start + PATTERN_TEXTS] for start in range(0, len(texts), PATTERN_TEXTS)]
    found = {}
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        searches = {
            pool.submit(lines, logs, group, window, batch): function
            for (function, group), window, batch in itertools.product(
                log_groups(session, stack).items(), windows, batches
            )
        }
        for done in concurrent.futures.as_completed(searches):
            found |= {(searches[done], line): None for line in done.result()}
    return found


def main():
    asked = json.load(sys.stdin)
    session = boto3.Session(region_name=os.environ["AWS_REGION"])
    try:
        found = search(session, os.environ["STACK"], asked["texts"], asked["windows"])
    except (BotoCoreError, ClientError) as error:
        sys.exit(str(error))
    for function, line in found:
        print(function, line)


if __name__ == "__main__":
    main()
