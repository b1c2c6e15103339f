// Receives webhooks and verifies their signatures with the library of Standard Webhooks.
//
//     npm install standardwebhooks
//     WEBHOOK_SECRET=whsec_… PORT=8080 node verify_webhook.mjs

import { createServer } from "node:http";
import { Webhook, WebhookVerificationError } from "standardwebhooks";

const webhook = new Webhook(process.env.WEBHOOK_SECRET);
// An event may come more than once. Keep the ids in your database, in the transaction that acts on the event.
const received = new Set();

async function receive(request) {
  // Verify the bytes as they came: parsed and written again, they would have another signature.
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  let event;
  try {
    event = webhook.verify(Buffer.concat(chunks).toString("utf8"), request.headers);
  } catch (error) {
    if (error instanceof WebhookVerificationError) return 400;
    throw error;
  }
  if (!received.has(event.id)) {
    received.add(event.id);
    console.log(`${event.type} ${event.data.id}`);
  }
  return 204;
}

createServer(async (request, response) => {
  response.statusCode = await receive(request).catch(() => 500);
  response.end();
}).listen(process.env.PORT ?? 8080, "127.0.0.1");
