"""The releases of a stack: the versions of its functions that belong together, and the alias `live` of each function.

Usage: releases.py prune STACK REGION            deletes the versions that are not kept. Prints when the stack was changed
       releases.py go_live STACK REGION CHANGED  after a deployment: points each alias at the deployed version, and prunes.
                                                 CHANGED is what `prune` printed before the deployment
       releases.py rollback                      needs STACK= and AWS_REGION=. Points each alias at the release before, or
                                                 at the one that TO= names. DRY_RUN=1 only says what it would do

A version's description begins with its release, which infra/deploy/stamp.py has written there.
"""

import dataclasses
import os
import re
import sys

import boto3
from botocore.exceptions import BotoCoreError, ClientError

ALIAS = "live"
# For each function: the release that runs, and two to go back to.
RELEASES_KEPT = 3
RELEASE = re.compile(r"(\S+) ")
NOT_UNDONE = """It does not undo what the newer release changed outside of the functions' code and settings: roles, API
routes, queues, the table, alarms, and the data that it wrote. The older code runs with them as they are now."""


@dataclasses.dataclass
class Function:
    """A function of the stack, with the versions that it has."""

    name: str
    # The version that the stack's template describes.
    deployed: int
    # The version that the alias `live` serves; a canary serves a second one.
    live: int
    # All versions that an alias points at.
    pointed: set[int]
    # Release and time of each version. None for a version without a release.
    releases: dict[int, str | None]
    published: dict[int, str]
    # The table that each version uses. None for a function without a table.
    tables: dict[int, str | None]

    def newest(self, release):
        """The newest version of this release. None if there is none. A version above the deployed one is left from a
        deployment that failed, and belongs to no release."""
        found = [version for version, of in self.releases.items() if of == release and version <= self.deployed]
        return max(found, default=None)

    def kept(self):
        """The versions that stay: of each of the newest releases the newest one, and those that an alias points at."""
        newest = {}
        for version in sorted(self.releases, reverse=True):
            if version <= self.deployed:
                newest.setdefault(self.releases[version] or version, version)
        return {*list(newest.values())[:RELEASES_KEPT], *self.pointed, self.deployed}


class Stack:
    """A deployed stack and its functions."""

    def __init__(self, name, region):
        self.name, self.region = name, region
        self.cloudformation = boto3.client("cloudformation", region_name=region)
        self.functions = boto3.client("lambda", region_name=region)

    def described(self):
        """CloudFormation's description of the stack. None if the stack does not exist."""
        try:
            return self.cloudformation.describe_stacks(StackName=self.name)["Stacks"][0]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ValidationError":
                return None
            raise

    def changed(self):
        """When the last deployment of the stack began. Empty if the stack does not exist."""
        described = self.described() or {}
        return str(described.get("LastUpdatedTime", described.get("CreationTime", ""))).replace(" ", "T")

    def physical_ids(self, kind):
        pages = self.cloudformation.get_paginator("list_stack_resources").paginate(StackName=self.name)
        found = [each for each in pages.search("StackResourceSummaries[]") if each["ResourceType"] == kind]
        return [each["PhysicalResourceId"] for each in found if "DELETE" not in each["ResourceStatus"]]

    def read(self):
        """All functions that have the alias, sorted by name."""
        deployed = {}
        for arn in self.physical_ids("AWS::Lambda::Version"):
            function, version = arn.split(":")[-2:]
            deployed[function] = max(int(version), deployed.get(function, 0))
        names = [arn.split(":")[-2] for arn in self.physical_ids("AWS::Lambda::Alias") if arn.endswith(f":{ALIAS}")]
        return [self.function(name, deployed[name]) for name in sorted(names)]

    def function(self, name, deployed):
        def listed(operation, what):
            return list(self.functions.get_paginator(operation).paginate(FunctionName=name).search(f"{what}[]"))

        aliases = {alias["Name"]: alias for alias in listed("list_aliases", "Aliases")}
        pointed = {int(alias["FunctionVersion"]) for alias in aliases.values() if alias["FunctionVersion"].isdigit()}
        for alias in aliases.values():
            pointed |= {int(other) for other in alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})}
        found = [each for each in listed("list_versions_by_function", "Versions") if each["Version"] != "$LATEST"]
        stamped = {int(each["Version"]): RELEASE.match(each.get("Description", "")) for each in found}
        return Function(
            name=name,
            deployed=deployed,
            live=int(aliases[ALIAS]["FunctionVersion"]),
            pointed=pointed,
            releases={version: match and match[1] for version, match in stamped.items()},
            published={int(each["Version"]): each["LastModified"] for each in found},
            tables={
                int(each["Version"]): each.get("Environment", {}).get("Variables", {}).get("TABLE_NAME") for each in found
            },
        )

    def point(self, function, version):
        """Points the function's alias at this version alone. A canary ends by that."""
        self.functions.update_alias(
            FunctionName=function.name,
            Name=ALIAS,
            FunctionVersion=str(version),
            RoutingConfig={"AdditionalVersionWeights": {}},
        )

    # What a deployment does.

    def prune(self):
        """Deletes the versions that are not kept. Does nothing without a stack, or during a deployment."""
        described = self.described()
        if described is None or is_changing(described):
            return
        deleted = 0
        for function in self.read():
            for version in sorted(function.releases.keys() - function.kept()):
                self.functions.delete_function(FunctionName=function.name, Qualifier=str(version))
                deleted += 1
        if deleted:
            say(f"{deleted} versions of functions are deleted: the newest {RELEASES_KEPT} releases are kept.")

    def go_live(self, changed):
        """Points the aliases at the deployed versions, then prunes. CloudFormation moves only the aliases of functions
        that the deployment has changed, so after a rollback the others would still serve the older release. If there
        was no deployment, a rollback stays: the same job of a pipeline may run again."""
        described = self.described()
        if described is None or is_changing(described):
            say(f"Another deployment of {self.name} is under way: it moves the aliases.")
            return
        moved = [function for function in self.read() if function.live != function.deployed]
        if moved and changed == self.changed():
            names = " and ".join(sorted({str(each.releases[each.deployed]) for each in moved}))
            say(f"Nothing was deployed, and {len(moved)} aliases still point at an older release. To go forward:")
            say(f"  make rollback STACK={self.name} AWS_REGION={self.region} TO={names}")
            return
        for function in moved:
            self.point(function, function.deployed)
            say(f"{function.name}: {ALIAS} goes from version {function.live} to {function.deployed}.")
        self.prune()

    # What `make rollback` does.

    def rollback(self, wanted, dry_run):
        described = self.described()
        if described is None:
            sys.exit(f"There is no stack {self.name} in {self.region}.")
        if described["StackStatus"] == "UPDATE_IN_PROGRESS":
            if wanted:
                sys.exit(f"A deployment of {self.name} is under way: without TO=, `make rollback` cancels it.")
            self.cancel(dry_run)
            return
        if is_changing(described):
            sys.exit(f"The stack {self.name} is in {described['StackStatus']}: wait until that has ended.")
        functions = self.read()
        before = running(functions)
        target = chosen(functions, wanted) if wanted else older(functions, before)
        moves = {each.name: (each, each.newest(target)) for each in functions}
        new = {name for name, (function, version) in moves.items() if version is None}
        lacking = sorted(name for name in new if had(moves[name][0], target, functions))
        if lacking:
            sys.exit(f"The versions of {target} of {', '.join(lacking)} are deleted: choose another release with TO=.")
        plan = [(function, version) for function, version in moves.values() if version not in (None, function.live)]
        if not plan:
            print(f"All aliases of {self.name} point at {target} already.")
            return
        # After `make adopt`, a version of before would read and write the table that the stack has left.
        if any(function.tables[version] != function.tables[function.deployed] for function, version in plan):
            sys.exit(f"{target} uses another table than {self.name} uses now: deploy its sources instead.")
        print(f"{self.name} in {self.region}: from {' and '.join(sorted(before))} to {target}")
        for function, version in plan:
            print(f"  {function.name}: version {function.live} to {version}")
        for name in sorted(new):
            print(f"  {name}: stays at version {moves[name][0].live}, because it is new since {target}")
        print(NOT_UNDONE)
        if not dry_run:
            self.move(plan)
        print(forward(functions, target) if not dry_run else "Nothing was changed: DRY_RUN is set.")

    def move(self, plan):
        for done, (function, version) in enumerate(plan):
            try:
                self.point(function, version)
            except (BotoCoreError, ClientError) as error:
                moved = f"{done} of {len(plan)} aliases are moved"
                sys.exit(f"{moved}, then {function.name} failed: {error} Run it again with TO=.")
        print(f"{len(plan)} aliases are moved.")

    def cancel(self, dry_run):
        """Cancels the deployment that is under way, with its canaries. CloudFormation then takes back all of it."""
        print(f"A deployment of {self.name} is under way. Cancelling it takes back all that it has changed.")
        if dry_run:
            print("Nothing was changed: DRY_RUN is set.")
            return
        self.cloudformation.cancel_update_stack(StackName=self.name)
        canaries = boto3.client("codedeploy", region_name=self.region)
        for application in self.physical_ids("AWS::CodeDeploy::Application"):
            for group in self.physical_ids("AWS::CodeDeploy::DeploymentGroup"):
                under_way = canaries.list_deployments(
                    applicationName=application,
                    deploymentGroupName=group,
                    includeOnlyStatuses=["Created", "Queued", "InProgress"],
                )
                for deployment in under_way["deployments"]:
                    canaries.stop_deployment(deploymentId=deployment, autoRollbackEnabled=True)
        print(f"Wait for it: aws cloudformation wait stack-rollback-complete --stack-name {self.name}")


def say(sentence):
    """Prints to standard error: aws.sh reads standard output."""
    print(sentence, file=sys.stderr)


def is_changing(described):
    """Whether a deployment of the stack is under way. While old resources are cleaned up, it has succeeded."""
    status = described["StackStatus"]
    return status.endswith("_IN_PROGRESS") and "_CLEANUP_" not in status


def running(functions):
    """The releases that the aliases point at."""
    return {str(each.releases.get(each.live) or f"version {each.live} without a release") for each in functions}


def since(functions):
    """Release → when the newest version of it was published."""
    found = {}
    for function in functions:
        for version, release in function.releases.items():
            if release and version <= function.deployed:
                found[release] = max(found.get(release, ""), function.published[version])
    return found


def names_newest_first(functions):
    found = since(functions)
    return ", ".join(sorted(found, key=found.get, reverse=True)) or "none"


def chosen(functions, wanted):
    """The release with this name or with this commit."""
    found = [release for release in since(functions) if wanted in (release, release.partition("+")[2])]
    if len(found) != 1:
        sys.exit(f"There is no release {wanted} to go to. There are: {names_newest_first(functions)}.")
    return found[0]


def older(functions, before):
    """The newest release that is older than the one that runs."""
    times = since(functions)
    if len(before) != 1 or not before <= times.keys():
        several = " and ".join(sorted(before))
        names = names_newest_first(functions)
        sys.exit(f"The aliases point at {several}: choose a release with TO=. There are: {names}.")
    [current] = before
    found = [release for release in times if times[release] < times[current]]
    if not found:
        sys.exit(f"No release before {current} is kept.")
    return max(found, key=times.get)


def had(function, release, functions):
    """Whether the function existed when this release was deployed: it has an older version."""
    return min(function.published.values(), default="") < since(functions)[release]


def forward(functions, target):
    """How to go forward again, as a sentence."""
    newest = sorted({str(each.releases[each.deployed]) for each in functions} - {target})
    if not newest:
        return f"{target} is what was deployed last."
    return f"To go forward: deploy a repaired release with `make deploy`, or go to {newest[0]} with TO={newest[0]}."


def main(what, stack="", region="", changed=""):
    stack = stack or os.environ.get("STACK")
    region = region or os.environ.get("AWS_REGION") or boto3.Session().region_name
    if not stack or not region:
        sys.exit("Say which stack and region: make rollback STACK=spillway AWS_REGION=eu-central-1")
    found = Stack(stack, region)
    if what == "rollback":
        found.rollback(os.environ.get("TO"), os.environ.get("DRY_RUN", "0") not in ("", "0"))
    elif what == "go_live":
        found.go_live(changed)
    else:
        found.prune()
        print(found.changed())


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"AWS refuses: {error}")
