//! A card number in any field is refused, and is neither stored nor logged.

use serde_json::{Value, json};
use spillway_tests::{Deadline, Options, Stack, eventually, unique};

/// Numbers that card schemes publish for testing.
const NUMBERS: [&str; 8] = [
    "4242424242424242",
    "4242 4242 4242 4242",
    "5555-5555-5555-4444",
    "378282246310005",
    "6011111111111117",
    "2223003122003222",
    "４２４２４２４２４２４２４２４２",
    "4242_4242/4242  4242",
];

#[tokio::test]
async fn card_numbers_are_refused_and_neither_stored_nor_logged() {
    let stack = Stack::start(Options::new().keep_lines().knob("LOG_LEVEL", "trace")).await;
    let merchant = stack.new_merchant().await;
    let client = &merchant.client;
    let right = json!({"amount": 1250, "currency": "USD", "token": "tok_visa"});
    let stored = stack.table().items().await.len();
    for number in NUMBERS {
        let cases = [
            ("token", json!(number), "/token".to_owned()),
            ("description", json!(number), "/description".to_owned()),
            ("description", json!(format!("card {number}, thanks")), "/description".to_owned()),
            ("reference", json!(number), "/reference".to_owned()),
            ("customer", json!(number), "/customer".to_owned()),
            ("metadata", json!({"card": number}), "/metadata/card".to_owned()),
            ("capture_method", json!(number), "/capture_method".to_owned()),
            ("currency", json!(number), "/currency".to_owned()),
        ];
        for (field, value, pointer) in cases {
            let mut body = right.clone();
            body[field] = value;
            let answer = client.create_payment(&unique(), &body).await.expect_problem(422, "invalid_request");
            assert!(answer.pointers().contains(&pointer.as_str()), "{body} gave {}", answer.text);
            assert!(!answer.text.contains(number), "{}", answer.text);
        }
        for body in [json!({"metadata": {number: "x"}}), json!({number: "x"})] {
            let mut all = right.clone();
            all.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
            let answer = client.create_payment(&unique(), &all).await.expect_problem(422, "invalid_request");
            assert!(!answer.text.contains(number), "{}", answer.text);
        }
        for name in ["reference", "customer"] {
            let answer = client.get(&format!("/payments?{name}={number}")).await;
            let answer = answer.expect_problem(400, "invalid_parameters");
            assert_eq!(answer.body["errors"][0]["parameter"], name, "{}", answer.text);
            assert!(!answer.text.contains(number), "{}", answer.text);
        }
    }
    assert_eq!(stack.table().items().await.len(), stored);
    // As an idempotency key a number is harmless, because only its hash is stored.
    let accepted = client.create_payment(NUMBERS[0], &right).await.expect(202);
    let last = accepted.header("request-id");
    let printed = eventually("the last request has its line", Deadline::SOON, async || {
        let printed = stack.printed("create-payment").concat();
        if printed.contains(last) { Ok(printed) } else { Err(printed) }
    })
    .await;
    assert!(printed.contains(&merchant.id), "{printed}");
    let table = Value::from_iter(stack.table().items().await).to_string();
    let log = stack.all_printed() + &stack.log();
    for number in NUMBERS {
        assert!(!table.contains(number) && !log.contains(number), "{number}");
    }
}
