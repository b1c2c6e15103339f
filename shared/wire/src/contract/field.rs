//! The fields of a body: their declarations and their parsers.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use super::super::fields::Fields;
use super::words::{Words, alternatives};

/// A field of a body. Its kind `K` determines the type of its value.
#[derive(Debug, Clone, Copy)]
pub struct Field<K> {
    /// The name.
    pub name: &'static str,
    kind: K,
    about: &'static str,
    example: &'static str,
    is_required: bool,
}

/// The description of a field for the OpenAPI document.
#[derive(Debug, Clone, Copy)]
pub struct FieldSpec {
    /// The name.
    pub name: &'static str,
    /// The accepted values.
    pub kind: FieldKind,
    /// The meaning of the field, in Markdown.
    pub about: &'static str,
    /// An example of a value, in JSON.
    pub example: &'static str,
    /// Whether the field is required. A field that is not required may be missing or null.
    pub is_required: bool,
}

/// The accepted values of a field.
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

/// A whole number in a range.
#[derive(Debug, Clone, Copy)]
pub struct Integer {
    /// The smallest accepted value.
    pub least: i64,
    /// The largest accepted value.
    pub most: i64,
}

/// True or false.
#[derive(Debug, Clone, Copy)]
pub struct Flag;

/// A text that is not empty and contains no control characters.
#[derive(Debug, Clone, Copy)]
pub struct Text {
    /// The most characters.
    pub length_max: usize,
    /// The format in JSON Schema, such as `uri`. May be empty.
    pub format: &'static str,
    /// A regular expression that the text must match. May be empty.
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

/// A list of 1 to `count_max` texts.
#[derive(Debug, Clone, Copy)]
pub struct List {
    /// The most entries.
    pub count_max: usize,
    /// The detail of the fault if an entry is not accepted, such as `must be an event`.
    pub expected: &'static str,
    /// All accepted entries.
    pub words: fn() -> Vec<String>,
}

/// Keys and values of the client's choice.
#[derive(Debug, Clone, Copy)]
pub struct Metadata;

impl<K: Copy> Field<K> {
    const fn new(name: &'static str, kind: K, about: &'static str, example: &'static str) -> Field<K> {
        Field { name, kind, about, example, is_required: true }
    }

    /// The same field, but it may be missing or null.
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

    /// The description for the endpoint's declaration.
    pub const fn spec(&self) -> FieldSpec {
        self.spec_of(FieldKind::Integer(self.kind))
    }

    /// The value. None if it is missing or has a fault.
    pub fn read(&self, fields: &mut Fields) -> Option<i64> {
        let range = self.kind.least..=self.kind.most;
        fields.mark_read(self.name);
        if self.is_required { fields.integer(self.name, range) } else { fields.optional_integer(self.name, range) }
    }
}

impl Field<Flag> {
    /// An optional field that is true or false.
    pub const fn flag(name: &'static str, about: &'static str, example: &'static str) -> Field<Flag> {
        Field::new(name, Flag, about, example).optional()
    }

    /// The description for the endpoint's declaration.
    pub const fn spec(&self) -> FieldSpec {
        self.spec_of(FieldKind::Flag)
    }

    /// The value. None if it is missing or has a fault.
    pub fn read(&self, fields: &mut Fields) -> Option<bool> {
        fields.mark_read(self.name);
        fields.optional_bool(self.name)
    }
}

impl Field<Text> {
    /// A text of 1 to `length_max` characters without control characters.
    pub const fn text(
        name: &'static str, length_max: usize, about: &'static str, example: &'static str,
    ) -> Field<Text> {
        Field::new(name, Text { length_max, format: "", pattern: "" }, about, example)
    }

    /// The same field with a format of JSON Schema. It only documents the field: the handler must check it.
    #[must_use]
    pub const fn of_format(self, format: &'static str) -> Field<Text> {
        Field { kind: Text { format, ..self.kind }, ..self }
    }

    /// The same field with a regular expression. It only documents the field: the handler must check it.
    #[must_use]
    pub const fn of_pattern(self, pattern: &'static str) -> Field<Text> {
        Field { kind: Text { pattern, ..self.kind }, ..self }
    }

    /// The description for the endpoint's declaration.
    pub const fn spec(&self) -> FieldSpec {
        self.spec_of(FieldKind::Text(self.kind))
    }

    /// The value. None if it is missing or has a fault.
    pub fn read(&self, fields: &mut Fields) -> Option<String> {
        fields.mark_read(self.name);
        let length_max = self.kind.length_max;
        if self.is_required { fields.text(self.name, length_max) } else { fields.optional_text(self.name, length_max) }
    }
}

impl<T: Words> Field<OneOf<T>> {
    /// An optional field that is one of the words of `T`.
    pub const fn one_of(name: &'static str, about: &'static str, example: &'static str) -> Field<OneOf<T>> {
        Field::new(name, OneOf(PhantomData), about, example).optional()
    }

    /// The description for the endpoint's declaration.
    pub const fn spec(&self) -> FieldSpec {
        self.spec_of(FieldKind::OneOf(T::words))
    }

    /// The value. None if it is missing or has a fault.
    pub fn read(&self, fields: &mut Fields) -> Option<T> {
        fields.mark_read(self.name);
        let text = fields.optional_text(self.name, ONE_OF_LENGTH_MAX)?;
        T::of_word(&text).or_else(|| {
            let words: Vec<String> = T::words().iter().map(|word| format!("\"{word}\"")).collect();
            fields.fault(self.name, format!("must be {}", alternatives(&words)))
        })
    }
}

/// The most characters of a word. No word is longer.
const ONE_OF_LENGTH_MAX: usize = 20;

impl Field<List> {
    /// A list of 1 to `count_max` texts. `words`: all accepted entries. `expected`: the detail of the fault of another
    /// entry.
    pub const fn list(
        name: &'static str, count_max: usize, expected: &'static str, words: fn() -> Vec<String>, about: &'static str,
        example: &'static str,
    ) -> Field<List> {
        Field::new(name, List { count_max, expected, words }, about, example)
    }

    /// The description for the endpoint's declaration.
    pub const fn spec(&self) -> FieldSpec {
        self.spec_of(FieldKind::List(self.kind))
    }

    /// The parsed entries. An entry with a fault is left out. None if the list is missing or has a fault itself.
    pub fn read<T>(&self, fields: &mut Fields, parse: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
        fields.mark_read(self.name);
        let List { count_max, expected, .. } = self.kind;
        if self.is_required {
            fields.list(self.name, count_max, expected, parse)
        } else {
            fields.optional_list(self.name, count_max, expected, parse)
        }
    }
}

/// The field `metadata` of every resource that a merchant creates.
impl Field<Metadata> {
    /// The merchant's own keys and values. They are stored and shown with the object.
    pub const METADATA: Field<Metadata> = Field::new(
        "metadata",
        Metadata,
        "Your own keys and values, shown with the object. At most 50 keys of 40 characters, values of 500 characters, \
         and 8,192 bytes in all, as JSON.",
        r#"{"cart": "7"}"#,
    )
    .optional();

    /// The description for the endpoint's declaration.
    pub const fn spec(&self) -> FieldSpec {
        self.spec_of(FieldKind::Metadata)
    }

    /// The keys and values. Empty if the field is missing or has a fault.
    pub fn read(&self, fields: &mut Fields) -> BTreeMap<String, String> {
        fields.mark_read(self.name);
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
    fn declared_fields_are_read() {
        let all = read(r#"{"amount":7,"token":"abc","status":"failed"}"#);
        assert_eq!(all, (Some(7), Some("abc".to_owned()), Some(Status::Failed), Vec::new()));
        assert_eq!(read(r#"{"amount":7,"token":null}"#), (Some(7), None, None, Vec::new()));
    }

    #[test]
    fn faults_are_listed_in_the_order_of_reading() {
        let wrong = read(r#"{"token":"abcd","status":"ok","x":1}"#);
        let details = [
            "is required",
            "must have at most 3 characters",
            "must be \"processing\", \"succeeded\" or \"failed\"",
            "is not a field of this request",
        ];
        assert_eq!(wrong, (None, None, None, details.map(str::to_owned).to_vec()));
        assert_eq!(read(r#"{"amount":7,"status":7}"#).3, ["must be a string, not a whole number"]);
    }

    #[test]
    #[should_panic(expected = "declared and read")]
    fn a_declared_field_must_be_read() {
        let mut fields = fields("{}");
        AMOUNT.read(&mut fields);
        fields.finish();
    }

    #[test]
    #[should_panic(expected = "\"other\" is not declared")]
    fn a_read_field_must_be_declared() {
        Field::integer("other", 1, 9, "", "1").read(&mut fields("{}"));
    }
}
