use super::*;

/// What `read` makes of these variables.
fn with<T>(variables: &[(&str, &str)], read: impl Fn(&Environment<'_>) -> T) -> T {
    let value = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    read(&Environment::new(&value))
}

#[test]
fn a_missing_variable_is_named_with_what_to_do() {
    for missing in [&[][..], &[("TABLE_NAME", "")]] {
        let error = with(missing, |environment| environment.text("TABLE_NAME")).unwrap_err();
        let told = "TABLE_NAME is not set. Run the stack with \"make dev\", then: \
                    cargo lambda watch --env-file .local/functions.env --invoke-port 9001";
        assert_eq!((error.to_string(), format!("{error:?}")), (told.to_owned(), told.to_owned()));
    }
}

#[test]
fn a_wrong_value_is_named() {
    let wrong = with(&[("WEBHOOK_WAITS_SECONDS", "1,x")], Webhooks::read);
    assert_eq!(
        wrong.unwrap_err().to_string(),
        "the environment variable WEBHOOK_WAITS_SECONDS must be whole numbers with commas between, not \"1,x\""
    );
    let wrong = with(&[("STACK_NAME", "acme"), ("LOG_LEVEL", "loud")], Process::read);
    assert_eq!(
        wrong.unwrap_err().to_string(),
        "the environment variable LOG_LEVEL must be error, warn, info, debug or trace, not \"loud\""
    );
}

#[test]
fn loopback_webhooks_need_a_table_on_this_machine_and_no_lambda() {
    let allowed = |table: &[(&str, &str)]| {
        let set = [&[("WEBHOOK_LOOPBACK", "true")], table].concat();
        with(&set, webhook_loopback).map_err(|error| error.to_string())
    };
    let [general, own] = ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB"];
    for url in ["http://127.0.0.1:4566", "http://[::1]:8000", "http://localhost:8000/"] {
        assert_eq!((allowed(&[(general, url)]), allowed(&[(own, url)])), (Ok(true), Ok(true)), "{url}");
    }
    let lambda = Err(SettingError::Loopback.to_string());
    assert_eq!(allowed(&[]), lambda, "as on Lambda");
    let elsewhere = "https://vpce-1.dynamodb.eu-central-1.vpce.amazonaws.com";
    assert_eq!(allowed(&[(general, elsewhere)]), lambda);
    // The table's own address counts, whatever the others' is.
    assert_eq!(allowed(&[(general, "http://127.0.0.1:4566"), (own, elsewhere)]), lambda);
    // Lambda says by this that it is Lambda, wherever the table is said to be.
    assert_eq!(allowed(&[(own, "http://127.0.0.1:4566"), ("LAMBDA_RUNTIME_DIR", "/var/runtime")]), lambda);
    for off in [&[][..], &[("WEBHOOK_LOOPBACK", "false"), ("LAMBDA_RUNTIME_DIR", "/var/runtime")]] {
        assert!(!with(off, webhook_loopback).unwrap());
    }
    let wrong = with(&[("WEBHOOK_LOOPBACK", "yes")], webhook_loopback).unwrap_err();
    assert!(wrong.to_string().contains("must be true or false, not \"yes\""), "{wrong}");
}

#[test]
fn another_machine_is_not_called_in_the_clear() {
    let endpoint = |url| with(&[(DYNAMODB, url)], |environment| endpoint_of(environment, DYNAMODB));
    for url in ["https://dynamodb.eu-central-1.api.aws/", "http://127.0.0.1:8000/", "http://[::1]:8000/"] {
        assert_eq!(endpoint(url).unwrap().unwrap().as_str(), url);
    }
    for url in ["http://dynamodb.eu-central-1.amazonaws.com/", "http://10.0.0.1:8000", "ftp://127.0.0.1", "table"] {
        let told = endpoint(url).unwrap_err().to_string();
        assert!(told.contains("AWS_ENDPOINT_URL_DYNAMODB must be an https:// address"), "{url}: {told}");
    }
}

fn known_everywhere(store_deadline_ms: &str, cache_s: &str) -> Timestamp {
    let variables = [("STORE_DEADLINE_MS", store_deadline_ms), ("CACHE_SECONDS", cache_s)];
    with(&variables, Remembered::read).unwrap().known_everywhere(Timestamp::from_millis(500))
}

#[test]
fn a_change_is_known_everywhere_when_the_slowest_read_before_it_has_left_every_cache() {
    let at = Timestamp::from_millis;
    // 3 s for the write, 10 s for the authorizer that read just before it, 60 s in the cache, 1 s between clocks.
    assert_eq!(known_everywhere("3000", "60"), at(74_500));
    assert_eq!(known_everywhere("9000", "1"), at(21_500));
    // Where nothing is remembered, who arrives when it is written is asked about anew.
    assert_eq!(known_everywhere("3000", "0"), at(4_500));
}

fn shards_from(cache_s: &str, ahead_s: &str) -> Timestamp {
    let variables = [("STORE_DEADLINE_MS", "3000"), ("CACHE_SECONDS", cache_s), ("SHARDS_AHEAD_SECONDS", ahead_s)];
    with(&variables, ShardsAhead::read).unwrap().shards_from(Timestamp::from_millis(500))
}

#[test]
fn raised_shards_are_in_force_when_no_request_reads_fewer() {
    let at = Timestamp::from_millis;
    assert_eq!(shards_from("60", "3600"), at(3_600_500));
    // The 74 s of above, and 10 s for a request that arrived just before their end.
    assert_eq!(shards_from("60", "0"), at(84_500));
    assert_eq!(shards_from("60", "85"), at(85_500));
    assert_eq!([shards_from("0", "0"), shards_from("0", "5")], [at(500), at(5_500)]);
}

#[test]
fn the_timeout_is_that_of_the_authorizer_and_of_every_reader_of_shards() {
    let template = include_str!("../../../../../infra/template.yaml");
    let globals = template.split("\nGlobals:\n").nth(1).and_then(|rest| rest.split("\nResources:\n").next());
    assert!(globals.unwrap().contains(&format!("\n    Timeout: {}\n", TIMEOUT_MS / 1000)));
    for function in ["Authenticate", "GetBalance", "ListPayments", "ListBalanceTransactions"] {
        let block = template.split(&format!("\n  {function}:\n    Type: ")).nth(1).unwrap();
        let block = block.split(&format!("\n  {function}Logs:\n")).next().unwrap();
        assert!(!block.contains("Timeout:"), "{function}");
    }
}
