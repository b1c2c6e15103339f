// Receives webhooks and verifies their signatures with the Standard Webhooks library.
//
//     npm install standardwebhooks
//     WEBHOOK_SECRET=whsec_… PORT=8080 node verify_webhook.mjs

import { createServer } from "node:http";
import { Webhook, WebhookVerificationError } from "standardwebhooks";

const webhook = new Webhook(process.env.WEBHOOK_SECRET);
// An event may arrive more than once. Store the ids in your database, in the transaction that processes the event.
const received = new Set();

async function receive(request) {
  // Verify the bytes as they arrived. Parsed and serialized again, they may differ and then fail verification.
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
