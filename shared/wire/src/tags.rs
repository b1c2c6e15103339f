//! Entity tags, and the conditions of requests that name them (RFC 9110, sections 8.8.3 and 13.1).

use lambda_http::Request;

use super::problem::Problem;
use super::request::text;

/// The header `If-Match` or `If-None-Match`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    /// `*`
    Any,
    /// A list of entity tags.
    Tags(Vec<EntityTag>),
}

/// An entity tag. It is weak if the answers with this tag may differ in their bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EntityTag {
    is_weak: bool,
    /// The characters between the quotes.
    opaque: String,
}

/// The header contains neither `*` nor a list of entity tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

impl Condition {
    /// The condition in this header. None if the header is missing.
    pub(super) fn of(request: &Request, header: &str) -> Result<Option<Condition>, Malformed> {
        let values: Vec<&str> = request.headers().get_all(header).iter().map(text).collect();
        match values.as_slice() {
            [] => Ok(None),
            ["*"] => Ok(Some(Condition::Any)),
            _ => match EntityTag::list(&values.join(",")) {
                Some(tags) if !tags.is_empty() => Ok(Some(Condition::Tags(tags))),
                _ => Err(Malformed),
            },
        }
    }

    /// Whether the condition names this tag. Two tags are equal even if one is weak (weak comparison).
    pub(super) fn names(&self, etag: &str) -> bool {
        match self {
            Condition::Any => true,
            Condition::Tags(tags) => EntityTag::list(etag)
                .is_some_and(|etag| etag.iter().any(|etag| tags.iter().any(|tag| tag.opaque == etag.opaque))),
        }
    }
}

impl EntityTag {
    /// The tags of a list. None if it is no list of entity tags.
    fn list(text: &str) -> Option<Vec<EntityTag>> {
        const BLANK: [char; 2] = [' ', '\t'];
        let mut tags = Vec::new();
        let mut rest = text;
        loop {
            // An element of a list may be empty.
            rest = rest.trim_start_matches([' ', '\t', ',']);
            if rest.is_empty() {
                return Some(tags);
            }
            let quoted = rest.strip_prefix("W/");
            let (opaque, after) = quoted.unwrap_or(rest).strip_prefix('"')?.split_once('"')?;
            rest = after.trim_start_matches(BLANK);
            let ends = rest.is_empty() || rest.starts_with(',');
            if !ends || opaque.chars().any(|letter| letter.is_ascii_control() || letter == ' ') {
                return None;
            }
            tags.push(EntityTag { is_weak: quoted.is_some(), opaque: opaque.to_owned() });
        }
    }
}

/// The header `If-Match` of a request that changes an object. The change is made only if the object has a version that
/// the header names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IfMatch(Option<Condition>);

impl IfMatch {
    /// Errors with 428 if the header is malformed, or if it is missing and `is_required`.
    pub(super) fn of(request: &Request, is_required: bool) -> Result<IfMatch, Problem> {
        match Condition::of(request, "if-match") {
            Ok(None) if is_required => Err(Problem::precondition_required()),
            Ok(condition) => Ok(IfMatch(condition)),
            Err(Malformed) => Err(Problem::precondition_required()),
        }
    }

    /// Errors with 412 unless the header is missing, `*`, or names this version. A weak tag never matches (RFC 9110,
    /// section 13.1.1).
    pub fn check(&self, version: u64) -> Result<(), Problem> {
        let Some(Condition::Tags(tags)) = &self.0 else { return Ok(()) };
        let version = version.to_string();
        // An answer in an older shape has a tag of its own: `"7-2026-11-28"`.
        let is_named = |tag: &EntityTag| !tag.is_weak && tag.opaque.split('-').next() == Some(version.as_str());
        if tags.iter().any(is_named) { Ok(()) } else { Err(Problem::precondition_failed()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(header: &str, values: &[&str]) -> Request {
        let mut request = Request::default();
        for value in values {
            request.headers_mut().append(
                lambda_http::http::HeaderName::try_from(header).unwrap(),
                lambda_http::http::HeaderValue::from_str(value).unwrap(),
            );
        }
        request
    }

    #[test]
    fn if_match_must_contain_the_present_version() {
        let verdict = |values: &[&str]| IfMatch::of(&request("if-match", values), true).map(|sent| sent.check(2));
        for right in [&["\"2\""][..], &["\"1\", \"2\""], &["\"1\"", "\"2\""], &["*"], &["\"2-2026-11-28\""]] {
            assert_eq!(verdict(right), Ok(Ok(())), "{right:?}");
        }
        for wrong in [&["\"1\""][..], &["W/\"2\""], &["\"\""], &["\"2,3\""], &["\"22-2026-11-28\""]] {
            assert_eq!(verdict(wrong), Ok(Err(Problem::precondition_failed())), "{wrong:?}");
        }
        for malformed in
            [&[][..], &[""], &["2"], &["\""], &["\"2\" \"2\""], &["\"2\"", "2"], &["*", "\"2\""], &["\"2 \""]]
        {
            assert_eq!(verdict(malformed), Err(Problem::precondition_required()), "{malformed:?}");
        }
        assert_eq!(IfMatch::of(&request("if-match", &[]), false).unwrap().check(2), Ok(()));
        assert_eq!(IfMatch::of(&request("if-match", &["2"]), false), Err(Problem::precondition_required()));
    }

    #[test]
    fn if_none_match_compares_weakly() {
        let names = |values: &[&str], etag: &str| {
            let condition = Condition::of(&request("if-none-match", values), "if-none-match");
            condition.ok().flatten().is_some_and(|condition| condition.names(etag))
        };
        for known in [&["\"a\""][..], &["W/\"a\""], &["\"b\", \"a\""], &["\"b\"", "W/\"a\""], &["*"], &[", \"a\" ,"]] {
            assert!(names(known, "\"a\"") && names(known, "W/\"a\""), "{known:?}");
        }
        for other in [&["\"b\""][..], &["\"a,b\""], &["a"], &["\"a"], &["\"a\" \"a\""], &["w/\"a\""], &[""], &[]] {
            assert!(!names(other, "\"a\""), "{other:?}");
        }
        assert!(names(&["\"a,b\""], "\"a,b\""), "a tag may contain a comma");
    }
}
