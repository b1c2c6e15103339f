//! The introduction that the dev runner prints when the stack is ready.

use crate::merchant::Sandbox;

/// The stack's address and key, and three commands to try.
pub fn text(base_url: &str, sandbox: &Sandbox) -> String {
    let Sandbox { api_key, merchant_id } = sandbox;
    let key = format!("-H 'Authorization: Bearer {api_key}'");
    format!(
        r#"
Spillway is ready.

  Base URL  {base_url}
  API key   {api_key}  (test mode, merchant {merchant_id})

Charge a card, look at the payment a second later, then at the balance:

P=$(curl -sS {base_url}/payments {key} -H 'Content-Type: application/json' -H 'Idempotency-Key: order-1001' -d '{{"amount":1250,"currency":"USD","token":"tok_visa"}}'); echo "$P"
curl -sS {base_url}/payments/$(echo "$P" | grep -o 'pay_[0-9A-Za-z]*' | head -n 1) {key}
curl -sS {base_url}/balance {key}

Requests, messages and retries follow, one line each. Ctrl-C ends everything.
"#
    )
}
