"""Charges a card exactly once, even if the request must be sent several times.

    API=https://…/v1 API_KEY=sk_test_… python charge_once.py order-1001
"""

import json
import os
import random
import sys
import time
import urllib.error
import urllib.request

TRIES_MAX = 8


def charge(order: str) -> dict:
    payment = {"amount": 1250, "currency": "USD", "token": "tok_visa", "reference": order}
    request = urllib.request.Request(
        os.environ["API"] + "/payments",
        data=json.dumps(payment).encode(),
        headers={
            "Authorization": f"Bearer {os.environ['API_KEY']}",
            "Content-Type": "application/json",
            # The same order has the same key: a repeated request makes no second payment.
            "Idempotency-Key": order,
        },
    )
    for attempt in range(TRIES_MAX):
        wait_s = min(2**attempt, 30) * random.uniform(0.5, 1)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            # After a 429 or 5xx, send the request again. Any other 4xx names a fault of the request.
            if error.code != 429 and error.code < 500:
                sys.exit(f"{error.code}: {error.read().decode()}")
            wait_s = float(error.headers.get("Retry-After") or wait_s)
        except OSError:
            # No answer: the payment may exist or not, so send the same request again.
            pass
        time.sleep(wait_s)
    sys.exit(f"no answer after {TRIES_MAX} tries: send the same request again later")


print(charge(sys.argv[1])["id"])
