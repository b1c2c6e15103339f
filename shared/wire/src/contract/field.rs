//! The fields of a body: what each takes, and how it is read.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use super::super::fields::Fields;
use super::words::{Words, alternatives};

/// A field of a body, of the kind `K`, by which its value is read.
#[derive(Debug, Clone, Copy)]
pub struct Field<K> {
    /// Its name.
    pub name: &'static str,
    kind: K,
    about: &'static str,
    example: &'static str,
    is_required: bool,
}

/// A field as the OpenAPI document describes it.
#[derive(Debug, Clone, Copy)]
pub struct FieldSpec {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub kind: FieldKind,
    /// What it means, in sentences of Markdown.
    pub about: &'static str,
    /// A value, as JSON.
    pub example: &'static str,
    /// Whether it must be there. A field that need not be may be null too.
    pub is_required: bool,
}

/// What a field takes.
#[derive(Debug, Clone, Copy)]
pub enum FieldKind {
    /// A whole number.
    Integer(Integer),
    /// True or false.
    Flag,
    /// A text.
    Text(Text),
    /// One of these words.
    OneOf(fn() -> Vec<String>),
    /// A list of texts.
    List(List),
    /// Keys and values of the client's choice.
    Metadata,
}

/// A whole number of this range.
#[derive(Debug, Clone, Copy)]
pub struct Integer {
    /// The least, included.
    pub least: i64,
    /// The most, included.
    pub most: i64,
}

/// True or false.
#[derive(Debug, Clone, Copy)]
pub struct Flag;

/// A text that is not empty and holds no control character.
#[derive(Debug, Clone, Copy)]
pub struct Text {
    /// Characters at most.
    pub length_max: usize,
    /// What JSON Schema calls its form (`uri`). Empty if it has none.
    pub format: &'static str,
    /// The regular expression that it matches besides. Empty if there is none.
    pub pattern: &'static str,
}

/// One of the words of `T`.
#[derive(Debug)]
pub struct OneOf<T>(PhantomData<fn() -> T>);

impl<T> Clone for OneOf<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for OneOf<T> {}

/// A list of texts, 1 to `count_max`.
#[derive(Debug, Clone, Copy)]
pub struct List {
    /// Entries at most.
    pub count_max: usize,
    /// What is said of an entry that can't be read.
    pub expected: &'static str,
    /// Every entry that can be read.
    pub words: fn() -> Vec<String>,
}

/// Keys and values of the client's choice.
#[derive(Debug, Clone, Copy)]
pub struct Metadata;

impl<K: Copy> Field<K> {
    const fn new(name: &'static str, kind: K, about: &'static str, example: &'static str) -> Field<K> {
        Field { name, kind, about, example, is_required: true }
    }

    /// The same, where it may be missing or null.
    #[must_use]
    pub const fn optional(self) -> Field<K> {
        Field { is_required: false, ..self }
    }

    const fn spec_of(&self, kind: FieldKind) -> FieldSpec {
        FieldSpec { name: self.name, kind, about: self.about, example: self.example, is_required: self.is_required }
    }
}

impl Field<Integer> {
    /// A whole number from `least` to `most`.
    pub const fn integer(
        name: &'static str, least: i64, most: i64, about: &'static str, example: &'static str,
    ) -> Field<Integer> {
        Field::new(name, Integer { least, most }, about, example)
    }

    /// For the declaration.
    pub const fn spec(&self) -> FieldSpec {
        self.spec_of(FieldKind::Integer(self.kind))
    }

    /// Its value. None if it has a fault, or is missing.
    pub fn read(&self, fields: &mut Fields) -> Option<i64> {
        let range = self.kind.least..=self.kind.most;
        fields.asked_for(self.name);
        if self.is_required { fields.integer(self.name, range) } else { fields.optional_integer(self.name, range) }
    }
}

impl Field<Flag> {
    /// True or false, which may be missing or null.
    pub const fn flag(name: &'static str, about: &'static str, example: &'static str) -> Field<Flag> {
        Field::new(name, Flag, about, example).optional()
    }

    /// For the declaration.
    pub const fn spec(&self) -> FieldSpec {
        self.spec_of(FieldKind::Flag)
    }

    /// Its value. None if it has a fault, or is missing.
    pub fn read(&self, fields: &mut Fields) -> Option<bool> {
        fields.asked_for(self.name);
        fields.optional_bool(self.name)
    }
}

impl Field<Text> {
    /// A text of 1 to `length_max` characters, none of them a control character.
    pub const fn text(
        name: &'static str, length_max: usize, about: &'static str, example: &'static str,
    ) -> Field<Text> {
        Field::new(name, Text { length_max, format: "", pattern: "" }, about, example)
    }

    /// The same, of a form that JSON Schema has a name for. It is for the reader: the handler checks it.
    #[must_use]
    pub const fn of_format(self, format: &'static str) -> Field<Text> {
        Field { kind: Text { format, ..self.kind }, ..self }
    }

    /// The same, of this pattern. It is for the reader: the handler checks it.
    #[must_use]
    pub const fn of_pattern(self, pattern: &'static str) -> Field<Text> {
        Field { kind: Text { pattern, ..self.kind }, ..self }
    }

    /// For the declaration.
    pub const fn spec(&self) -> FieldSpec {
        self.spec_of(FieldKind::Text(self.kind))
    }

    /// Its value. None if it has a fault, or is missing.
    pub fn read(&self, fields: &mut Fields) -> Option<String> {
        fields.asked_for(self.name);
        let length_max = self.kind.length_max;
        if self.is_required { fields.text(self.name, length_max) } else { fields.optional_text(self.name, length_max) }
    }
}

impl<T: Words> Field<OneOf<T>> {
    /// One of the words of `T`, which may be missing or null.
    pub const fn one_of(name: &'static str, about: &'static str, example: &'static str) -> Field<OneOf<T>> {
        Field::new(name, OneOf(PhantomData), about, example).optional()
    }

    /// For the declaration.
    pub const fn spec(&self) -> FieldSpec {
        self.spec_of(FieldKind::OneOf(T::words))
    }

    /// Its value. None if it has a fault, or is missing.
    pub fn read(&self, fields: &mut Fields) -> Option<T> {
        fields.asked_for(self.name);
        let text = fields.optional_text(self.name, ONE_OF_LENGTH_MAX)?;
        T::of_word(&text).or_else(|| {
            let words: Vec<String> = T::words().iter().map(|word| format!("\"{word}\"")).collect();
            fields.fault(self.name, format!("must be {}", alternatives(&words)))
        })
    }
}

/// Characters of a text that has to be one of a few words.
const ONE_OF_LENGTH_MAX: usize = 20;

impl Field<List> {
    /// A list of 1 to `count_max` texts. `expected` is said of an entry that can't be read, `words` are those that can.
    pub const fn list(
        name: &'static str, count_max: usize, expected: &'static str, words: fn() -> Vec<String>, about: &'static str,
        example: &'static str,
    ) -> Field<List> {
        Field::new(name, List { count_max, expected, words }, about, example)
    }

    /// For the declaration.
    pub const fn spec(&self) -> FieldSpec {
        self.spec_of(FieldKind::List(self.kind))
    }

    /// What `parse` makes of each entry. An entry with a fault is left out. None if the whole list has a fault,
    /// or is missing.
    pub fn read<T>(&self, fields: &mut Fields, parse: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
        fields.asked_for(self.name);
        let List { count_max, expected, .. } = self.kind;
        if self.is_required {
            fields.list(self.name, count_max, expected, parse)
        } else {
            fields.optional_list(self.name, count_max, expected, parse)
        }
    }
}

/// The merchant's own keys and values, which every resource has that a merchant creates.
impl Field<Metadata> {
    /// Keys and values that are kept, and shown with the object.
    pub const METADATA: Field<Metadata> = Field::new(
        "metadata",
        Metadata,
        "Your own keys and values, shown with the object. At most 50 keys of 40 characters, values of 500 characters, and \
         8,192 bytes in all, as JSON.",
        r#"{"cart": "7"}"#,
    )
    .optional();

    /// For the declaration.
    pub const fn spec(&self) -> FieldSpec {
        self.spec_of(FieldKind::Metadata)
    }

    /// Its keys and values. None of them if it is missing or has a fault.
    pub fn read(&self, fields: &mut Fields) -> BTreeMap<String, String> {
        fields.asked_for(self.name);
        fields.metadata()
    }
}

#[cfg(test)]
mod tests {
    use spillway_domain::payment::Status;

    use super::super::super::json::Json;
    use super::*;

    const AMOUNT: Field<Integer> = Field::integer("amount", 1, 9, "", "1");
    const TOKEN: Field<Text> = Field::text("token", 3, "", "\"a\"").optional();
    const STATUS: Field<OneOf<Status>> = Field::one_of("status", "", "\"failed\"");
    const SPECS: [FieldSpec; 3] = [AMOUNT.spec(), TOKEN.spec(), STATUS.spec()];

    fn fields(text: &str) -> Fields {
        Fields::declared(Json::parse_object(text).unwrap().object, &SPECS)
    }

    type Read = (Option<i64>, Option<String>, Option<Status>, Vec<String>);

    fn read(text: &str) -> Read {
        let mut fields = fields(text);
        let (amount, token) = (AMOUNT.read(&mut fields), TOKEN.read(&mut fields));
        let status = STATUS.read(&mut fields);
        let faults = fields.finish();
        (amount, token, status, faults.into_iter().map(|fault| fault.detail).collect())
    }

    #[test]
    fn values_are_read_as_they_are_declared() {
        let all = read(r#"{"amount":7,"token":"abc","status":"failed"}"#);
        assert_eq!(all, (Some(7), Some("abc".to_owned()), Some(Status::Failed), Vec::new()));
        assert_eq!(read(r#"{"amount":7,"token":null}"#), (Some(7), None, None, Vec::new()));
    }

    #[test]
    fn every_fault_is_told_in_the_order_of_reading() {
        let wrong = read(r#"{"token":"abcd","status":"ok","x":1}"#);
        let details = [
            "is required",
            "must have at most 3 characters",
            "must be \"processing\", \"succeeded\" or \"failed\"",
            "is no field of this request",
        ];
        assert_eq!(wrong, (None, None, None, details.map(str::to_owned).to_vec()));
        assert_eq!(read(r#"{"amount":7,"status":7}"#).3, ["must be a string, not a whole number"]);
    }

    #[test]
    #[should_panic(expected = "declared and read")]
    fn a_field_that_is_declared_must_be_read() {
        let mut fields = fields("{}");
        AMOUNT.read(&mut fields);
        fields.finish();
    }

    #[test]
    #[should_panic(expected = "\"other\" is not declared")]
    fn a_field_that_is_read_must_be_declared() {
        Field::integer("other", 1, 9, "", "1").read(&mut fields("{}"));
    }
}
