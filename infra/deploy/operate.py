"""Runs a program of infra/operate or infra/trace with the credentials and the region that boto3 finds, and with the names
of a stack.

Usage: operate.py plan-keys    needs STACK=
       operate.py trace        needs STACK= and the settings that infra/trace/run.sh lists
       operate.py repair       needs FROM=, and TO= or STACK=, whose table is then TO; WRITE=1 writes, if AWS says that FROM
                               was restored from TO, or RELATED=1 says so
"""

import os
import pathlib
import sys

import boto3
from botocore.exceptions import BotoCoreError, ClientError

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "debug"


def credentials(session):
    """Returns the variables with the region and the credentials. The programs read nothing else."""
    found = session.get_credentials()
    if found is None or not session.region_name:
        sys.exit("No credentials or no region: set AWS_PROFILE and AWS_REGION, as for `make deploy`.")
    frozen = found.get_frozen_credentials()
    variables = {"AWS_ACCESS_KEY_ID": frozen.access_key, "AWS_SECRET_ACCESS_KEY": frozen.secret_key}
    return variables | {"AWS_SESSION_TOKEN": frozen.token or "", "AWS_REGION": session.region_name}


def table_of(session, stack):
    outputs = session.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0].get("Outputs", [])
    table = next((output["OutputValue"] for output in outputs if output["OutputKey"] == "TableName"), None)
    return table or sys.exit(f"The stack {stack} has no output TableName: it is no Spillway stack.")


def plan_of(session, stack, plan):
    described = session.client("cloudformation").describe_stack_resource(StackName=stack, LogicalResourceId=plan)
    return described["StackResourceDetail"]["PhysicalResourceId"]


def origin(described):
    """Returns the arn of the table that a table was restored from. None if AWS names none."""
    summary = described.get("RestoreSummary", {})
    # A backup's arn is its table's arn, followed by /backup/ and the backup's name.
    backup = summary.get("SourceBackupArn", "")
    return summary.get("SourceTableArn") or (backup.split("/backup/")[0] if "/backup/" in backup else None)


def refuse_strangers(session, restored, live):
    """Neither another deployment's items nor, with FROM and TO exchanged, newer ones must be written into a table."""
    if os.environ.get("RELATED") == "1":
        return
    dynamodb = session.client("dynamodb")
    source, target = (dynamodb.describe_table(TableName=table)["Table"] for table in (restored, live))
    if origin(source) != target["TableArn"]:
        sys.exit(
            f"AWS does not say that {restored} was restored from {live}, so nothing is written."
            " If you know that it holds earlier items of the same deployment, run the command again with RELATED=1."
        )


def names(session, program):
    """Returns the variables with the names of the tables and plans."""
    stack = os.environ.get("STACK", "")
    if program == "repair":
        table = os.environ.get("TO", "")
        if not os.environ.get("FROM") or not (table or stack):
            sys.exit("Say which tables: FROM=spillway-restored TO=spillway-Table-1ABCDEFGHIJKL make compare")
        table = table or table_of(session, stack)
        if os.environ.get("WRITE", "0") not in ("", "0"):
            refuse_strangers(session, os.environ["FROM"], table)
        return {"TO": table}
    if program == "trace":
        return {"TABLE_NAME": table_of(session, stack)}
    if not stack:
        sys.exit("Say which stack: STACK=spillway AWS_REGION=eu-central-1 make plan-keys")
    plans = {"STANDARD_PLAN_ID": "StandardPlan", "HIGH_PLAN_ID": "HighPlan"}
    plans = {variable: plan_of(session, stack, plan) for variable, plan in plans.items()}
    return {"TABLE": table_of(session, stack)} | plans


def main(program):
    session = boto3.Session(region_name=os.environ.get("AWS_REGION"))
    env = os.environ | credentials(session) | names(session, program)
    os.execve(PROGRAMS / program, [program], env)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"AWS refuses a call: {error}")
    except OSError as error:
        sys.exit(f"The program can't run: {error}. `make` builds it.")
