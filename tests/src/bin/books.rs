//! `books TENANT`: the oracle's findings, one a line, in a table whose items come in as DynamoDB's JSON, one a line.
//! Fails if there is one.

use std::io::{BufRead as _, stdin};
use std::process::ExitCode;

use serde_json::Value;
use spillway_tests::oracle::Books;
use spillway_tests::table::{Item, plain_item};

fn main() -> ExitCode {
    let found = match std::env::args().skip(1).collect::<Vec<_>>().as_slice() {
        [tenant] => items().map(|items| faults(items, tenant)),
        _ => Err("Usage: books TENANT".to_owned()),
    };
    let faults = found.unwrap_or_else(|sentence| vec![sentence]);
    faults.iter().for_each(|fault| eprintln!("{fault}"));
    if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn items() -> Result<Vec<Item>, String> {
    let item = |line: String| serde_json::from_str::<Value>(&line).map(|item| plain_item(&item));
    let lines = stdin().lock().lines();
    lines.map(|line| item(line.map_err(|error| error.to_string())?).map_err(|error| error.to_string())).collect()
}

/// Books of a tenant that does not exist would be empty, and empty books have no faults.
fn faults(items: Vec<Item>, tenant: &str) -> Vec<String> {
    let books = Books::of(items, tenant);
    let empty = books.payments.is_empty().then(|| format!("{tenant} has no payment."));
    empty.into_iter().chain(books.faults()).collect()
}
