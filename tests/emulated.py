"""What the tests on the emulator have in common: commands, stacks, requests to the API, a merchant's server.

AWS's own variables name the emulator. URL, KEY and PLAN_KEY say how to call the API.
"""

import collections
import http.server
import json
import os
import pathlib
import subprocess
import sys
import threading
import time
import urllib.request
import uuid

import boto3

ROOT = pathlib.Path(__file__).resolve().parent.parent
REGION = os.environ["AWS_REGION"]
SAM = pathlib.Path(sys.executable).with_name("sam")
DEADLINE_SECONDS = 60


def run(command, answers="", cwd=ROOT, **env):
    """Runs the command without a terminal. A variable that is None is taken away."""
    env = {name: value for name, value in (os.environ | env).items() if value is not None}
    ran = {"input": answers, "text": True, "capture_output": True, "start_new_session": True}
    return subprocess.run(command, cwd=cwd, env=env, **ran)


def done(ran):
    """Returns the output of a command that must have succeeded."""
    assert ran.returncode == 0, f"{ran.args} failed:\n{ran.stdout[-2000:]}\n{ran.stderr[-2000:]}"
    return ran.stdout + ran.stderr


def stack(name):
    return boto3.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]


def answer(path, body=None, method=None, **headers):
    """Sends a request, and returns the answer's body and headers. A POST has an idempotency key of its own."""
    headers = {
        "Authorization": f"Bearer {os.environ['KEY']}",
        "x-api-key": os.environ["PLAN_KEY"],
        "Content-Type": "application/json",
        "Idempotency-Key": str(uuid.uuid4()),
    } | {name.replace("_", "-"): value for name, value in headers.items()}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(os.environ["URL"] + path, data=data, headers=headers, method=method)
    with urllib.request.urlopen(request, timeout=30) as answered:
        return json.loads(answered.read() or "null"), answered.headers


def call(path, body=None, method=None, **headers):
    """Sends a request, and returns the answer's body."""
    return answer(path, body, method, **headers)[0]


def eventually(what, look):
    """Looks again and again until it is so, and fails with what it saw last."""
    until = time.monotonic() + DEADLINE_SECONDS
    while True:
        is_so, seen = look()
        if is_so:
            return seen
        if time.monotonic() > until:
            sys.exit(f"After {DEADLINE_SECONDS} s it is not so: {what}. Last seen: {seen}")


class Receiver(http.server.ThreadingHTTPServer):
    """A merchant's server. It accepts every webhook, and keeps the types of the events by the id of their object."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Accepts)
        self.events = collections.defaultdict(set)
        self.url = f"http://127.0.0.1:{self.server_port}/hook"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Accepts(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.events[event["data"]["id"]].add(event["type"])
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass
