"""Holds the stack's policies against the duties of operators, on the emulator with its check of rights in IAM: each duty
may do what it is for, and nothing of the others.

Usage: duties.py STACK, where AWS's own variables name the emulator and its root credentials.
"""

import json
import os
import pathlib
import subprocess
import sys
import time

import boto3
from botocore.exceptions import ClientError

SAM = pathlib.Path(sys.executable).with_name("sam")
STACK = sys.argv[1]
LISTS = ["ListMerchants", "ListApiKeys", "ListOperatorActions"]
# Duty → functions that it may invoke.
MAY = {
    "Onboard": ["CreateMerchant", "UpdateMerchant", "IssueApiKey", "RedeliverEvent", *LISTS],
    "Revoke": ["RevokeApiKey", *LISTS],
    "Read": LISTS,
}
# Functions that no duty allows.
NOBODYS = ["EnqueueDue", "CreatePayment"]
DENIED = ("AccessDenied", "AccessDeniedException")


def stack(kind):
    return boto3.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0][kind]


def physical(logical_id):
    described = boto3.client("cloudformation").describe_stack_resource(StackName=STACK, LogicalResourceId=logical_id)
    return described["StackResourceDetail"]["PhysicalResourceId"]


def output(key):
    [value] = [output["OutputValue"] for output in stack("Outputs") if output["OutputKey"] == key]
    return value


def unique():
    return str(time.time_ns())


def user_with(duty):
    """Credentials of a new user who has the duty's policy alone."""
    iam, name = boto3.client("iam"), f"{STACK}-{duty}-{unique()}"
    iam.create_user(UserName=name)
    iam.attach_user_policy(UserName=name, PolicyArn=output(f"{duty}PolicyArn"))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}


def is_denied(call, **parameters):
    """Whether IAM denies the call. Every other error is the test's own."""
    try:
        call(**parameters)
    except ClientError as error:
        if error.response["Error"]["Code"] not in DENIED:
            raise
        return True
    return False


def requests():
    """Function → a request that it accepts. Creates the merchant and the key that the requests are about."""
    lambda_ = boto3.client("lambda")

    def invoked(function, request):
        answer = lambda_.invoke(FunctionName=physical(function), Payload=json.dumps(request))
        return json.load(answer["Payload"])

    price = {"USD": {"fee_basis_points": 290, "fee_fixed": 30}}
    creation = {"operator": "duties", "reference": "duties", "name": "Acme", "plan": "standard", "currencies": price}
    merchant = {"operator": "duties", "merchant": invoked("CreateMerchant", creation)["id"]}
    issue = {**merchant, "mode": "test", "reference": unique(), "scopes": ["balance:read"]}
    return {
        "CreateMerchant": creation,
        "UpdateMerchant": {**merchant, "suspended": False},
        "IssueApiKey": issue,
        "RevokeApiKey": {**merchant, "key": invoked("IssueApiKey", {**issue, "reference": unique()})["id"]},
        # It answers that there is no such event.
        "RedeliverEvent": {**merchant, "mode": "test", "event": f"evt_{'0' * 26}"},
        "ListMerchants": {"operator": "duties"},
        "ListApiKeys": merchant,
        "ListOperatorActions": merchant,
        "EnqueueDue": {},
        "CreatePayment": {},
    }


def invokes(duty, session, events):
    """Invokes every function, and its alias; holds the answer against the duty."""
    lambda_ = session.client("lambda")
    for function, event in events.items():
        for qualifier in ({}, {"Qualifier": "live"}):
            denied = is_denied(
                lambda_.invoke, FunctionName=physical(function), Payload=json.dumps(event), **qualifier
            )
            assert denied == (function not in MAY[duty]), f"{duty} {function} {qualifier}: denied is {denied}"


def types(credentials, function, event):
    """What `sam remote invoke` prints for these credentials, and whether it succeeded."""
    env = os.environ | {name.upper(): value for name, value in credentials.items()}
    command = [SAM, "remote", "invoke", function, "--stack-name", STACK, "--region", os.environ["AWS_REGION"]]
    ran = subprocess.run([*command, "--event", json.dumps(event)], env=env, text=True, capture_output=True)
    return ran.returncode == 0 and "errorMessage" not in ran.stdout, ran.stdout + ran.stderr


def reads(session):
    """Calls that look, as runbooks do, by service: method → parameters. The records of the stream are not among them: the
    emulator looks for the right to read them of all streams."""
    group = f"/aws/lambda/{STACK}-create-merchant"
    table, index = output("TableName"), {"IndexName": "listing", "KeyConditionExpression": "listing = :of"}
    merchants = {":of": {"S": "merchants"}}
    dead_letters, processor = physical("ProcessorDeadLetters"), physical("ProcessorQueue")
    now = int(time.time())
    query = {"startTime": now - 3600, "endTime": now, "queryString": "stats count() by merchant"}
    key = {"pk": {"S": "mer_1"}, "sk": {"S": "merchant"}}
    calls = [
        ("dynamodb", "list_tables", {}),
        ("dynamodb", "list_backups", {"TableName": table}),
        ("dynamodb", "describe_table", {"TableName": table}),
        ("dynamodb", "get_item", {"TableName": table, "Key": key}),
        ("dynamodb", "batch_get_item", {"RequestItems": {table: {"Keys": [key]}}}),
        ("dynamodb", "query", {"TableName": table, "ExpressionAttributeValues": merchants, **index}),
        ("logs", "filter_log_events", {"logGroupName": group}),
        ("logs", "start_query", {"logGroupName": group, **query}),
        ("logs", "describe_log_groups", {"logGroupNamePrefix": group}),
        ("sqs", "get_queue_attributes", {"QueueUrl": processor, "AttributeNames": ["All"]}),
        ("sqs", "receive_message", {"QueueUrl": dead_letters}),
        ("lambda", "list_event_source_mappings", {"FunctionName": f"{STACK}-call-processor:live"}),
        ("lambda", "get_function_configuration", {"FunctionName": f"{STACK}-call-processor"}),
        ("cloudwatch", "describe_alarms", {}),
    ]
    return {method: is_denied(getattr(session.client(service), method), **given) for service, method, given in calls}


def changes(session):
    """Calls that no duty may make."""
    table, key = output("TableName"), {"pk": {"S": "mer_1"}, "sk": {"S": "duties"}}
    function = f"{STACK}-call-processor"
    calls = [
        ("dynamodb", "put_item", {"TableName": table, "Item": key}),
        ("dynamodb", "delete_item", {"TableName": table, "Key": key}),
        ("dynamodb", "scan", {"TableName": table}),
        ("sqs", "send_message", {"QueueUrl": physical("ProcessorQueue"), "MessageBody": "{}"}),
        ("sqs", "receive_message", {"QueueUrl": physical("ProcessorQueue")}),
        ("lambda", "update_function_configuration", {"FunctionName": function, "Timeout": 30}),
        ("lambda", "put_function_concurrency", {"FunctionName": function, "ReservedConcurrentExecutions": 0}),
        ("iam", "list_users", {}),
        ("cloudformation", "delete_stack", {"StackName": STACK}),
    ]
    return {method: is_denied(getattr(session.client(service), method), **given) for service, method, given in calls}


def main():
    events = requests()
    for duty, functions in MAY.items():
        credentials = user_with(duty)
        session = boto3.Session(**credentials)
        invokes(duty, session, events)
        succeeded, printed = types(credentials, functions[0], events[functions[0]])
        assert succeeded, f"{duty} types {functions[0]}: {printed}"
        other = next(function for function in events if function not in functions)
        succeeded, printed = types(credentials, other, events[other])
        assert not succeeded and "not authorized" in printed, f"{duty} types {other}: {printed}"
        denied = reads(session)
        assert set(denied.values()) == {duty != "Read"}, f"{duty}: {denied}"
        assert all(changes(session).values()), f"{duty}: {changes(session)}"
        print(f"{duty}: {', '.join(functions)}, and nothing of the others")


if __name__ == "__main__":
    main()
