//! Answers of the API.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::Value;

/// An answer, read completely.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as sent.
    pub text: String,
    /// The body as JSON; null if it is not JSON.
    pub body: Value,
}

impl Answer {
    /// A header's value; empty without the header.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// The `id` in the body.
    #[track_caller]
    pub fn id(&self) -> &str {
        self.body["id"].as_str().unwrap_or_else(|| panic!("no id: {} {}", self.status, self.text))
    }

    /// Fails the test unless the answer has this status; returns the answer.
    #[track_caller]
    pub fn expect(self, status: u16) -> Answer {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self
    }

    /// Fails the test unless the answer is a complete problem (RFC 9457) with this status and code; returns the answer.
    #[track_caller]
    pub fn expect_problem(self, status: u16, code: &str) -> Answer {
        let problem = &self.body;
        assert_eq!((self.status.as_u16(), problem["code"].as_str()), (status, Some(code)), "{}", self.text);
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text);
        assert_eq!(problem["status"], status, "{}", self.text);
        for field in ["type", "title", "detail", "instance", "request_id"] {
            assert!(problem[field].as_str().is_some_and(|text| !text.is_empty()), "{field} of {}", self.text);
        }
        let request = problem["request_id"].as_str().unwrap();
        assert_eq!(self.header("request-id"), request, "{}", self.text);
        assert!(problem["instance"].as_str().unwrap().ends_with(request), "{}", self.text);
        self
    }

    /// Like [`Answer::expect_problem`]; returns the problem without its request's ids, to compare it with others.
    #[track_caller]
    pub fn expect_anonymous_problem(self, status: u16, code: &str) -> Value {
        let mut problem = self.expect_problem(status, code).body;
        problem["request_id"].take();
        problem["instance"].take();
        problem
    }

    /// Whether the request may be repeated: after a 429 and any 5xx.
    pub fn says_later(&self) -> bool {
        self.status == 429 || self.status.is_server_error()
    }

    /// The wait before a repeat that the answer asks for.
    pub fn retry_after(&self) -> Option<Duration> {
        self.header("retry-after").parse().ok().map(Duration::from_secs)
    }

    /// Status and code of a problem: `429 rate_limited`.
    pub fn named(&self) -> String {
        format!("{} {}", self.status.as_u16(), self.body["code"].as_str().unwrap_or("without a code"))
    }

    /// Status, code and detail in a few words: `429 rate_limited: …`.
    pub fn described(&self) -> String {
        let status = self.status.as_u16();
        match (self.body["code"].as_str(), self.body["detail"].as_str()) {
            (Some(code), Some(detail)) => format!("{status} {code}: {}", detail.trim_end_matches('.')),
            _ if self.text.is_empty() => status.to_string(),
            _ => format!("{status} {}", self.text.chars().take(DESCRIBED_MAX).collect::<String>()),
        }
    }

    /// The JSON pointers of a problem's `errors`, in their order.
    pub fn pointers(&self) -> Vec<&str> {
        let errors = self.body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        errors.iter().filter_map(|error| error["pointer"].as_str()).collect()
    }
}

/// Fails the test unless all answers accept the same object, and all but one of them are replays.
#[track_caller]
pub fn expect_one_result(answers: &[Answer]) {
    for answer in answers {
        assert_eq!((answer.status.as_u16(), &answer.body), (202, &answers[0].body), "{}", answer.text);
        assert_eq!(answer.header("location"), answers[0].header("location"));
    }
    let replayed = answers.iter().filter(|answer| answer.header("idempotent-replayed") == "true").count();
    assert_eq!(replayed, answers.len() - 1);
}

/// Longest excerpt, in characters, of a body that is not a problem.
const DESCRIBED_MAX: usize = 200;
const FAILED: &str = "the connection failed";

/// Result of a request that was sent until it was served.
#[derive(Debug)]
pub struct Served {
    /// The last answer; `Err` if the connection failed.
    pub last: reqwest::Result<Answer>,
    /// Number of tries.
    pub tries: u32,
    /// Duration of the last try.
    pub took: Duration,
    /// Status and code of each earlier try, or that there was no answer.
    pub errors: Vec<String>,
}

impl Served {
    /// The answer, unless it asks the client to come back later; `Err` is the last result in words.
    pub fn answer(self) -> Result<Answer, String> {
        self.answered()?;
        self.last.map_err(|_| FAILED.to_owned())
    }

    /// The same as a reference.
    pub fn answered(&self) -> Result<&Answer, String> {
        match &self.last {
            Ok(answer) if answer.says_later() => Err(answer.described()),
            Ok(answer) => Ok(answer),
            Err(_) => Err(FAILED.to_owned()),
        }
    }
}
