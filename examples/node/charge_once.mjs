// Charges a card exactly once, even if the request must be sent several times.
//
//     API=https://…/v1 API_KEY=sk_test_… node charge_once.mjs order-1001

const TRIES_MAX = 8;
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

async function charge(order) {
  const request = {
    method: "POST",
    headers: {
      authorization: `Bearer ${process.env.API_KEY}`,
      "content-type": "application/json",
      // The same order has the same key: a repeated request makes no second payment.
      "idempotency-key": order,
    },
    body: JSON.stringify({ amount: 1250, currency: "USD", token: "tok_visa", reference: order }),
  };
  for (let attempt = 0; attempt < TRIES_MAX; attempt++) {
    let waitMs = Math.min(1000 * 2 ** attempt, 30_000) * (0.5 + Math.random() / 2);
    // No answer: the payment may exist or not, so send the same request again.
    const answer = await fetch(`${process.env.API}/payments`, request).catch(() => undefined);
    if (answer?.ok) return answer.json();
    // After a 429 or 5xx, send the request again. Any other 4xx names a fault of the request.
    if (answer && answer.status !== 429 && answer.status < 500) {
      throw new Error(`${answer.status}: ${await answer.text()}`);
    }
    const retryAfter = Number(answer?.headers.get("retry-after"));
    await sleep(retryAfter > 0 ? 1000 * retryAfter : waitMs);
  }
  throw new Error(`no answer after ${TRIES_MAX} tries: send the same request again later`);
}

console.log((await charge(process.argv[2])).id);
