"""Builds one package and deploys it to two stacks of the emulator, by make and with the deploying role's rights.

Usage: promoting.py DATA ARCHITECTURE, where local.sh has built the stack `spillway`. AWS's own variables name the emulator;
nothing here has a terminal. The emulator refuses alarms with metric math and canaries, so both are off on make's line.
"""

import base64
import json
import os
import pathlib
import sys

import boto3
from botocore.exceptions import ClientError

from deploying import parameters
from emulated import ROOT, done, run, stack

BUCKET = "spillway-packages"
ISSUER = "https://token.actions.githubusercontent.com"
KEPT = {"LogRetentionDays": "400"}
OFF = ["Alarms=false", "Canary=false"]
OTHER = {"arm64": "x86_64", "x86_64": "arm64"}


def make(*words, **env):
    """Runs make as an operator does, without what the make that runs this test hands down."""
    return run(["make", "--silent", *words], MAKEFLAGS=None, MAKEOVERRIDES=None, MAKELEVEL=None, **env)


def refused(ran, why):
    assert ran.returncode != 0 and why in ran.stderr, (why, ran.stdout[-500:], ran.stderr[-1500:])


def package(data, architecture):
    """Uploads what `sam build` has built for the stack `spillway`."""
    boto3.client("s3").create_bucket(Bucket=BUCKET)
    packaged = data / "packaged.yaml"
    words = [f"PACKAGED={packaged}", f"BUCKET={BUCKET}", f"Architecture={architecture}"]
    done(make("package", *words, BUILT="1", BUILD=str(data / "build/spillway")))
    # Where the nested template is on AWS. The SAM CLI refuses the emulator's own address; the emulator reads both.
    at_s3 = f"https://s3.{os.environ['AWS_REGION']}.amazonaws.com/"
    packaged.write_text(packaged.read_text().replace(f"{os.environ['AWS_ENDPOINT_URL']}/", at_s3))
    return [f"PACKAGED={packaged}", f"BUCKET={BUCKET}"]


def token(subject):
    """Returns a token as GitHub gives it to a job. The emulator reads its claims and checks no signature."""
    claims = {"iss": ISSUER, "aud": "sts.amazonaws.com", "sub": subject}
    parts = [{"alg": "RS256"}, claims, "unsigned"]
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)


def credentials(role, environment):
    """Returns the credentials that a job of this environment of the repository gets for the role."""
    subject = f"repo:example/spillway:environment:{environment}"
    session = boto3.client("sts").assume_role_with_web_identity(
        RoleArn=role, RoleSessionName="deploy", WebIdentityToken=token(subject)
    )["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": session["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": session["SecretAccessKey"],
        "AWS_SESSION_TOKEN": session["SessionToken"],
    }


def deployer(environment):
    """Makes the deploying role of the environment's stack, and returns a job's credentials. The role's own stack has a name
    that begins with the stack's, so that only the Deny protects the role from itself."""
    subject = f"repo:example/spillway:environment:{environment}"
    given = {"Stack": f"spillway-{environment}", "Bucket": BUCKET, "Subject": subject}
    cloudformation, name = boto3.client("cloudformation"), f"spillway-{environment}-deployer"
    cloudformation.create_stack(
        StackName=name,
        TemplateBody=(ROOT / "infra/deploy/deployer.yaml").read_text(encoding="utf-8"),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    waiting = {"Delay": 1, "MaxAttempts": 60}
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig=waiting)
    [role] = [output["OutputValue"] for output in stack(name)["Outputs"]]
    try:
        credentials(role, "other")
        raise AssertionError("another environment gets the role")
    except ClientError as error:
        assert "Not authorized to perform sts:AssumeRoleWithWebIdentity" in str(error), error
    rights = credentials(role, environment)
    keys = {name.lower(): value for name, value in rights.items()}
    try:
        boto3.client("iam", **keys).delete_role_policy(RoleName=role.rsplit("/", 1)[-1], PolicyName="any")
        raise AssertionError("the role can change itself")
    except ClientError as error:
        assert error.response["Error"]["Code"] == "AccessDenied", error
    return rights


def functions(name):
    """Returns the hash of the code and the role of each function's alias, by the function's name without the stack's."""
    found = {}
    client = boto3.client("lambda")
    resources = boto3.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=name)
    for resource in resources.search("StackResourceSummaries[?ResourceType=='AWS::Lambda::Function']"):
        function = resource["PhysicalResourceId"]
        live = client.get_function_configuration(FunctionName=function, Qualifier="live")
        found[function.removeprefix(f"{name}-")] = (live["CodeSha256"], live["Role"])
    return found


def stage_is_deployed(packaged):
    """Without a terminal, without stack and region in variables, and with the deploying role's rights."""
    boto3.client("iam").create_open_id_connect_provider(Url=ISSUER, ClientIDList=["sts.amazonaws.com"])
    rights = deployer("stage")
    said = done(make("deploy", *packaged, *OFF, ENV="stage", **rights))
    assert "spillway-stage is protected" in said, said
    described = stack("spillway-stage")
    tags = {tag["Key"]: tag["Value"] for tag in described["Tags"]}
    assert tags == {"project": "spillway", "environment": "stage"}, tags
    assert described["EnableTerminationProtection"], described
    policy = boto3.client("cloudformation").get_stack_policy(StackName="spillway-stage")["StackPolicyBody"]
    [denied] = [it for it in json.loads(policy)["Statement"] if it["Effect"] == "Deny"]
    assert denied["Resource"] == [f"LogicalResourceId/{it}" for it in ("Table", "WebhookKeys")] and "Update:Replace" in denied["Action"], policy
    said = done(make("deploy", *packaged, *OFF, ENV="stage", **rights))
    assert "No changes to deploy" in said, said
    refused(make("deploy", *packaged, *OFF, ENV="prod", **rights), "not authorized to perform")
    print("make deploy: stage with the deploying role's rights, and again without a change; prod is refused to it")


def prod_gets_the_same_files(packaged):
    done(make("deploy", *packaged, *OFF, ENV="prod"))
    assert KEPT.items() <= parameters("spillway-prod").items(), parameters("spillway-prod")
    stage, prod = functions("spillway-stage"), functions("spillway-prod")
    assert len(stage) > 20 and stage.keys() == prod.keys(), (stage, prod)
    different = [name for name in stage if stage[name][0] != prod[name][0]]
    assert not different, different
    print(f"make package: the {len(stage)} functions of stage and prod have the same code")


def company_rules_reach_everything(packaged):
    """A path for all roles and a key, over a stack that has neither."""
    key = boto3.client("kms").create_key()["KeyMetadata"]["Arn"]
    done(make("deploy", *packaged, *OFF, "RolePath=/payments/", f"KmsKeyArn={key}", ENV="prod"))
    for name, (_, role) in functions("spillway-prod").items():
        assert ":role/payments/spillway-prod-" in role, f"{name} still runs with {role}"
    found = {}
    resources = boto3.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName="spillway-prod")
    for resource in resources.search("StackResourceSummaries[]"):
        found.setdefault(resource["ResourceType"], []).append(resource["PhysicalResourceId"])
    [table] = found["AWS::DynamoDB::Table"]
    encrypted = boto3.client("dynamodb").describe_table(TableName=table)["Table"]["SSEDescription"]
    assert encrypted["KMSMasterKeyArn"] == key, encrypted
    for url in found["AWS::SQS::Queue"]:
        queue = boto3.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        assert queue["KmsMasterKeyId"] == key, queue
    groups = boto3.client("logs").get_paginator("describe_log_groups")
    groups = list(groups.paginate(logGroupNamePrefix="/aws/lambda/spillway-prod-").search("logGroups[]"))
    assert groups and all(group.get("kmsKeyId") == key for group in groups), groups
    print("make deploy: RolePath reaches the alias of every function, and KmsKeyArn table, queues and logs")


def mistakes_are_refused(packaged, architecture):
    before = stack("spillway-stage").get("LastUpdatedTime")
    mistakes = {
        "Cannary=false": "make deploy names Cannary, which",
        "CANARY=false": "make deploy sets a parameter by its own name: Canary=false",
        "StoreDeadlineMs=3000.5": "StoreDeadlineMs is 3000.5, but it must be a whole number.",
        "STACK=spillway-prod": "STACK says spillway-prod and",
    }
    for word, why in mistakes.items():
        ran = make("deploy", *packaged, word, ENV="stage")
        refused(ran, why)
        # The sentence, and make's own.
        assert len(ran.stderr.strip().splitlines()) <= 2, ran.stderr
    refused(make("deploy", *packaged, ENV="prd"), "ENV says prd, and")
    # The functions could not start.
    refused(make("deploy", *packaged, *OFF, f"Architecture={OTHER[architecture]}", ENV="stage"), "Architecture")
    refused(make("deploy", *packaged, *OFF, "DisableExecuteApiEndpoint=true", ENV="stage"), "DomainOnlyNeedsDomain")
    topics = ["AlarmEmail=a@example.com", "AlarmTopicArn=arn:aws:sns:us-east-1:000000000000:oncall"]
    refused(make("deploy", *packaged, *OFF, *topics, ENV="stage"), "OneAlarmTopic")
    try:
        boto3.client("cloudformation").delete_stack(StackName="spillway-stage")
        raise AssertionError("a protected stack can be deleted")
    except ClientError as error:
        assert "TerminationProtection is enabled" in str(error), error
    assert stack("spillway-stage").get("LastUpdatedTime") == before
    print("make deploy: a typo, a fraction, an unknown environment and another architecture are refused")


def main(data, architecture):
    packaged = package(pathlib.Path(data).resolve(), architecture)
    stage_is_deployed(packaged)
    prod_gets_the_same_files(packaged)
    mistakes_are_refused(packaged, architecture)
    company_rules_reach_everything(packaged)


if __name__ == "__main__":
    main(*sys.argv[1:])
