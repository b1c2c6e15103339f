//! The faults of a request, each with its place. Their number and size are limited, so that an answer stays small.

use schemars::JsonSchema;
use serde::Serialize;
use spillway_domain::card::holds_card_number;

/// The most faults in an answer. Further faults are only counted.
const FAULTS_MAX: usize = 100;
/// The most bytes of a place in an answer. A longer place is shortened to its beginning and its end.
const PLACE_MAX: usize = PLACE_HEAD + PLACE_TAIL + CUT.len();
const PLACE_HEAD: usize = 60;
const PLACE_TAIL: usize = 37;
/// Replaces the omitted part.
const CUT: &str = "…";

/// The detail of the fault if a text looks like a card number. The answer does not repeat the number.
pub(super) const CARD_NUMBER: &str = "looks like a card number; if it is not one, begin it with a letter";

/// A fault of a request, with its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Invalid {
    /// The place, written as the member `pointer` or `parameter`.
    #[serde(flatten)]
    pub place: Place,
    /// What is wrong, for people.
    pub detail: String,
    /// The field or parameter for the log. Empty if its name is not declared, because the client chose it.
    #[serde(skip)]
    pub(super) field: String,
}

/// The place of a fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// A JSON pointer (RFC 6901) into the body. It is shortened if it is long. "" means the whole body.
    Pointer(String),
    /// The name of a parameter of the query. It is shortened if it is long. "" means the whole query.
    Parameter(String),
}

/// A step from a value of the body to a value inside it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step<K> {
    /// To a member of an object.
    Key(K),
    /// To an entry of an array.
    Index(usize),
}

impl Place {
    /// The place after these steps and the rest of a pointer ("" or `/…`). A key that contains a card number is
    /// replaced by `…`.
    pub(super) fn pointer<K: AsRef<str>>(path: &[Step<K>], rest: &str) -> Place {
        let mut pointer = String::new();
        for step in path {
            pointer.push('/');
            match step {
                Step::Key(key) if holds_card_number(key.as_ref()) => pointer.push_str(CUT),
                Step::Key(key) => pointer.push_str(&escaped(key.as_ref())),
                Step::Index(index) => pointer.push_str(&index.to_string()),
            }
        }
        Place::Pointer(shortened(pointer + rest))
    }

    /// The parameter of this name. The whole query if the name contains a card number.
    pub(super) fn parameter(name: &str) -> Place {
        Place::Parameter(if holds_card_number(name) { String::new() } else { shortened(name.to_owned()) })
    }

    /// The whole body or the whole query.
    fn whole(&self) -> Place {
        match self {
            Place::Pointer(_) => Place::Pointer(String::new()),
            Place::Parameter(_) => Place::Parameter(String::new()),
        }
    }
}

/// The faults found so far.
#[derive(Debug, Default)]
pub(super) struct Faults {
    listed: Vec<Invalid>,
    unlisted: usize,
}

impl Faults {
    /// Adds a fault of a field ("" if its name is not declared). `place` is called only if the fault will be listed.
    pub(super) fn add(&mut self, field: &str, place: impl FnOnce() -> Place, detail: impl Into<String>) {
        if self.listed.len() < FAULTS_MAX {
            self.listed.push(Invalid { place: place(), detail: detail.into(), field: field.to_owned() });
        } else {
            self.unlisted += 1;
        }
    }

    /// Whether no fault was found.
    pub(super) fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    /// The first faults, in the order in which they were found. If there are more, the last entry contains their
    /// number.
    pub(super) fn finish(mut self) -> Vec<Invalid> {
        if let (1.., Some(first)) = (self.unlisted, self.listed.first()) {
            let detail = format!("has {} more faults", self.unlisted);
            self.listed.push(Invalid { place: first.place.whole(), detail, field: String::new() });
        }
        self.listed
    }
}

/// A key, escaped for a JSON pointer.
pub(super) fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// The text. Its beginning and its end if it takes more than [`PLACE_MAX`] bytes in JSON.
fn shortened(text: String) -> String {
    if text.chars().map(written_length).sum::<usize>() <= PLACE_MAX {
        return text;
    }
    let tail: Vec<char> = fitting(text.chars().rev(), PLACE_TAIL).collect();
    fitting(text.chars(), PLACE_HEAD).chain(CUT.chars()).chain(tail.into_iter().rev()).collect()
}

/// The first characters, as many as fit into `room` bytes of JSON.
fn fitting(characters: impl Iterator<Item = char>, mut room: usize) -> impl Iterator<Item = char> {
    characters.map_while(move |character| {
        room = room.checked_sub(written_length(character))?;
        Some(character)
    })
}

/// The most bytes of a character in JSON.
fn written_length(character: char) -> usize {
    match character {
        '"' | '\\' => 2,
        control if control.is_control() => 6,
        other => other.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointer(path: &[Step<&str>], rest: &str) -> String {
        match Place::pointer(path, rest) {
            Place::Pointer(pointer) => pointer,
            Place::Parameter(name) => panic!("{name}"),
        }
    }

    #[test]
    fn keys_are_escaped_as_in_rfc_6901() {
        assert_eq!(pointer(&[], ""), "");
        assert_eq!(pointer(&[Step::Key("a/b~c"), Step::Index(12), Step::Key("")], "/x"), "/a~1b~0c/12//x");
    }

    #[test]
    fn a_long_place_keeps_its_beginning_and_its_end() {
        let fits = "k".repeat(99);
        assert_eq!(pointer(&[Step::Key(&fits)], ""), format!("/{fits}"));
        let long = "k".repeat(9500);
        let expected = format!("/{}…{}/655", "k".repeat(59), "k".repeat(33));
        assert_eq!(pointer(&[Step::Key(&long), Step::Index(655)], ""), expected);
        assert_eq!(Place::parameter(&long), Place::Parameter(format!("{}…{}", "k".repeat(60), "k".repeat(37))));
    }

    #[test]
    fn a_place_takes_at_most_100_bytes() {
        for character in ['k', '"', '\\', '/', '~', '\u{1}', '\u{7f}', '\n', 'ä', '語', '🦀'] {
            for length in [30, 60, 100, 9500] {
                let text = character.to_string().repeat(length);
                for place in [Place::parameter(&text), Place::pointer(&[Step::Key(&text)], "")] {
                    let written = serde_json::to_string(&place).unwrap();
                    let bytes = written.len() - r#"{"parameter":""}"#.len();
                    assert!(bytes <= 100, "{bytes}: {written}");
                }
            }
        }
    }

    #[test]
    fn a_place_repeats_no_card_number() {
        assert_eq!(pointer(&[Step::Key("a"), Step::Key("4242 4242 4242 4242"), Step::Index(0)], ""), "/a/…/0");
        assert_eq!(Place::parameter("4242424242424242"), Place::Parameter(String::new()));
    }

    #[test]
    fn faults_after_100_are_only_counted() {
        let mut faults = Faults::default();
        for number in 0..100 {
            faults.add("", || Place::pointer::<&str>(&[Step::Index(number)], ""), "is wrong");
        }
        for _ in 0..556 {
            faults.add("", || panic!("this place is not needed"), "is wrong");
        }
        let listed = faults.finish();
        assert_eq!(listed.len(), 101);
        assert_eq!(listed[99].place, Place::Pointer("/99".to_owned()));
        let last = Invalid {
            place: Place::Pointer(String::new()),
            detail: "has 556 more faults".to_owned(),
            field: String::new(),
        };
        assert_eq!(listed[100], last);
    }

    #[test]
    fn up_to_100_faults_have_no_count() {
        assert_eq!(Faults::default().finish(), []);
        let mut faults = Faults::default();
        (0..100).for_each(|_| faults.add("a", || Place::parameter("a"), "is wrong"));
        assert_eq!(faults.finish().len(), 100);
    }
}
