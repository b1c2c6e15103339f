//! The README's commands give the answers that it shows. Only port and folder differ.

use spillway_tests::cargo_lambda;
use spillway_tests::make::{self, Output};
use spillway_tests::{Deadline, Options, Stack, eventually};

const README: &str = include_str!("../../../README.md");

/// Blocks that start a stack or the tests: other tests run these.
const STARTS: [&str; 2] = ["make dev\n", "make test\n"];

/// Shell blocks with `word`, and those without.
fn blocks(word: &str) -> (Vec<&'static str>, Vec<&'static str>) {
    let blocks = README.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.filter(|block| !STARTS.contains(block)).partition(|block| block.contains(word))
}

/// Runs the blocks in one shell. A failed command ends it.
async fn typed(stack: &Stack, blocks: &[&str]) -> Output {
    let (port, tools) = (stack.port(), make::root().join(cargo_lambda::FOLDER));
    let make = format!(r#"make() {{ command make "$@" PORT={port}; }}"#);
    let cargo = format!(r#"cargo() {{ command cargo "$@" {}; }}"#, cargo_lambda::address_of(port));
    let lines = blocks.concat().replace("127.0.0.1:9000", &format!("127.0.0.1:{port}"));
    let lines = lines.replace(".local/dev.json", &stack.data().join("dev.json").display().to_string());
    let mut shell = make::command("sh");
    let path = std::env::var("PATH").unwrap();
    shell.env("PATH", format!("{}:{path}", tools.display()));
    shell.arg("-c").arg([&["set -e"], &[make::CURL, &make, &cargo, &lines][..]].concat().join("\n"));
    make::output(shell).await
}

#[tokio::test]
async fn the_readmes_requests_get_the_shown_answers() {
    let (requests, _) = blocks("curl ");
    assert_eq!(requests.len(), 2);
    let stack = Stack::start(Options::new()).await;
    // Repeated while waiting: there is still one payment.
    let answers = eventually("the payment has succeeded", Deadline::LATER, async || {
        let answers = typed(&stack, &requests).await.curl_answers();
        if answers[1].1["status"] == "succeeded" { Ok(answers) } else { Err(format!("{answers:?}")) }
    })
    .await;
    let [accepted, payment, balance, list] = &answers[..] else { panic!("{answers:?}") };
    assert_eq!([accepted.0, payment.0, balance.0, list.0], [202, 200, 200, 200], "{answers:?}");
    let shown = [
        ("amount_captured", &payment.1["amount_captured"]),
        ("fee", &payment.1["fee"]),
        (
            "pending",
            &balance.1["balances"].as_array().unwrap().iter().find(|it| it["currency"] == "USD").unwrap()["pending"],
        ),
    ];
    for (name, value) in shown {
        assert!(README.contains(&format!("\"{name}\":{value}")), "README.md does not show {name} {value}");
    }
    assert_eq!(list.1["data"][0]["id"], accepted.1["id"]);
}

#[tokio::test]
async fn the_readmes_operator_commands_work() {
    let (_, invocations) = blocks("curl ");
    assert_eq!(invocations.len(), 2);
    let stack = Stack::start(Options::new()).await;
    let output = typed(&stack, &invocations).await;
    assert!(output.succeeded && !output.stdout.contains("errorMessage"), "{output:#?}");
    let secrets = output.stdout.split('"').filter(|text| text.starts_with("sk_test_")).collect::<Vec<_>>();
    let [first, second, revoked] = secrets[..] else { panic!("{output:#?}") };
    for secret in [first, second] {
        stack.client(secret).get("/payments").await.expect(200);
    }
    stack.client(revoked).get("/payments").await.expect(401);
    // A suspended merchant can read but not pay.
    stack.client(first).paid(1250, "USD").await;
}
