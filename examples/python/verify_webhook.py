"""Receives webhooks and verifies their signatures with the Standard Webhooks library.

    pip install standardwebhooks
    WEBHOOK_SECRET=whsec_… PORT=8080 python verify_webhook.py
"""

import os
from http.server import BaseHTTPRequestHandler, HTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

webhook = Webhook(os.environ["WEBHOOK_SECRET"])
# An event may arrive more than once. Store the ids in your database, in the transaction that processes the event.
received = set()


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        # Verify the bytes as they arrived. Parsed and serialized again, they may differ and then fail verification.
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            event = webhook.verify(body, dict(self.headers))
        except WebhookVerificationError:
            return self.answer(400)
        if event["id"] not in received:
            received.add(event["id"])
            print(f"{event['type']} {event['data']['id']}", flush=True)
        self.answer(204)

    def answer(self, status):
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_):
        pass


HTTPServer(("127.0.0.1", int(os.environ.get("PORT", 8080))), Receiver).serve_forever()
