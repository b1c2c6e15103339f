//! A panic at one message of a batch fails that message alone, and the process serves on.
//! (`black_box/panics.rs` is about requests.)

use spillway_tests::event::{balance_message, sqs};
use spillway_tests::{Options, Stack, Template};

/// `tests/panicking-function/examples/panicking-consumer.rs`, in the place of fold-balance.
const CONSUMER: &str = "panicking-consumer";

#[tokio::test]
async fn a_panic_fails_one_message_and_the_process_serves_on() {
    let fold_balance = ["Resources", "FoldBalance", "Properties", "CodeUri"];
    let template = Template::read().with(&fold_balance, format!("../functions/{CONSUMER}"));
    let stack = Stack::start(Options::new().unkilled().examples().template(template)).await;
    let merchant = stack.developers_merchant();
    let failed = async |currencies: &[&str]| {
        let messages: Vec<_> = currencies.iter().map(|currency| balance_message(merchant, currency)).collect();
        let answer = stack.invoke(CONSUMER, &sqs(&messages)).await.unwrap();
        let failures = answer["batchItemFailures"].as_array().unwrap().clone();
        failures.iter().map(|failure| failure["itemIdentifier"].as_str().unwrap().to_owned()).collect::<Vec<String>>()
    };
    assert_eq!(failed(&["USD"]).await, [""; 0]);
    let before = stack.function_pids(CONSUMER);
    assert_eq!(failed(&["USD", "JPY", "EUR"]).await, ["m1"]);
    // A panic outside the work on one message fails all of them.
    assert_eq!(failed(&["USD", "KWD"]).await, ["m0", "m1"]);
    assert_eq!(failed(&["USD", "EUR"]).await, [""; 0]);
    let after = stack.function_pids(CONSUMER);
    assert!(before.len() == 1 && after.contains(&before[0]), "{before:?}, then {after:?}");
    stack.logs_panic(CONSUMER, "tests/panicking-function/examples/panicking-consumer.rs").await;
    let log = stack.log();
    assert!(!log.contains("Jane Roe") && !log.contains("the process ended"), "{log}");
}
