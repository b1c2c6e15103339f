"""What an upgrade and a deletion of the deployed stack must leave as it was.

Usage: upgrade.py before|after|one|deleted FILE. `before` makes a payment and keeps what is read then in FILE; `after`,
`one` (after a change of FoldDelaySeconds alone) and `deleted` compare with that.
"""

import json
import pathlib
import sys

import boto3

from emulated import call, eventually

STACK = "spillway"


def live_versions():
    """Function → the version that its alias `live` serves, and all its published versions."""
    functions = boto3.client("lambda")
    found = {}
    for function in functions.get_paginator("list_functions").paginate().search("Functions[].FunctionName"):
        if function.startswith(f"{STACK}-"):
            live = functions.get_alias(FunctionName=function, Name="live")["FunctionVersion"]
            versions = functions.list_versions_by_function(FunctionName=function)["Versions"]
            found[function] = (live, sorted(version["Version"] for version in versions))
    return found


def read(payment):
    return {
        "payment": call(f"/payments/{payment}"),
        "balances": call("/balance")["balances"],
        "payments": call("/payments?limit=100")["data"],
        "transactions": call("/balance/transactions?limit=100")["data"],
    }


def before(kept):
    payment = call("/payments", {"amount": 1250, "currency": "USD", "token": "tok_visa"})["id"]

    def succeeded():
        now = read(payment)
        done = now["payment"]["status"] == "succeeded"
        return done and now["payment"] in now["payments"] and now["transactions"] != [], now

    now = eventually("the payment has succeeded and is listed", succeeded)
    kept.write_text(json.dumps({"read": now, "versions": live_versions()}))


def after(kept):
    then = json.loads(kept.read_text())
    now = read(then["read"]["payment"]["id"])
    assert now == then["read"], f"what was written before the upgrade reads otherwise: {now} instead of {then['read']}"
    for function, (live, versions) in live_versions().items():
        old = then["versions"][function][0]
        assert live != old, f"{function}: the alias still serves version {old}"
        assert versions == sorted(["$LATEST", live]), f"{function}: old versions were not pruned: {versions}"
    kept.write_text(json.dumps({**then, "versions": live_versions()}))
    print("upgrade: the old data reads the same; every alias serves a new version, and old ones are gone")


def one(kept):
    then, now = json.loads(kept.read_text())["versions"], live_versions()
    moved = [function for function, (live, _) in now.items() if live != then[function][0]]
    assert moved == [f"{STACK}-dispatch-changes"], f"a setting of dispatch-changes alone has moved {moved}"
    print("upgrade of one setting: the alias of the one function that reads it serves a new version")


def deleted(kept):
    then = json.loads(kept.read_text())
    payment = then["read"]["payment"]["id"]
    tables = boto3.client("dynamodb").list_tables()["TableNames"]
    # Not those of stacks whose name begins with this one's.
    tables = [table for table in tables if table.startswith(f"{STACK}-Table-")]
    assert len(tables) == 1, f"not exactly the one table is left: {tables}"
    boto3.client("secretsmanager").get_secret_value(SecretId=f"{tables[0]}/webhook-keys")
    items = boto3.client("dynamodb").scan(TableName=tables[0])["Items"]
    assert any(item["pk"]["S"].endswith(payment) for item in items), f"{payment} is not in the table that was kept"
    there = boto3.client("lambda").get_paginator("list_functions").paginate().search("Functions[].FunctionName")
    left = sorted(then["versions"].keys() & set(there))
    assert left == [], f"functions are left: {left}"
    print("deletion: the functions are gone, the table and what is in it is kept, with the keys of its webhooks")


if __name__ == "__main__":
    step, file = sys.argv[1:]
    {"before": before, "after": after, "one": one, "deleted": deleted}[step](pathlib.Path(file))
