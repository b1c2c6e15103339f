"""Puts a stack on an existing table: one that was restored, copied from another region, or kept after a stack's deletion.

Usage: adopt.py TEMPLATE, with these variables:
  TABLE=        the existing table
  STACK=        the stack, new or not
  AWS_REGION=   the region of both
  DEPLOY=0      prepares the table and prints the parameters, but deploys nothing
  LEAVE=        the name of the stack's present table, if the stack shall leave a table that exists
  KEYS=         the secret (name or ARN) whose signing keys the table gets, or `new`, if the tool can't find them
Other variables are settings of `make deploy`.

It refuses a table with other keys or indexes than the template's. It sets what a restored table lacks: stream, expiry,
point-in-time recovery, deletion protection, and the signing keys of its webhooks (the secret TABLE/webhook-keys), which it
copies from the table that was restored or that the stack leaves. Then it deploys the stack with this table, and gives each merchant its plan
key in the stack's usage plans. A protected stack is protected again at the end. A second run changes nothing.
"""

import os
import pathlib
import subprocess
import sys
import time

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from samcli.yamlhelper import yaml_parse

from operate import origin
from protect import ALLOW, protect, set_policy
from webhook_keys import Keys, key_of

ROOT = pathlib.Path(__file__).resolve().parents[2]
# A new index or stream of a large table takes long; these changes take seconds.
READY_SECONDS = 600
# AWS's name for the absence of what is asked for.
ABSENT = ("ResourceNotFoundException", "ValidationError")


def schema(keys):
    return [(key["AttributeName"], key["KeyType"]) for key in keys]


def projection(index):
    found = index["Projection"]
    return found["ProjectionType"], sorted(found.get("NonKeyAttributes", []))


def index_of(index):
    return schema(index["KeySchema"]), projection(index)


def fault(table, wanted):
    """Returns a sentence if the table has other keys or indexes than the template's. Otherwise returns None."""
    name = table["TableName"]
    if schema(table["KeySchema"]) != schema(wanted["KeySchema"]):
        return f"The table {name} has other keys than the template's: it is no table of Spillway."
    types = {each["AttributeName"]: each["AttributeType"] for each in table["AttributeDefinitions"]}
    for attribute in wanted["AttributeDefinitions"]:
        if types.get(attribute["AttributeName"], attribute["AttributeType"]) != attribute["AttributeType"]:
            return f"The attribute {attribute['AttributeName']} of the table {name} has another type than the template's."
    indexes = {index["IndexName"]: index_of(index) for index in table.get("GlobalSecondaryIndexes", [])}
    for index in wanted["GlobalSecondaryIndexes"]:
        found = indexes.get(index["IndexName"])
        if found is None:
            return f"The table {name} lacks the index {index['IndexName']}: restore it again with all indexes."
        if found != index_of(index):
            return f"The index {index['IndexName']} of the table {name} has other keys or attributes than the template's."
    return None


class Table:
    """An existing table, and the calls that set what it lacks."""

    def __init__(self, name):
        self.dynamodb = boto3.client("dynamodb")
        self.name = name

    def describe(self):
        """Returns the table once it is active. None if it does not exist."""
        until = time.monotonic() + READY_SECONDS
        while True:
            try:
                table = self.dynamodb.describe_table(TableName=self.name)["Table"]
            except self.dynamodb.exceptions.ResourceNotFoundException:
                return None
            if table["TableStatus"] == "ACTIVE":
                return table
            if time.monotonic() > until:
                sys.exit(f"The table {self.name} is still {table['TableStatus']}: run the command again when it is active.")
            time.sleep(1)

    def update(self, **change):
        self.dynamodb.update_table(TableName=self.name, **change)
        return self.describe()

    def set_stream(self, wanted):
        table = self.describe()
        stream = table.get("StreamSpecification", {})
        if not stream.get("StreamEnabled"):
            self.update(StreamSpecification={"StreamEnabled": True, **wanted["StreamSpecification"]})
            return "set its stream"
        if stream["StreamViewType"] != wanted["StreamSpecification"]["StreamViewType"]:
            sys.exit(
                f"The stream of the table {self.name} has {stream['StreamViewType']}, and another reader may use it:"
                " disable it, then run the command again."
            )
        return None

    def set_expiry(self, wanted):
        expiry = self.dynamodb.describe_time_to_live(TableName=self.name)["TimeToLiveDescription"]
        attribute = wanted["TimeToLiveSpecification"]["AttributeName"]
        if expiry.get("TimeToLiveStatus") in ("ENABLED", "ENABLING"):
            if expiry["AttributeName"] != attribute:
                sys.exit(f"The table {self.name} expires items by {expiry['AttributeName']} and not by {attribute}.")
            return None
        self.dynamodb.update_time_to_live(
            TableName=self.name, TimeToLiveSpecification={"AttributeName": attribute, "Enabled": True}
        )
        return f"set its expiry by {attribute}"

    def set_recovery(self, _):
        backups = self.dynamodb.describe_continuous_backups(TableName=self.name)["ContinuousBackupsDescription"]
        recovery = backups.get("PointInTimeRecoveryDescription", {})
        if recovery.get("PointInTimeRecoveryStatus") == "ENABLED":
            return None
        self.dynamodb.update_continuous_backups(
            TableName=self.name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
        )
        return "set its point-in-time recovery"

    def set_protection(self, _):
        if self.describe().get("DeletionProtectionEnabled"):
            return None
        self.update(DeletionProtectionEnabled=True)
        return "set its deletion protection"

    def prepare(self, wanted):
        """Sets what the table lacks. Returns its description."""
        table = self.describe()
        if table is None:
            sys.exit(f"There is no table {self.name} in this account and region.")
        if why := fault(table, wanted):
            sys.exit(why)
        steps = [self.set_stream, self.set_expiry, self.set_recovery, self.set_protection]
        done = [what for what in (step(wanted) for step in steps) if what]
        print(f"The table {self.name}: {', '.join(done) or 'nothing was missing'}.")
        return self.describe()


def give_keys(table, given, present):
    """Makes the secret with the signing keys of the table's webhooks unless it exists. The keys are those of the secret
    given, or else of the table from which it was restored, or else of the stack's present table."""
    keys = Keys(table["TableName"])
    if keys.read() is not None:
        return
    source = (origin(table) or "").split("/")[-1]
    others = [given] if given else [f"{other}/webhook-keys" for other in (source, present) if other]
    if given == "new":
        value, whence = {"current": "1", "1": keys.new()}, "new"
    else:
        found = ((keys.read(other), f"copied from {other}") for other in others)
        value, whence = next((each for each in found if each[0]), (None, None))
    if value is None:
        sys.exit(
            f"There is no secret {given}."
            if given
            else f"The signing keys for the webhooks of the table {table['TableName']} were not found. Name the secret of the"
            " table from which its data came with KEYS=. With KEYS=new, all its webhook endpoints need new secrets."
        )
    keys.create(value, key_of(table))
    print(f"The signing keys of webhooks in {keys.name}: {whence}.")


def described(stack):
    """Returns CloudFormation's description of the stack. None if there is no such stack."""
    try:
        return boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError as error:
        if error.response["Error"]["Code"] in ABSENT:
            return None
        raise


def present_table(stack):
    """Returns the name of the stack's table. None if there is no such stack."""
    outputs = (described(stack) or {}).get("Outputs", [])
    return next((output["OutputValue"] for output in outputs if output["OutputKey"] == "TableName"), None)


def refuse_a_second_table(stack, present, name):
    """Data that the stack has written into a table that exists would be left behind."""
    if present and present not in (name, os.environ.get("LEAVE")) and Table(present).describe():
        sys.exit(
            f"The stack {stack} uses the table {present}, which exists: what it has written there would be left behind."
            f" If that is what you want, run the command again with LEAVE={present}."
        )


def refuse_a_second_stack(stack, stream):
    """Two stacks on one table would both work on every payment."""
    mappings = boto3.client("lambda").get_paginator("list_event_source_mappings").paginate(EventSourceArn=stream)
    for mapping in mappings.search("EventSourceMappings[]"):
        function = mapping["FunctionArn"].split(":function:")[1].split(":")[0]
        if function != f"{stack}-dispatch-changes":
            sys.exit(f"The function {function} reads the stream of this table: delete its stack first.")


def run(command, **env):
    if subprocess.run(command, cwd=ROOT, env=os.environ | env).returncode != 0:
        sys.exit(f"`{' '.join(map(str, command))}` failed: repair the reason, then run `make adopt` again with the same settings.")


def deploy(stack, *parameters, **env):
    """Deploys the stack. The policy of a protected stack forbids the update that takes the stack's own table out of it, so
    the policy is lifted for this deployment, and set again afterwards, also if the deployment fails."""
    before = described(stack)
    if before:
        set_policy(boto3.client("cloudformation"), stack, ALLOW)
    try:
        run(["make", "--no-print-directory", "deploy", *parameters], **env)
    finally:
        if before and before.get("EnableTerminationProtection"):
            protect(stack)


def main(template):
    name, stack = os.environ.get("TABLE"), os.environ.get("STACK")
    if not name or not stack:
        sys.exit("Say which table and stack: TABLE=spillway-restored STACK=spillway AWS_REGION=eu-central-1 make adopt")
    wanted = yaml_parse(pathlib.Path(template).read_text(encoding="utf-8"))["Resources"]["Table"]["Properties"]
    present = present_table(stack)
    refuse_a_second_table(stack, present, name)
    table = Table(name)
    # A stream that `prepare` makes has no reader yet.
    if stream := (table.describe() or {}).get("LatestStreamArn"):
        refuse_a_second_stack(stack, stream)
    ready = table.prepare(wanted)
    give_keys(ready, os.environ.get("KEYS"), present)
    stream = ready["LatestStreamArn"]
    parameters = [f"ExistingTable={name}", f"ExistingTableStreamArn={stream}"]
    print(" ".join(parameters), flush=True)
    if os.environ.get("DEPLOY") == "0":
        return
    deploy(stack, *parameters, ADOPTS=name)
    run([sys.executable, "infra/deploy/operate.py", "plan-keys"])


if __name__ == "__main__":
    boto3.setup_default_session(region_name=os.environ.get("AWS_REGION"))
    try:
        main(*sys.argv[1:])
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"AWS refuses a call: {error}")
