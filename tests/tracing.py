"""`make trace` on the deployed stack `spillway`: one payment is followed through every function.

URL, KEY and PLAN_KEY say how to call the API; AWS's own variables name the emulator.
"""

import json
import os
import subprocess
import sys

from emulated import ROOT, Receiver, answer, call, eventually

# Each function that works on a payment with a webhook.
FUNCTIONS = {"create-payment", "dispatch-changes", "call-processor", "fold-balance", "deliver-webhook"}


def trace(item, **variables):
    ran = subprocess.run(
        ["make", "--silent", "trace", f"ID={item}", "STACK=spillway"],
        cwd=ROOT,
        env=os.environ | variables,
        text=True,
        capture_output=True,
    )
    return ran if variables.get("JSON") is None or ran.returncode != 0 else json.loads(ran.stdout)


def main():
    endpoint = call("/webhook-endpoints", {"url": Receiver().url, "event_types": ["payment.*"]})
    payment, headers = answer("/payments", {"amount": 1250, "currency": "USD", "token": "tok_visa"})
    request = headers["Request-Id"]

    def followed():
        ran = trace(payment["id"], JSON="1")
        if not isinstance(ran, list):
            return False, ran
        [report] = ran
        named = {line["function"] for line in report["log"]}
        return FUNCTIONS <= named and not report["waits"], ran

    [report] = eventually("each function's line names the payment, and nothing waits", followed)
    steps = {step["what"] for step in report["history"]}
    assert {"accepted", "processor", "succeeded", "entry", "event", "delivery"} <= steps, report
    assert report["mode"] == "test" and report["merchant"].startswith("mer_"), report
    [event] = [step["text"].split()[0] for step in report["history"] if step["what"] == "event"]
    for item in [event, f"{event} {endpoint['id']}", endpoint["id"], request]:
        ran = trace(item)
        assert ran.returncode == 0 and (item in ran.stdout), ran
    wrong = trace("pay_7ccpzn4gffpza71gj3mr6qsffj")
    assert wrong.returncode != 0 and "There is no payment" in wrong.stderr, wrong
    wrong = subprocess.run(
        ["infra/trace/run.sh"], cwd=ROOT, env=os.environ | {"ID": event, "STACK": "absent"}, text=True, capture_output=True
    )
    assert wrong.returncode != 0 and wrong.stderr.count("\n") == 1 and "absent" in wrong.stderr, wrong
    print("make trace: a payment is followed through every function, by each of its ids")


if __name__ == "__main__":
    sys.exit(main())
