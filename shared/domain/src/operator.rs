//! Operators, and their actions on a merchant: changes of it and its API keys, and redeliveries.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::{MerchantId, ObjectId};
use crate::time::Timestamp;

/// The most characters of an operator's account name.
const LENGTH_MAX: usize = 64;

/// The account name of an operator: a person's login, or the name of a pipeline. It is logged, so its form has no room
/// for an email address or a full name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Operator(String);

impl Operator {
    /// The accepted form, for the message of a fault.
    pub const EXPECTED: &'static str =
        "must be an account name of 1 to 64 characters: letters, digits and any of . _ - / :";

    /// Parses an account name. None if the text has another form.
    pub fn parse(text: &str) -> Option<Operator> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/:".contains(&byte);
        let fits = (1..=LENGTH_MAX).contains(&text.len()) && text.bytes().all(allowed);
        fits.then(|| Operator(text.to_owned()))
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A change or a redelivery that an operator made. It is stored together with it, and is never changed or deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorAction {
    /// The merchant that was changed, or that owns the subject.
    pub merchant: MerchantId,
    /// The object that was changed: the merchant or the API key; the webhook endpoint or event whose webhooks were sent
    /// again.
    pub subject: ObjectId,
    /// The operator, as the request named it.
    pub operator: Operator,
    /// The change in words, as in the log.
    pub outcome: String,
    /// Lambda's id of the invocation. CloudTrail has the identity of the caller under this id.
    pub request_id: String,
    /// Time of the change.
    pub created_at: Timestamp,
}

impl OperatorAction {
    /// The position in the list of a merchant's actions. An invocation with several changes makes one after another.
    pub fn position(&self) -> String {
        format!("{}#{}", self.created_at, self.request_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_are_listed_by_their_time() {
        let merchant = MerchantId::derive(&["m"]);
        let action = OperatorAction {
            subject: merchant.clone().into(),
            merchant,
            operator: Operator::parse("jroe").unwrap(),
            outcome: "suspended".to_owned(),
            request_id: "79b4f56e".to_owned(),
            created_at: Timestamp::from_millis(1),
        };
        assert_eq!(action.position(), "1970-01-01T00:00:00.001Z#79b4f56e");
    }

    #[test]
    fn an_account_name_has_letters_digits_and_few_signs() {
        for name in ["jroe", "4711", "ci/deploy-live:42", "A.b_c-D", &"x".repeat(64)] {
            assert_eq!(Operator::parse(name).map(|operator| operator.to_string()).as_deref(), Some(name));
        }
        for wrong in ["", "jane.roe@example.com", "Jane Roe", "jörg", "a\"b", "a\nb", &"x".repeat(65)] {
            assert_eq!(Operator::parse(wrong), None, "{wrong}");
        }
    }
}
