"""Releases on the emulator: which versions stay, `make rollback`, and the way forward again.

Usage: releasing.py DATA ARCHITECTURE, where local.sh has built and deployed the stacks `spillway` and `panicking`. Most
of it is tried on a stack of one and then two functions, which deploys in seconds.
"""

import concurrent.futures
import json
import pathlib
import re
import shutil
import sys

import boto3
from samcli.yamlhelper import yaml_dump

from deploying import MakeDeploy
from emulated import REGION, ROOT, done, eventually, run, stack

RELEASES = "infra/deploy/releases.py"


def versions(function):
    """All published versions of the function."""
    found = boto3.client("lambda").list_versions_by_function(FunctionName=function)["Versions"]
    return sorted(int(each["Version"]) for each in found if each["Version"] != "$LATEST")


def live(function):
    """The version that the alias serves."""
    alias = boto3.client("lambda").get_alias(FunctionName=function, Name="live")
    assert "RoutingConfig" not in alias, alias
    return int(alias["FunctionVersion"])


def rollback(name, **env):
    return run([sys.executable, RELEASES, "rollback"], STACK=name, AWS_REGION=REGION, **env)


def refused(ran, *words):
    """The command fails with one line that contains the words."""
    assert ran.returncode != 0 and ran.stderr.count("\n") == 1, ran
    assert all(word in ran.stderr for word in words), ran.stderr


# The emulator refuses alarms with metric math.
BROKEN = {
    "Type": "AWS::CloudWatch::Alarm",
    "Properties": {
        "Metrics": [{"Id": "sum", "Expression": "1 + 1"}],
        "EvaluationPeriods": 1,
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": 1,
    },
}
# Waits for a signal, as a canary waits for its 15 minutes.
WAITING = {
    "Type": "AWS::CloudFormation::WaitCondition",
    "Properties": {"Handle": {"Ref": "Handle"}, "Timeout": "60"},
}


class Small:
    """A stack of small functions that are built already."""

    name = "small"

    def __init__(self, data, architecture):
        self.data, self.architecture = data / "small", architecture
        self.data.mkdir(exist_ok=True)
        self.make_deploy = MakeDeploy(self.data)

    def template(self, functions, last):
        common = {
            "Runtime": "provided.al2023",
            "Handler": "bootstrap",
            "Architectures": [{"Ref": "Architecture"}],
            "Description": "0.0.0",
            "AutoPublishAlias": "live",
            "AutoPublishAliasAllProperties": True,
            "VersionDeletionPolicy": "Retain",
        }
        trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        resources = {
            "Role": {
                "Type": "AWS::IAM::Role",
                "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]}},
            }
        }
        for function in functions:
            resources[function] = {
                "Type": "AWS::Serverless::Function",
                "Properties": {
                    "FunctionName": {"Fn::Sub": f"${{AWS::StackName}}-{function.lower()}"},
                    "CodeUri": str(self.data.parent / "build/panicking/Panicking"),
                    "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                    "VersionDescription": {"Fn::Sub": "${Setting};" if function == "One" else ";"},
                    "Environment": {"Variables": {"SETTING": {"Ref": "Setting"}} if function == "One" else {}},
                },
            }
        if last:
            # By then the aliases have moved.
            resources["Handle"] = {"Type": "AWS::CloudFormation::WaitConditionHandle"}
            resources["Last"] = last | {"DependsOn": [f"{function}Aliaslive" for function in functions]}
            # The emulator cancels a deployment before the next resource.
            resources["Behind"] = {"Type": "AWS::CloudFormation::WaitConditionHandle", "DependsOn": "Last"}
        return {
            "AWSTemplateFormatVersion": "2010-09-09",
            "Transform": "AWS::Serverless-2016-10-31",
            "Parameters": {
                "Architecture": {"Type": "String", "Default": "arm64"},
                "Setting": {"Type": "String", "Default": "a"},
            },
            "Globals": {"Function": common},
            "Resources": resources,
        }

    def deploy(self, release, functions=("One", "Two"), last=None, setting="a"):
        """`make deploy` of this release, without its build."""
        build = self.data / release
        build.mkdir(exist_ok=True)
        template = build / "template.yaml"
        template.write_text(yaml_dump(self.template(functions, last)))
        done(run([sys.executable, "infra/deploy/stamp.py", template], RELEASE=release))
        return self.make_deploy(
            f'stack_name = "{self.name}"',
            BUILT="1",
            BUILD=str(build),
            TEMPLATE=str(template),
            PARAMETERS=f"Architecture={self.architecture} Setting={setting}",
        )

    def shows(self, one, two=None):
        """Compares the functions with these: first the version of the alias, then all versions."""
        assert (live("small-one"), versions("small-one")) == one, (live("small-one"), versions("small-one"), one)
        if two:
            assert (live("small-two"), versions("small-two")) == two, (live("small-two"), versions("small-two"), two)


def rollback_works(small):
    done(small.deploy("1.0.0+aaa", functions=["One"]))
    small.shows((1, [1]))
    refused(rollback("small"), "No release before 1.0.0+aaa")
    done(small.deploy("1.0.1+bbb"))
    small.shows((2, [1, 2]), (1, [1]))
    failed = small.deploy("1.0.2+ccc", last=BROKEN)
    assert failed.returncode != 0 and stack("small")["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE", failed
    # CloudFormation leaves what the failed deployment has published.
    small.shows((2, [1, 2, 3]), (1, [1, 2]))

    said = done(rollback("small", DRY_RUN="1"))
    for line in ["from 1.0.1+bbb to 1.0.0+aaa", "small-one: version 2 to 1", "small-two: stays at version 1", "Nothing"]:
        assert line in said, said
    small.shows((2, [1, 2, 3]))
    said = done(rollback("small"))
    assert "1 aliases are moved" in said and "TO=1.0.1+bbb" in said, said
    small.shows((1, [1, 2, 3]), (1, [1, 2]))
    refused(rollback("small"), "choose a release with TO=", "1.0.1+bbb, 1.0.0+aaa")
    refused(rollback("small", TO="1.0.2+ccc"), "There is no release 1.0.2+ccc")
    refused(rollback("nowhere"), "There is no stack nowhere")
    refused(rollback(None), "make rollback STACK=")
    print("make rollback: the aliases go back together; a failed deployment is no release")


def a_deployment_is_cancelled(small):
    with concurrent.futures.ThreadPoolExecutor() as pool:
        deployment = pool.submit(small.deploy, "1.0.2+ccc", last=WAITING)
        eventually("both aliases have moved", lambda: (live("small-two") == 4, live("small-two")))
        said = done(rollback("small", DRY_RUN="1"))
        assert "takes back" in said and stack("small")["StackStatus"] == "UPDATE_IN_PROGRESS", said
        assert "wait stack-rollback-complete" in done(rollback("small"))
        # Without the rollback, the deployment would now succeed.
        signal = {"LogicalResourceId": "Last", "UniqueId": "1", "Status": "SUCCESS"}
        boto3.client("cloudformation").signal_resource(StackName="small", **signal)
        assert deployment.result().returncode != 0, deployment.result()
    assert stack("small")["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE", stack("small")
    print("make rollback: it cancels a deployment that is under way")


def forward_works(small):
    # The same deployment again, as when a job of a pipeline runs twice.
    said = done(small.deploy("1.0.1+bbb"))
    assert "Nothing was deployed" in said and "TO=1.0.1+bbb" in said, said
    small.shows((1, [1, 2]), (1, [1]))
    done(rollback("small", TO="bbb"))
    small.shows((2, [1, 2]), (1, [1]))
    done(rollback("small", TO="aaa"))
    done(small.deploy("1.0.3+ddd"))
    small.shows((4, [1, 2, 4]), (3, [1, 3]))
    done(rollback("small"))
    small.shows((2, [1, 2, 4]), (1, [1, 3]))
    # CloudFormation moves only the alias of the function that reads the parameter.
    said = done(small.deploy("1.0.3+ddd", setting="b"))
    assert "small-two: live goes from version 1 to 3" in said, said
    small.shows((5, [1, 2, 5]), (3, [1, 3]))
    print("make deploy: after a rollback it goes forward with all functions, and without a change it does nothing")


def three_releases_stay(small):
    done(small.deploy("1.0.4+eee", setting="b"))
    small.shows((7, [2, 5, 7]), (5, [1, 3, 5]))
    # A version that an alias points at is not deleted.
    boto3.client("lambda").create_alias(FunctionName="small-one", Name="kept", FunctionVersion="2")
    done(small.deploy("1.0.5+fff", setting="b"))
    small.shows((8, [2, 5, 7, 8]), (6, [3, 5, 6]))
    boto3.client("lambda").delete_function(FunctionName="small-one", Qualifier="5")
    refused(rollback("small", TO="1.0.3+ddd"), "The versions of 1.0.3+ddd of small-one are deleted")
    small.shows((8, [2, 7, 8]), (6, [3, 5, 6]))
    print("make deploy: three releases stay, and each version that an alias points at")

    boto3.client("cloudformation").delete_stack(StackName="small")
    boto3.client("cloudformation").get_waiter("stack_delete_complete").wait(StackName="small", WaiterConfig={"Delay": 1})
    left = [each["FunctionName"] for each in boto3.client("lambda").list_functions()["Functions"]]
    assert not [name for name in left if name.startswith("small-")], left
    print("sam delete: functions with old versions are deleted with them")


def health():
    event = (ROOT / "events/get-health/health.json").read_bytes()
    answer = boto3.client("lambda").invoke(FunctionName="spillway-get-health", Qualifier="live", Payload=event)
    return json.loads(json.load(answer["Payload"])["body"])["version"]


def shows_release(release, deployed):
    """Health says the release that runs; outputs and dashboard say the one that was deployed."""
    assert health() == release, health()
    outputs = {each["OutputKey"]: each["OutputValue"] for each in stack("spillway")["Outputs"]}
    dashboard = boto3.client("cloudwatch").get_dashboard(DashboardName="spillway-watch")["DashboardBody"]
    assert outputs["Release"] == deployed and f"Release **{deployed}**" in dashboard, (outputs["Release"], deployed)
    functions = boto3.client("lambda")
    for function in functions.get_paginator("list_functions").paginate().search("Functions[].FunctionName"):
        if function.startswith("spillway-"):
            served = functions.get_function_configuration(FunctionName=function, Qualifier="live")
            assert served["Description"].startswith(f"{release} "), served


def spillway_goes_back(data):
    """All functions of the real stack, with the release of the sources and one that is only named otherwise."""
    make_deploy, before = MakeDeploy(data), health()
    assert re.fullmatch(r"\d+\.\d+\.\d+(\+[0-9a-f]{12}(\.changed-[0-9a-f]{12})?)?", before), before
    shows_release(before, before)
    build = data / "build/next"
    shutil.rmtree(build, ignore_errors=True)
    shutil.copytree(data / "build/spillway", build)
    done(run([sys.executable, "infra/deploy/stamp.py", build / "template.yaml"], RELEASE="9.9.9+next"))
    done(make_deploy('stack_name = "spillway"', BUILT="1", BUILD=str(build)))
    shows_release("9.9.9+next", "9.9.9+next")
    done(run(["make", "--silent", "rollback", "STACK=spillway", f"AWS_REGION={REGION}"]))
    shows_release(before, "9.9.9+next")
    done(rollback("spillway", TO="next"))
    shows_release("9.9.9+next", "9.9.9+next")
    print("make rollback: all functions of Spillway go back and forward; health, output and dashboard say the release")


def main(data, architecture):
    data = pathlib.Path(data).resolve()
    small = Small(data, architecture)
    rollback_works(small)
    forward_works(small)
    a_deployment_is_cancelled(small)
    three_releases_stay(small)
    spillway_goes_back(data)


if __name__ == "__main__":
    main(*sys.argv[1:])
