//! `GET /v1/payments` and `GET /v1/balance/transactions`

use serde_json::{Value, json};
use spillway_tests::clock::at_the_ends_of_the_calendar;
use spillway_tests::pages::{cursor, data, ids};
use spillway_tests::{Answer, Client, Deadline, Target, eventually, unique};

/// The list once it has this many items: lists lag.
async fn listed(client: &Client, path: &str, count: usize) -> Answer {
    eventually("the list is complete", Deadline::SOON, async || {
        let answer = client.get(path).await.expect(200);
        if data(&answer).len() < count { Err(answer.text) } else { Ok(answer) }
    })
    .await
}

#[tokio::test]
async fn payments_are_listed_newest_first_as_get_shows_them() {
    let target = Target::start().await;
    let client = target.new_merchant().await.client;
    let mut payments = vec![client.paid(1250, "USD").await, client.paid(300, "EUR").await];
    let declined = client.pay(700, "USD", "tok_declined").await;
    payments.push(client.finished(&declined).await);
    payments.reverse();

    let answer = listed(&client, "/payments", 3).await;
    assert_eq!(answer.body, json!({"data": payments, "has_more": false, "next_cursor": null}));
    assert_eq!(
        (answer.header("cache-control"), answer.header("content-type")),
        ("private, no-cache", "application/json")
    );
    assert!(!answer.header("request-id").is_empty());

    for (filters, places) in [
        ("status=failed", &[0][..]),
        ("status=succeeded", &[1, 2]),
        ("status=processing", &[]),
        ("currency=USD", &[0, 2]),
        ("currency=USD&status=succeeded", &[2]),
        // A currency that the merchant does not have is valid and finds nothing.
        ("currency=CHF", &[]),
    ] {
        let answer = client.get(&format!("/payments?{filters}")).await.expect(200);
        let expected: Vec<&Value> = places.iter().map(|place| &payments[*place]).collect();
        assert_eq!(answer.body, json!({"data": expected, "has_more": false, "next_cursor": null}), "{filters}");
    }
}

/// A final payment with this reference and customer.
async fn paid_for(client: &Client, reference: &str, customer: &str, token: &str) -> Value {
    let payment =
        json!({"amount": 1250, "currency": "USD", "token": token, "reference": reference, "customer": customer});
    let id = client.create_payment(&unique(), &payment).await.expect(202).id().to_owned();
    client.finished(&id).await
}

/// The value, percent-encoded.
fn encoded(value: &str) -> String {
    let hex = |byte: u8| format!("%{byte:02X}");
    value.bytes().map(hex).collect()
}

#[tokio::test]
async fn payments_are_found_by_reference_and_customer() {
    let target = Target::start().await;
    let (client, other) = (target.new_merchant().await.client, target.new_merchant().await.client);
    let (odd, long) = ("a#1 & ü/%+", "é".repeat(255));
    let payments = [
        paid_for(&client, "order-1", "cus_77", "tok_declined").await,
        paid_for(&client, "order-1", "cus_77", "tok_visa").await,
        paid_for(&client, "order-2", "cus_77", "tok_visa").await,
        paid_for(&client, "order-1", "cus_78", "tok_visa").await,
        paid_for(&client, odd, &long, "tok_visa").await,
        client.paid(300, "USD").await,
    ];
    let theirs = paid_for(&other, "order-1", "cus_77", "tok_visa").await;
    listed(&client, "/payments", 6).await;
    for (filters, places) in [
        ("reference=order-1".to_owned(), &[3, 1, 0][..]),
        ("customer=cus_77".to_owned(), &[2, 1, 0]),
        ("customer=cus_77&reference=order-1".to_owned(), &[1, 0]),
        ("customer=cus_78&reference=order-2".to_owned(), &[]),
        ("reference=order-1&status=failed".to_owned(), &[0]),
        ("customer=cus_77&status=succeeded".to_owned(), &[2, 1]),
        ("reference=order-1&currency=EUR".to_owned(), &[]),
        (format!("reference={}", encoded(odd)), &[4]),
        (format!("customer={}", encoded(&long)), &[4]),
        // A part of a value does not match, nor does another case.
        ("reference=order".to_owned(), &[]),
        ("reference=ORDER-1".to_owned(), &[]),
        ("reference=a".to_owned(), &[]),
    ] {
        let answer = listed(&client, &format!("/payments?{filters}"), places.len()).await;
        let expected: Vec<&Value> = places.iter().map(|place| &payments[*place]).collect();
        assert_eq!(answer.body, json!({"data": expected, "has_more": false, "next_cursor": null}), "{filters}");
    }
    for filters in ["reference=order-1", "customer=cus_77"] {
        let answer = listed(&other, &format!("/payments?{filters}"), 1).await;
        assert_eq!(data(&answer), std::slice::from_ref(&theirs), "{filters}");
    }

    let first = client.get("/payments?limit=1&reference=order-1").await.expect(200);
    let next = cursor(&first).unwrap();
    let rest = client.get(&format!("/payments?cursor={next}")).await.expect(200);
    assert_eq!(ids(data(&rest)), ids(&payments[..2].iter().rev().cloned().collect::<Vec<_>>()));
    for filter in ["reference=order-2", "customer=cus_77"] {
        client.get(&format!("/payments?{filter}&cursor={next}")).await.expect_problem(400, "invalid_cursor");
    }
}

#[tokio::test]
async fn an_impossible_filter_value_is_refused() {
    let target = Target::start().await;
    let client = target.new_merchant().await.client;
    let too_long = "é".repeat(256);
    for name in ["reference", "customer"] {
        for (value, message) in [
            (encoded(&too_long), "must have at most 255 characters"),
            (encoded("a\nb"), "must not contain control characters"),
            (String::new(), "must not be empty"),
            (format!("a&{name}=a"), "must not be repeated"),
        ] {
            assert_eq!(faults(client.get(&format!("/payments?{name}={value}")).await), [[name, message]]);
        }
    }
}

/// Name and detail of each parameter fault.
fn faults(answer: Answer) -> Vec<[String; 2]> {
    let problem = answer.expect_problem(400, "invalid_parameters").body;
    let errors = problem["errors"].as_array().unwrap().iter();
    errors
        .map(|error| {
            assert_eq!(error.as_object().unwrap().len(), 2, "{error}");
            ["parameter", "detail"].map(|field| error[field].as_str().unwrap().to_owned())
        })
        .collect()
}

const TIME: &str = "must be an RFC 3339 time such as 2026-01-31T12:00:00.000Z, of the years 0001 to 9999 in UTC; write \
    + as %2B";

#[tokio::test]
async fn times_outside_the_calendar_are_refused() {
    let target = Target::start().await;
    let client = target.new_merchant().await.client;
    client.paid(1250, "USD").await;
    listed(&client, "/payments", 1).await;
    for (time, utc) in at_the_ends_of_the_calendar() {
        for (name, found) in [("created_from", "0001"), ("created_before", "9999")] {
            let answer = client.get(&format!("/payments?{name}={}", time.replace('+', "%2B"))).await;
            match &utc {
                Some(utc) => {
                    let count = usize::from(utc.starts_with(found));
                    assert_eq!(data(&answer.expect(200)).len(), count, "{name}={time}");
                }
                None => assert_eq!(faults(answer), [[name, TIME]], "{name}={time}"),
            }
        }
    }
    for list in ["/payments", "/balance/transactions"] {
        let whole = "created_from=0001-01-01T00:00:00Z&created_before=9999-12-31T23:59:59.999Z";
        listed(&client, &format!("{list}?{whole}"), 1).await;
    }
}

#[tokio::test]
async fn unknown_parameters_have_their_own_code() {
    let target = Target::start().await;
    let client = target.new_merchant().await.client;
    for list in ["/payments", "/balance/transactions"] {
        let answer = client.get(&format!("{list}?custmer=cus_77&limit=1&a&b")).await;
        let problem = answer.expect_problem(400, "unknown_parameter").body;
        let named = |name: &str| json!({"parameter": name, "detail": "is not a parameter of this request"});
        assert_eq!(problem["errors"], json!([named("a"), named("b"), named("custmer")]), "{list}");
    }
}

#[tokio::test]
async fn all_parameter_faults_are_named_at_once() {
    let target = Target::start().await;
    let client = target.new_merchant().await.client;
    let limit = ["limit", "must be a whole number from 1 to 100"];
    for (query, expected) in [
        ("limit=0", vec![limit]),
        ("limit=101", vec![limit]),
        ("limit=ten", vec![limit]),
        ("limit=", vec![["limit", "must not be empty"]]),
        ("limit=5&limit=5", vec![["limit", "must not be repeated"]]),
        ("cursor=", vec![["cursor", "must not be empty"]]),
        ("status=Failed", vec![["status", "must be processing, succeeded or failed"]]),
        (
            "created_from=2026-01-31T12:00:00Z&created_before=2026-01-31T12:00:00Z",
            vec![["created_before", "must be later than created_from"]],
        ),
        // A plus sign in a query means a space.
        (
            "status=x&currency=usd&limit=0&created_from=yesterday&created_before=2026-01-31T12:00:00+02:00&a=1&b&b",
            vec![
                ["status", "must be processing, succeeded or failed"],
                ["currency", "must be a three-letter upper-case ISO 4217 currency code"],
                limit,
                ["created_from", TIME],
                ["created_before", TIME],
                ["a", "is not a parameter of this request"],
                ["b", "is not a parameter of this request"],
            ],
        ),
    ] {
        assert_eq!(faults(client.get(&format!("/payments?{query}")).await), expected, "{query}");
    }
    client.get("/payments?limit=1").await.expect(200);
    client.get("/payments?limit=100").await.expect(200);
}

#[tokio::test]
async fn balance_transactions_have_no_status_filter() {
    let target = Target::start().await;
    let client = target.new_merchant().await.client;
    let message = faults(client.get("/balance/transactions?status=succeeded&limit=0").await);
    let expected =
        [["limit", "must be a whole number from 1 to 100"], ["status", "is not a parameter of this request"]];
    assert_eq!(message, expected);
}

#[tokio::test]
async fn a_cursor_is_valid_for_its_own_list_only() {
    let target = Target::start().await;
    let merchant = target.new_merchant().await;
    let client = &merchant.client;
    for _ in 0..3 {
        // Final payments, so that two reads of a page are equal.
        client.paid(1250, "USD").await;
    }
    listed(client, "/payments", 3).await;
    let first = client.get("/payments?limit=1&currency=USD").await.expect(200);
    let good = cursor(&first).unwrap();

    // It works alone, beside the same filters, and with another limit.
    let rest = client.get(&format!("/payments?limit=9&cursor={good}")).await.expect(200);
    assert_eq!(data(&rest).len(), 2);
    let same = client.get(&format!("/payments?currency=USD&cursor={good}")).await.expect(200);
    assert_eq!(same.body, rest.body);

    let cut = &good[..good.len() - 1];
    let (head, tail) = good.split_at(good.len() / 2);
    let changed = format!("{head}{}{}", if tail.starts_with('A') { 'B' } else { 'A' }, &tail[1..]);
    for query in [
        format!("currency=EUR&cursor={good}"),
        format!("currency=USD&status=processing&cursor={good}"),
        format!("created_from=2026-01-31T12:00:00Z&cursor={good}"),
        format!("cursor={cut}"),
        format!("cursor={changed}"),
        "cursor=x".to_owned(),
    ] {
        client.get(&format!("/payments?{query}")).await.expect_problem(400, "invalid_cursor");
    }
    let transactions = format!("/balance/transactions?cursor={good}");
    client.get(&transactions).await.expect_problem(400, "invalid_cursor");
    let other = target.new_merchant().await.client;
    let live = target.new_key(&merchant.id, json!({"mode": "live"})).await;
    for stranger in [other, live] {
        stranger.get(&format!("/payments?cursor={good}")).await.expect_problem(400, "invalid_cursor");
    }
}

#[tokio::test]
async fn lists_show_one_merchant_in_one_mode_only() {
    let target = Target::start().await;
    let (one, two) = (target.new_merchant().await, target.new_merchant().await);
    let (mine, theirs) = (one.client.paid(1250, "USD").await, two.client.paid(1250, "USD").await);
    let live = target.new_key(&one.id, json!({"mode": "live"})).await;
    for path in ["/payments", "/balance/transactions"] {
        let of = |item: &Value| item[if path == "/payments" { "id" } else { "source" }].clone();
        for (client, payment) in [(&one.client, &mine), (&two.client, &theirs)] {
            let listed = listed(client, path, 1).await;
            assert_eq!(data(&listed).iter().map(of).collect::<Vec<_>>(), [payment["id"].clone()], "{path}");
        }
        let live = live.get(path).await.expect(200);
        assert_eq!(live.body, json!({"data": [], "has_more": false, "next_cursor": null}), "{path}");
    }
}

#[tokio::test]
async fn each_list_needs_its_scope() {
    let target = Target::start().await;
    let merchant = target.new_merchant().await;
    let id = merchant.client.pay(1250, "USD", "tok_visa").await;
    let payments = target.new_key(&merchant.id, json!({"scopes": ["payments:read"]})).await;
    let balance = target.new_key(&merchant.id, json!({"scopes": ["balance:read"]})).await;
    payments.get("/balance/transactions").await.expect_problem(403, "insufficient_scope");
    payments.get("/balance").await.expect_problem(403, "insufficient_scope");
    balance.get("/payments").await.expect_problem(403, "insufficient_scope");
    balance.get(&format!("/payments/{id}")).await.expect_problem(403, "insufficient_scope");
    balance.get("/balance/transactions").await.expect(200);
    let payment = json!({"amount": 1, "currency": "USD", "token": "tok_visa"});
    payments.create_payment("k", &payment).await.expect_problem(403, "insufficient_scope");
    assert_eq!(ids(data(&listed(&payments, "/payments", 1).await)), [id]);
}
