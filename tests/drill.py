"""A loss of data and the way back, on the emulator: what local.sh's drill does through the API and to the table.

Usage: drill.py STEP FILE. FILE keeps what a step wrote for the next ones. URL, KEY and PLAN_KEY say how to call the API;
AWS's own variables name the emulator. The steps, in this order:
  write      makes payments, refunds and a webhook endpoint, and a payment that is still processing
  resumed    on the new stack: everything reads as before, unfinished work ends, the same requests replay, new ones settle
  keyed      adds a signing key: new webhook secrets come from it, and the secrets of before stay
  restore    restores the table beside itself, then goes on: what happens now must survive the repair
  damage     spoils items of seven kinds, as a wrong script would
  repaired   nothing is left of the damage, and nothing is lost that came after the restore
  lose       deletes the table of the stack
  found      the stack is on the restored table: it has what was restored, and goes on
"""

import json
import os
import pathlib
import sys
import urllib.error

import boto3
from boto3.dynamodb.conditions import Attr

from emulated import call, done, eventually, run

RESTORED = "spillway-restored"
# Nothing listens there: deliveries fail and stay pending.
HOOK = {"url": "http://127.0.0.1:9/hook", "event_types": ["*"]}


def pay(key, token="tok_visa"):
    return call("/payments", {"amount": 1250, "currency": "USD", "token": token}, Idempotency_Key=key)["id"]


def refund(key, payment):
    return call(f"/payments/{payment}/refunds", {"amount": 250}, Idempotency_Key=key)["id"]


def settled(path):
    """Waits until the payment or refund is final, and returns it."""

    def look():
        now = call(path)
        return now["status"] not in ("processing", "pending"), now

    return eventually(f"{path} is final", look)


def table():
    return boto3.resource("dynamodb").Table(os.environ["TABLE"])


def items(**filters):
    found = table().scan(ConsistentRead=True, **filters)
    assert "LastEvaluatedKey" not in found, "the drill's data fits into one page"
    return found["Items"]


def all_folded():
    """Waits until the balance has all movements, so that no function writes to the items that are damaged next."""

    def look():
        folding = {key for item in items(FilterExpression=Attr("folding").exists()) for key in item["folding"]}
        moves = [item["sk"] for item in items() if item["sk"].startswith("move#")]
        left = [move for move in moves if move.removeprefix("move#") not in folding]
        return not left, left

    eventually("all movements are folded", look)


def objects(then):
    paths = [f"/payments/{each}" for each in then["payments"]] + [f"/refunds/{each}" for each in then["refunds"]]
    return {path: settled(path) for path in paths}


def signs_as_before(then):
    """The secret is derived from the keys of the table, which are not in it."""
    assert call("/webhook-endpoints", HOOK, Idempotency_Key="endpoint")["secret"] == then["secret"], "another secret"


def write(then):
    endpoint = call("/webhook-endpoints", HOOK, Idempotency_Key="endpoint")
    payments = [pay(f"order-{number}") for number in range(6)]
    for payment in payments:
        assert settled(f"/payments/{payment}")["status"] == "succeeded"
    refunds = [refund(f"refund-{number}", payments[number]) for number in range(2)]
    then |= {"endpoint": endpoint["id"], "secret": endpoint["secret"], "payments": payments, "refunds": refunds}
    then["objects"] = objects(then)
    all_folded()
    then["balances"] = call("/balance")["balances"]
    # Three answers of the processor are lost, so it is processing when the stack is deleted.
    then["unfinished"] = pay("unfinished", "tok_timeout_unknown")
    print(f"{len(payments)} payments, {len(refunds)} refunds, 1 webhook endpoint, 1 payment in processing")


def resumed(then):
    assert call("/webhook-endpoints")["data"][0]["id"] == then["endpoint"]
    now = objects(then)
    assert now == then["objects"], f"{now} instead of {then['objects']}"
    signs_as_before(then)
    assert pay("order-0") == then["payments"][0], "the same idempotency key made another payment"
    assert settled(f"/payments/{then['unfinished']}")["status"] == "succeeded"
    assert settled(f"/payments/{pay('new')}")["status"] == "succeeded"
    print("the old API key works, all objects read as before, unfinished work has ended, a new payment has settled")


def keyed(then):
    shown = done(run(["make", "--no-print-directory", "webhook-keys", "STACK=spillway", "ADD=1"])).splitlines()
    assert [line.split()[0] for line in shown] == ["1", "2"] and shown[1].endswith("current"), shown

    def look():
        new = call("/webhook-endpoints", HOOK)["id"]
        [item] = items(FilterExpression=Attr("sk").eq(new))
        is_new = item["secrets"][0]["key"] == shown[1].split()[1]
        if not is_new:
            call(f"/webhook-endpoints/{new}", method="DELETE")
        return is_new, (item, shown)

    # A function reads the keys at most once a second, so it may use the one of before for as long.
    eventually("a new endpoint has the new key", look)
    signs_as_before(then)
    shown = done(run(["make", "--no-print-directory", "webhook-keys", "STACK=spillway", "FROM=AWSPREVIOUS"])).splitlines()
    assert shown[0] == "0 keys were added." and len(shown) == 3, shown
    print("a new endpoint has the new key, the old one keeps its secret")


def restore(then):
    all_folded()
    then["restored"] = objects(then)
    dynamodb = boto3.client("dynamodb")
    names = {"SourceTableName": os.environ["TABLE"], "TargetTableName": RESTORED}
    dynamodb.restore_table_to_point_in_time(**names, UseLatestRestorableTime=True)
    dynamodb.get_waiter("table_exists").wait(TableName=RESTORED, WaiterConfig={"Delay": 1})
    # A table with the right keys that is none of Spillway's.
    types = [{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")]
    keys = {"KeySchema": table().key_schema, "AttributeDefinitions": types}
    dynamodb.create_table(TableName="spillway-stranger", BillingMode="PAY_PER_REQUEST", **keys)
    # Life goes on: these items are newer than the restored ones.
    refund("later-refund", then["payments"][5])
    then["later"] = settled(f"/payments/{pay('later')}")["id"]
    then["objects"] = objects(then)
    all_folded()
    then["balances"] = call("/balance")["balances"]


def damage(then):
    found = items()

    def one(name, is_it):
        [item, *_] = [item for item in found if is_it(item)]
        return {"pk": item["pk"], "sk": item["sk"]}

    def payment(number):
        return one("payment", lambda item: item["pk"].endswith(then["payments"][number]) and item["sk"] == "payment")

    live = table()
    live.delete_item(Key=payment(2))
    change = {"UpdateExpression": "SET amount_captured = :one", "ExpressionAttributeValues": {":one": 1}}
    live.update_item(Key=payment(3), **change)
    source = then["payments"][4]
    live.delete_item(Key=one("entry", lambda item: item["sk"].startswith("txn_") and item.get("source") == source))
    live.delete_item(Key=one("event", lambda item: item["sk"].startswith("evt_") and item.get("source") == source))
    live.delete_item(Key=one("API key", lambda item: item["pk"].startswith("key#")))
    live.delete_item(Key=one("operator action", lambda item: item["pk"].endswith("#actions")))
    live.delete_item(Key=one("merchant", lambda item: item["sk"] == "merchant"))
    print("7 items are deleted or changed")


def repaired(then):
    def look():
        try:
            return True, objects(then)
        except urllib.error.HTTPError as error:
            return False, error.code

    # The authorizer remembers for some seconds that the key and its merchant were gone.
    now = eventually("the API key works again", look)
    assert now == then["objects"], f"{now} instead of {then['objects']}"
    assert call("/webhook-endpoints")["data"][-1]["id"] == then["endpoint"]
    assert call("/balance")["balances"] == then["balances"]
    print("everything reads as before the damage")


def lose(_):
    # On AWS the key is found by its value, whatever its name. The emulator would take a second key with the same value.
    gateway = boto3.client("apigateway")
    for key in gateway.get_api_keys(nameQuery=os.environ["TABLE"])["items"]:
        gateway.delete_api_key(apiKey=key["id"])
    dynamodb = boto3.client("dynamodb")
    dynamodb.update_table(TableName=os.environ["TABLE"], DeletionProtectionEnabled=False)
    dynamodb.delete_table(TableName=os.environ["TABLE"])
    dynamodb.get_waiter("table_not_exists").wait(TableName=os.environ["TABLE"], WaiterConfig={"Delay": 1})


def found(then):
    now = objects(then)
    assert now == then["restored"], f"{now} instead of {then['restored']}"
    signs_as_before(then)
    # It came after the restore. The same request makes it again, with its id.
    assert pay("later") == then["later"]
    assert settled(f"/payments/{then['later']}")["status"] == "succeeded"
    described = boto3.client("dynamodb").describe_table(TableName=RESTORED)["Table"]
    assert described["StreamSpecification"]["StreamViewType"] == "NEW_AND_OLD_IMAGES", described
    assert described["DeletionProtectionEnabled"], described
    expiry = boto3.client("dynamodb").describe_time_to_live(TableName=RESTORED)["TimeToLiveDescription"]
    assert (expiry["TimeToLiveStatus"], expiry["AttributeName"]) == ("ENABLED", "expires_at"), expiry
    backups = boto3.client("dynamodb").describe_continuous_backups(TableName=RESTORED)["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED", backups
    print("the stack works on the restored table, which has stream, expiry, recovery and protection")


STEPS = [write, resumed, keyed, restore, damage, repaired, lose, found]

if __name__ == "__main__":
    step, file = sys.argv[1:]
    file = pathlib.Path(file)
    then = json.loads(file.read_text()) if file.exists() else {}
    {each.__name__: each for each in STEPS}[step](then)
    file.write_text(json.dumps(then))
