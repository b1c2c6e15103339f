//! The faults of a request: each with its place, and bounded, so that no request is answered by more than it sent.

use schemars::JsonSchema;
use serde::Serialize;
use spillway_domain::card::holds_card_number;

/// The most faults that an answer names. Of the others it tells how many they are.
const FAULTS_MAX: usize = 100;
/// The most bytes that an answer repeats of a request to name a place: the beginning and the end of a longer one.
const PLACE_MAX: usize = PLACE_HEAD + PLACE_TAIL + CUT.len();
const PLACE_HEAD: usize = 60;
const PLACE_TAIL: usize = 37;
/// Stands for what is not repeated.
const CUT: &str = "…";

/// What is said of a card number, wherever it stands. The number itself is not repeated.
pub(super) const CARD_NUMBER: &str = "looks like a card number; if it is none, begin it with a letter";

/// A fault of a request: where, and what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Invalid {
    /// Written as a member of its own name.
    #[serde(flatten)]
    pub place: Place,
    /// For people.
    pub detail: String,
    /// The field or parameter, for the log. Empty where the client made its name up.
    #[serde(skip)]
    pub(super) field: String,
}

/// Where a fault is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// In the body: a JSON pointer (RFC 6901), shortened if it is long. "" is the whole body.
    Pointer(String),
    /// In the query: the parameter's name, shortened if it is long. "" is the whole query.
    Parameter(String),
}

/// A step from a value of the body into one of those that it holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step<K> {
    /// To a member of an object.
    Key(K),
    /// To an entry of an array.
    Index(usize),
}

impl Place {
    /// The value to which the steps lead, and from there the rest of a pointer ("" or `/…`). A key that holds a card
    /// number is not repeated.
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

    /// The parameter of this name, unless it holds a card number: then the whole query.
    pub(super) fn parameter(name: &str) -> Place {
        Place::Parameter(if holds_card_number(name) { String::new() } else { shortened(name.to_owned()) })
    }

    /// All of what this is a place in.
    fn whole(&self) -> Place {
        match self {
            Place::Pointer(_) => Place::Pointer(String::new()),
            Place::Parameter(_) => Place::Parameter(String::new()),
        }
    }
}

/// The faults that were found so far.
#[derive(Debug, Default)]
pub(super) struct Faults {
    told: Vec<Invalid>,
    untold: usize,
}

impl Faults {
    /// Adds a fault of a field ("" where the client made its name up). Its place is asked for only if it is going to be
    /// told.
    pub(super) fn add(&mut self, field: &str, place: impl FnOnce() -> Place, detail: impl Into<String>) {
        if self.told.len() < FAULTS_MAX {
            self.told.push(Invalid { place: place(), detail: detail.into(), field: field.to_owned() });
        } else {
            self.untold += 1;
        }
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.told.is_empty()
    }

    /// Those that are told, in the order in which they were found, and then how many there are besides.
    pub(super) fn finish(mut self) -> Vec<Invalid> {
        if let (1.., Some(first)) = (self.untold, self.told.first()) {
            let detail = format!("has more faults: {} beside these {FAULTS_MAX}", self.untold);
            self.told.push(Invalid { place: first.place.whole(), detail, field: String::new() });
        }
        self.told
    }
}

/// A key as a part of a JSON pointer.
pub(super) fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// The text, or its beginning and its end if JSON takes more than [`PLACE_MAX`] bytes to write it.
fn shortened(text: String) -> String {
    if text.chars().map(written_length).sum::<usize>() <= PLACE_MAX {
        return text;
    }
    let tail: Vec<char> = fitting(text.chars().rev(), PLACE_TAIL).collect();
    fitting(text.chars(), PLACE_HEAD).chain(CUT.chars()).chain(tail.into_iter().rev()).collect()
}

/// The characters as long as JSON can write them in `room` bytes.
fn fitting(characters: impl Iterator<Item = char>, mut room: usize) -> impl Iterator<Item = char> {
    characters.map_while(move |character| {
        room = room.checked_sub(written_length(character))?;
        Some(character)
    })
}

/// The most bytes that JSON takes to write a character.
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
    fn a_pointer_is_that_of_rfc_6901() {
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
    fn no_place_takes_more_than_a_hundred_bytes() {
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
    fn no_place_repeats_a_card_number() {
        assert_eq!(pointer(&[Step::Key("a"), Step::Key("4242 4242 4242 4242"), Step::Index(0)], ""), "/a/…/0");
        assert_eq!(Place::parameter("4242424242424242"), Place::Parameter(String::new()));
    }

    #[test]
    fn past_a_hundred_faults_are_counted_and_their_places_not_built() {
        let mut faults = Faults::default();
        for number in 0..100 {
            faults.add("", || Place::pointer::<&str>(&[Step::Index(number)], ""), "is wrong");
        }
        for _ in 0..556 {
            faults.add("", || panic!("this place is not needed"), "is wrong");
        }
        let told = faults.finish();
        assert_eq!(told.len(), 101);
        assert_eq!(told[99].place, Place::Pointer("/99".to_owned()));
        let last = Invalid {
            place: Place::Pointer(String::new()),
            detail: "has more faults: 556 beside these 100".to_owned(),
            field: String::new(),
        };
        assert_eq!(told[100], last);
    }

    #[test]
    fn a_hundred_faults_or_fewer_are_told_alone() {
        assert_eq!(Faults::default().finish(), []);
        let mut faults = Faults::default();
        (0..100).for_each(|_| faults.add("a", || Place::parameter("a"), "is wrong"));
        assert_eq!(faults.finish().len(), 100);
    }
}
