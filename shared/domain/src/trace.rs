//! The trace of a client's request: <https://www.w3.org/TR/trace-context/>.

use std::num::NonZeroU64;

use serde::{Deserialize, Serialize};

/// A trace's id and whether its requests are sampled, as `4bf92f3577b34da6a3ce929d0e0e4736-01`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Trace(String);

impl Trace {
    /// The trace of a header `traceparent`. None if the header is malformed: the recommendation says to ignore it then.
    pub fn parse(traceparent: &str) -> Option<Trace> {
        let mut parts = traceparent.split('-');
        let [version, trace, parent, flags] = [parts.next()?, parts.next()?, parts.next()?, parts.next()?];
        // Later versions may have further parts.
        let is_version = is_hex(version, 2) && version != "ff" && (version != "00" || parts.next().is_none());
        let is_valid = is_version && is_id(trace, 32) && is_id(parent, 16) && is_hex(flags, 2);
        let sampled = u8::from_str_radix(flags, 16).ok()? & 1;
        is_valid.then(|| Trace(format!("{trace}-{sampled:02x}")))
    }

    /// The trace of a request without a header: its id without dashes, not sampled. None if the id is not a UUID.
    pub fn of_request(request_id: &str) -> Option<Trace> {
        let id = request_id.replace('-', "");
        is_id(&id, 32).then(|| Trace(format!("{id}-00")))
    }

    /// The trace's id, 32 hexadecimal digits.
    pub fn id(&self) -> &str {
        self.0.split('-').next().unwrap_or_default()
    }

    /// The header `traceparent` of a request that belongs to the trace. `span` is the request's own id.
    pub fn traceparent(&self, span: NonZeroU64) -> String {
        let (id, flags) = self.0.split_once('-').unwrap_or((&self.0, "00"));
        format!("00-{id}-{span:016x}-{flags}")
    }
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether the text is an id. An id of zeros is invalid.
fn is_id(text: &str, digits: usize) -> bool {
    is_hex(text, digits) && text.bytes().any(|byte| byte != b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn a_header_gives_its_trace() {
        let span = NonZeroU64::new(0xb7ad_6b71).unwrap();
        for (header, flags) in [
            (format!("00-{ID}-00f067aa0ba902b7-01"), "01"),
            (format!("00-{ID}-00f067aa0ba902b7-00"), "00"),
            (format!("00-{ID}-00f067aa0ba902b7-ff"), "01"),
            (format!("cc-{ID}-00f067aa0ba902b7-03-more"), "01"),
        ] {
            let trace = Trace::parse(&header).unwrap();
            assert_eq!(trace.id(), ID, "{header}");
            assert_eq!(trace.traceparent(span), format!("00-{ID}-00000000b7ad6b71-{flags}"));
        }
    }

    #[test]
    fn malformed_headers_are_ignored() {
        let zeros = "0".repeat(32);
        for header in [
            String::new(),
            ID.to_owned(),
            format!("00-{ID}-00f067aa0ba902b7"),
            format!("00-{ID}-00f067aa0ba902b7-01-more"),
            format!("ff-{ID}-00f067aa0ba902b7-01"),
            format!("0-{ID}-00f067aa0ba902b7-01"),
            format!("00-{zeros}-00f067aa0ba902b7-01"),
            format!("00-{ID}-0000000000000000-01"),
            format!("00-{}-00f067aa0ba902b7-01", ID.to_uppercase()),
            format!("00-{ID}-00f067aa0ba902b7-0g"),
            format!("00-{}ä-00f067aa0ba902b7-01", &ID[2..]),
            format!(" 00-{ID}-00f067aa0ba902b7-01"),
        ] {
            assert_eq!(Trace::parse(&header), None, "{header}");
        }
    }

    #[test]
    fn a_request_without_a_header_has_its_own_trace() {
        let trace = Trace::of_request("4bf92f35-77b3-4da6-a3ce-929d0e0e4736").unwrap();
        assert_eq!(trace.traceparent(NonZeroU64::MIN), format!("00-{ID}-0000000000000001-00"));
        for id in ["", "req-1", "4bf92f35-77b3-4da6-a3ce-929d0e0e473", "00000000-0000-0000-0000-000000000000"] {
            assert_eq!(Trace::of_request(id), None, "{id}");
        }
    }
}
