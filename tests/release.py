"""The release before and this one on one table: `make test-release`.

Usage: release.py DATA ARCHITECTURE, where local.sh has started the emulator and built this release. BEFORE= names the
release before, as a git ref. Without it, it is the newest release of CHANGELOG.md: its tag, or else its commit there.

The release before is built from its own sources and deployed, then this one is deployed over it. In each of six phases
other versions are live, and the same requests are made: new objects, the repeated requests of all phases before, refunds
of their payments, reads with all their API keys. At the end the oracle checks the books, and every event has arrived.
"""

import collections
import json
import os
import pathlib
import re
import subprocess
import sys

import boto3
from samcli.yamlhelper import yaml_dump, yaml_parse

import upgrade
from deploying import MakeDeploy
from emulated import ROOT, SAM, Receiver, call, done, eventually, run
from releasing import rollback

ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
# events/create-merchant/acme.json: 290 basis points of 1250 are 36.25, and 30.
AMOUNT, FEE = 1250, 66
REFUND = 100


def commit_before():
    """The commit of the release before."""
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    version, commit = re.search(r"^## (\d\S*)\n\nCommit `([0-9a-f]{40})`", changelog, re.MULTILINE).groups()
    given = os.environ.get("BEFORE")
    for ref in [given] if given else [f"v{version}", commit]:
        found = run(["git", "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}"]).stdout.strip()
        if found:
            return found
    sys.exit(f"This repository has no commit {given or commit}: name the release before with BEFORE=.")


def build_before(data, architecture):
    """Builds the release before with the SAM CLI, from its own sources. Returns its sources and the built template."""
    commit = commit_before()
    sources, built = data / "before" / commit, data / "build" / commit
    if not sources.exists():
        sources.mkdir(parents=True)
        # The files have the time of the commit, so that cargo builds nothing a second time.
        archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True).stdout
        subprocess.run(["tar", "-x", "-C", sources], input=archive, check=True)
    if os.environ.get("BUILT", "0") in ("", "0"):
        print(f"sam build of {commit[:12]} (some minutes the first time)")
        arguments = ["--template", "infra/template.yaml", "--build-dir", built]
        wanted = ["--parameter-overrides", f"Architecture={architecture}"]
        # A target folder of its own: cargo takes packages of the same name for the same, also of other sources.
        done(run([SAM, "build", *arguments, *wanted], cwd=sources, CARGO_TARGET_DIR=str(sources / "target")))
    template = yaml_parse((built / "template.yaml").read_text(encoding="utf-8"))
    # Version 0.1.0 let CloudFormation delete old versions, and named no release.
    template["Globals"]["Function"] |= {"VersionDeletionPolicy": "Retain"}
    template["Globals"]["Function"].setdefault("Description", "before")
    (built / "template.yaml").write_text(yaml_dump(template), encoding="utf-8")
    done(run([sys.executable, "infra/deploy/stamp.py", built / "template.yaml"], RELEASE="before"))
    return sources, built


class Deployment:
    """The stack `spillway`, and the versions of its functions in both releases."""

    def __init__(self, data, architecture):
        self.data, self.architecture = data, architecture
        self.make_deploy = MakeDeploy(data)
        self.functions = boto3.client("lambda")

    def deploy(self, sources, built):
        """`make deploy` of a release that is built. Returns the stack's outputs."""
        expected = (sources / "tests/suite/black_box/parameters.txt").read_text(encoding="utf-8")
        expected = [line for line in expected.splitlines() if not line.startswith("#")]
        parameters = " ".join([f"Architecture={self.architecture}", "Alarms=false", *expected])
        template = sources / "infra/template.yaml"
        way = {"BUILT": "1", "BUILD": str(built), "TEMPLATE": str(template), "PARAMETERS": parameters}
        done(self.make_deploy('stack_name = "spillway"', **way))
        outputs = json.loads(done(run([sys.executable, "infra/deploy/emulate.py", ENDPOINT, "spillway", template])))
        # The emulator replaces an API whose routes change.
        os.environ["URL"] = f"{ENDPOINT}/restapis/{outputs['ApiId']}/api/_user_request_/v1"
        return outputs

    def live(self):
        """Function → the version that its alias serves."""
        return {function: int(live) for function, (live, _) in upgrade.live_versions().items()}

    def point(self, versions):
        for function, version in versions.items():
            self.functions.update_alias(FunctionName=function, Name="live", FunctionVersion=str(version))

    def invoke(self, function, event):
        """The answer of an operator's function."""
        ran = self.functions.invoke(FunctionName=f"spillway-{function}", Qualifier="live", Payload=json.dumps(event))
        answer = json.load(ran["Payload"])
        assert "FunctionError" not in ran, answer
        return answer


class Merchant:
    """A merchant with its objects, and what they must show whichever versions are live."""

    def __init__(self, deployment):
        self.deployment = deployment
        self.id = deployment.invoke("create-merchant", self.event("create-merchant/acme"))["id"]
        self.keys, self.payments, self.refunds, self.events = {}, {}, {}, collections.defaultdict(set)
        os.environ["PLAN_KEY"] = done(run([sys.executable, "infra/deploy/plan_key.py", ENDPOINT, self.id])).strip()

    @staticmethod
    def event(name):
        return json.loads((ROOT / f"events/{name}.json").read_text(encoding="utf-8"))

    def issue_key(self, phase):
        request = self.event("issue-api-key/test-mode") | {"merchant": self.id, "reference": phase}
        self.keys[phase] = self.deployment.invoke("issue-api-key", request)["secret"]
        os.environ["KEY"] = self.keys[phase]

    def pay(self, phase, token="tok_visa"):
        body = {"amount": AMOUNT, "currency": "USD", "token": token, "reference": phase, "metadata": {"phase": phase}}
        return call("/payments", body, Idempotency_Key=f"{phase}-{token}".replace(" ", "-"))["id"]

    def refund(self, phase, payment):
        body = {"amount": REFUND}
        key = f"{phase}-{payment}".replace(" ", "-")
        return call(f"/payments/{payment}/refunds", body, Idempotency_Key=key)["id"]

    def finished(self, path, status):
        def look():
            now = call(path)
            return now["status"] == status, now

        return eventually(f"{path} is {status}", look)

    def work(self, phase):
        """Makes new objects, and refunds of all payments, also those of other phases."""
        self.issue_key(phase)
        declined = self.pay(phase, "tok_declined")
        payment = self.pay(phase)
        self.finished(f"/payments/{declined}", "failed")
        self.finished(f"/payments/{payment}", "succeeded")
        self.payments[phase] = payment
        self.events[declined].add("payment.failed")
        self.events[payment].add("payment.succeeded")
        for other in self.payments.values():
            refund = self.refund(phase, other)
            self.finished(f"/refunds/{refund}", "succeeded")
            self.refunds[phase, other] = refund
            self.events[refund] |= {"refund.created", "refund.succeeded"}

    def shows(self):
        """All of it reads as it must, with each API key; a repeated request makes nothing new."""
        for phase, key in self.keys.items():
            os.environ["KEY"] = key
            payment = self.payments[phase]
            assert self.pay(phase) == payment, f"the payment of {phase} was made twice"
            refunded = REFUND * sum(other == payment for _, other in self.refunds)
            now = call(f"/payments/{payment}")
            shown = now["status"], now["amount_captured"], now["amount_refunded"], now["fee"], now["metadata"]
            assert shown == ("succeeded", AMOUNT, refunded, FEE, {"phase": phase}), now
        for (phase, payment), refund in self.refunds.items():
            assert self.refund(phase, payment) == refund, f"a refund of {phase} was made twice"
            assert call(f"/refunds/{refund}")["payment"] == payment
        listed = [each["id"] for each in call("/payments?limit=100")["data"]]
        assert len(listed) == 2 * len(self.payments) and set(self.payments.values()) <= set(listed), listed
        expected = (AMOUNT - FEE) * len(self.payments) - REFUND * len(self.refunds)
        balance = next(each for each in call("/balance")["balances"] if each["currency"] == "USD")
        assert balance["available"] + balance["pending"] == expected, (balance, expected)
        transactions = call("/balance/transactions?limit=100")["data"]
        assert sum(each["net"] for each in transactions) == expected, transactions

    def use_what_is_new(self, endpoint):
        """Changes that only the newer release can make, to what the older one reads again."""
        change = {"event_types": ["refund.*", "payment.*"]}
        changed = call(f"/webhook-endpoints/{endpoint}", change, "PATCH", If_Match='"1"')
        assert changed["version"] == 2, changed


def both_work(data, architecture):
    sources, built = build_before(data, architecture)
    deployment, receiver = Deployment(data, architecture), Receiver()
    outputs = deployment.deploy(sources, built)
    merchant = Merchant(deployment)

    def phase(name):
        merchant.work(name)
        merchant.shows()
        print(f"{name}: {len(merchant.payments)} payments and {len(merchant.refunds)} refunds read as they must")

    merchant.issue_key("endpoint")
    hook = {"url": receiver.url, "event_types": ["payment.*", "refund.*"]}
    endpoint = call("/webhook-endpoints", hook)["id"]
    del merchant.keys["endpoint"]
    before = deployment.live()
    phase("the release before")

    deployment.deploy(ROOT, data / "build/spillway")
    now = deployment.live()
    assert all(now[function] != before[function] for function in before), (before, now)
    phase("this release")
    merchant.use_what_is_new(endpoint)

    # Each message, item and cached answer meets the other release in one of these two.
    both = sorted(before)
    deployment.point({function: before[function] for function in both[::2]})
    phase("one half before")
    deployment.point({function: now[function] for function in both[::2]})
    deployment.point({function: before[function] for function in both[1::2]})
    phase("the other half before")

    done(rollback("spillway", TO="before"))
    assert deployment.live() == now | before, deployment.live()
    phase("after make rollback")
    done(rollback("spillway", TO=release_of(data / "build/spillway/template.yaml")))
    assert deployment.live() == now, deployment.live()
    # Only now: the release before can't read an endpoint whose secret is not stored.
    call(f"/webhook-endpoints/{endpoint}/rotate-secret", {})
    phase("this release again")

    def arrived():
        lacking = {id: types - receiver.events[id] for id, types in merchant.events.items()}
        lacking = {id: types for id, types in lacking.items() if types}
        return not lacking, lacking

    eventually("all events have arrived", arrived)
    books(outputs["TableName"], merchant.id)
    log = (data / "emulator.log").read_text(encoding="utf-8", errors="replace")
    if refused := re.search(r".*(AccessDenied|not authorized).*", log):
        sys.exit(f"A function's role forbids a call that it makes: {refused[0][:500]}")
    print("all events have arrived, the books balance, and no role refused a call")


def release_of(template):
    """The name of the release in a built template."""
    return yaml_parse(template.read_text(encoding="utf-8"))["Outputs"]["Release"]["Value"]


def books(table, merchant):
    """The oracle finds nothing in the merchant's books."""
    pages = boto3.client("dynamodb").get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    items = pages.search("Items[]")
    done(run(["cargo", "build", "--quiet", "--workspace", "--bin", "books"]))
    program = ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "debug/books"
    done(run([program, f"{merchant}#test"], answers="\n".join(map(json.dumps, items))))


if __name__ == "__main__":
    both_work(pathlib.Path(sys.argv[1]).resolve(), sys.argv[2])
