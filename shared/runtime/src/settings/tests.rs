use super::*;

/// Calls `read` with an environment of these variables.
fn with<T>(variables: &[(&str, &str)], read: impl Fn(&Environment<'_>) -> T) -> T {
    let value = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    read(&Environment::new(&value))
}

#[test]
fn a_missing_variable_error_names_it_and_the_remedy() {
    for missing in [&[][..], &[("TABLE_NAME", "")]] {
        let error = with(missing, |environment| environment.text("TABLE_NAME")).unwrap_err();
        let expected = "TABLE_NAME is not set. Run the stack with \"make dev\", then: \
                        cargo lambda watch --env-file .local/functions.env --invoke-port 9001";
        assert_eq!((error.to_string(), format!("{error:?}")), (expected.to_owned(), expected.to_owned()));
    }
}

#[test]
fn a_wrong_value_error_names_variable_and_value() {
    let wrong = with(&[("WEBHOOK_WAITS_SECONDS", "1,x")], |environment| environment.numbers("WEBHOOK_WAITS_SECONDS"));
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
fn plain_http_to_another_machine_is_refused() {
    let address = |url| with(&[(DYNAMODB, url)], |environment| environment.service_address(DYNAMODB));
    for url in ["https://dynamodb.eu-central-1.api.aws/", "http://127.0.0.1:8000/", "http://[::1]:8000/"] {
        assert_eq!(address(url).unwrap().unwrap().as_str(), url);
    }
    for url in ["http://dynamodb.eu-central-1.amazonaws.com/", "http://10.0.0.1:8000", "ftp://127.0.0.1", "table"] {
        let message = address(url).unwrap_err().to_string();
        assert!(message.contains("AWS_ENDPOINT_URL_DYNAMODB must be an https:// address"), "{url}: {message}");
    }
}
