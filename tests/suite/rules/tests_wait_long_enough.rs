//! A test waits for an answer longer than any function works: otherwise it would call a slow function a dead stack.

use std::time::Duration;

use spillway_tests::{ANSWER_LIMIT, Template};

#[test]
fn tests_wait_longer_than_any_function_works() {
    let template = Template::read();
    let general = template.get(&["Globals", "Function", "Timeout"]);
    let functions = template.of_type("AWS::Serverless::Function");
    let own = functions.values().filter_map(|function| function.get("Timeout"));
    let longest = own.chain(general).map(|seconds| seconds.as_u64().unwrap()).max().unwrap();
    assert!(ANSWER_LIMIT > Duration::from_secs(longest), "a function works for up to {longest} s");
}
