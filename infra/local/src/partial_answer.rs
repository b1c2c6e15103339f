//! A function's answer to a batch that reports single failures (`ReportBatchItemFailures`).
//!
//! Source of the rules: Lambda Developer Guide, "Implementing partial batch responses".

use serde_json::Value;

/// An answer that is not one: the whole batch counts as failed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("its answer is not a partial batch response: {0}")]
pub(crate) struct Malformed(String);

/// The identifiers of the failed items. Empty if all succeeded.
///
/// `known` returns whether an identifier belongs to the batch.
pub(crate) fn failures(answer: &[u8], known: impl Fn(&str) -> bool) -> Result<Vec<String>, Malformed> {
    if answer.trim_ascii().is_empty() {
        return Ok(Vec::new());
    }
    let answer: Value = serde_json::from_slice(answer).map_err(|error| Malformed(error.to_string()))?;
    let failures = match answer {
        Value::Null => return Ok(Vec::new()),
        Value::Object(mut answer) => answer.remove("batchItemFailures").unwrap_or_default(),
        other => return Err(Malformed(format!("{other} is no object"))),
    };
    let failures = match failures {
        Value::Null => return Ok(Vec::new()),
        Value::Array(failures) => failures,
        other => return Err(Malformed(format!("{other} is no list of failures"))),
    };
    failures
        .iter()
        .map(|failure| match failure["itemIdentifier"].as_str() {
            Some(id) if known(id) => Ok(id.to_owned()),
            _ => Err(Malformed(format!("{failure} names no item of the batch"))),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::failures;

    fn read(answer: &str) -> Option<Vec<String>> {
        failures(answer.as_bytes(), |id| id == "a" || id == "b").ok()
    }

    #[test]
    fn nothing_said_means_that_all_succeeded() {
        for answer in ["", "null", "{}", r#"{"batchItemFailures":null}"#, r#"{"batchItemFailures":[]}"#] {
            assert_eq!(read(answer), Some(vec![]), "{answer}");
        }
    }

    #[test]
    fn named_items_failed() {
        let answer = r#"{"batchItemFailures":[{"itemIdentifier":"b"}]}"#;
        assert_eq!(read(answer), Some(vec!["b".to_owned()]));
    }

    #[test]
    fn an_answer_that_cannot_be_understood_fails_the_whole() {
        for answer in [
            "ok",
            "[]",
            r#""ok""#,
            r#"{"batchItemFailures":{}}"#,
            r#"{"batchItemFailures":["a"]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":"a"},{"itemIdentifier":"c"}]}"#,
            r#"{"batchItemFailures":[{"id":"a"}]}"#,
        ] {
            assert_eq!(read(answer), None, "{answer}");
        }
    }
}
