//! The ids in a path and the parameters of a query.

use std::fmt;
use std::marker::PhantomData;

use spillway_domain::id::{Id, Kind};
use spillway_domain::page::LIMIT_MAX;

use super::super::fields::TIME;
use super::super::problem::Problem;
use super::super::request::ApiRequestExt as _;
use super::words::Words;
use lambda_http::Request;

/// An id in a path, of the kind `K`.
pub struct PathId<K> {
    /// The name between the braces.
    name: &'static str,
    /// What it is the id of, in words: `payment`.
    what: &'static str,
    kind: PhantomData<fn() -> K>,
}

/// An id in a path as the OpenAPI document describes it.
#[derive(Debug, Clone, Copy)]
pub struct PathIdSpec {
    /// The name between the braces.
    pub name: &'static str,
    /// What it is the id of, in words.
    pub what: &'static str,
    /// What stands before the `_` of the id.
    pub prefix: &'static str,
}

impl<K> fmt::Debug for PathId<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl<K: Kind> PathId<K> {
    /// The id between the braces of this name, of a `what`.
    pub const fn new(name: &'static str, what: &'static str) -> PathId<K> {
        PathId { name, what, kind: PhantomData }
    }

    /// For the declaration.
    pub const fn spec(&self) -> PathIdSpec {
        PathIdSpec { name: self.name, what: self.what, prefix: K::PREFIX }
    }

    /// The id in the path. A malformed one gets the same 404 as a missing one.
    pub fn read(&self, request: &Request) -> Result<Id<K>, Problem> {
        Id::parse(request.path_parameter(self.name)).map_err(|_| self.not_found())
    }

    /// 404: there is none with this id, or it is another tenant's.
    pub fn not_found(&self) -> Problem {
        Problem::not_found(self.what)
    }
}

/// A parameter of a query as the OpenAPI document describes it.
#[derive(Debug, Clone, Copy)]
pub struct QuerySpec {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub kind: QueryKind,
    /// What it means, in sentences of Markdown.
    pub about: &'static str,
}

/// What a parameter of a query takes.
#[derive(Debug, Clone, Copy)]
pub enum QueryKind {
    /// A whole number.
    Integer {
        /// The least, included.
        least: u16,
        /// The most, included.
        most: u16,
        /// What holds if it is missing.
        default: u16,
    },
    /// The cursor of a page before.
    Cursor,
    /// A time of RFC 3339.
    Time,
    /// A currency code of ISO 4217.
    Currency,
    /// One of these words.
    OneOf(fn() -> Vec<String>),
    /// A text that is not empty and holds no control character.
    Text {
        /// Characters at most.
        length_max: usize,
    },
}

impl QuerySpec {
    pub(super) fn is_cursor(&self) -> bool {
        matches!(self.kind, QueryKind::Cursor)
    }
}

/// A filter that takes one of the words of `T` and nothing else.
#[derive(Debug)]
pub struct Filter<T> {
    /// Its name.
    pub name: &'static str,
    about: &'static str,
    value: PhantomData<fn() -> T>,
}

impl<T: Words> Filter<T> {
    /// A filter of this name.
    pub const fn one_of(name: &'static str, about: &'static str) -> Filter<T> {
        Filter { name, about, value: PhantomData }
    }

    /// For the declaration.
    pub const fn spec(&self) -> QuerySpec {
        QuerySpec { name: self.name, kind: QueryKind::OneOf(T::words), about: self.about }
    }
}

/// A filter that takes a text of the merchant's own, as the field of that name of a body does.
#[derive(Debug)]
pub struct TextFilter {
    /// Its name.
    pub name: &'static str,
    /// Characters at most.
    pub length_max: usize,
    about: &'static str,
}

impl TextFilter {
    /// A filter of this name, of a text of 1 to `length_max` characters, none of them a control character.
    pub const fn new(name: &'static str, length_max: usize, about: &'static str) -> TextFilter {
        TextFilter { name, length_max, about }
    }

    /// For the declaration.
    pub const fn spec(&self) -> QuerySpec {
        QuerySpec { name: self.name, kind: QueryKind::Text { length_max: self.length_max }, about: self.about }
    }
}

/// The same as [`spillway_domain::page::Limit::DEFAULT`].
const LIMIT_DEFAULT: u16 = 10;

/// How many entries a page has.
pub const LIMIT: QuerySpec = QuerySpec {
    name: "limit",
    kind: QueryKind::Integer { least: 1, most: LIMIT_MAX, default: LIMIT_DEFAULT },
    about: "Entries on a page at most.",
};

/// Where a list goes on.
pub const CURSOR: QuerySpec = QuerySpec {
    name: "cursor",
    kind: QueryKind::Cursor,
    about: "The `next_cursor` of the page before. It keeps the filters of that page, so leave them out or repeat them \
            unchanged.",
};

/// Where a list begins.
pub const CREATED_FROM: QuerySpec = QuerySpec {
    name: "created_from",
    kind: QueryKind::Time,
    about: "Only what was created at this time or later. When you poll for new entries, start a few seconds before your \
            last poll: recent entries may appear late.",
};

/// Where a list ends.
pub const CREATED_BEFORE: QuerySpec = QuerySpec {
    name: "created_before",
    kind: QueryKind::Time,
    about: "Only what was created before this time. It must be later than `created_from`.",
};

/// The filter that every list of money has.
pub const CURRENCY: QuerySpec =
    QuerySpec { name: "currency", kind: QueryKind::Currency, about: "Only entries in this currency." };

/// What is said of a value that is no currency code.
pub(crate) const CURRENCY_EXPECTED: &str = "must be a three-letter upper-case ISO 4217 currency code";

/// What is said of a value that is no time. (Unencoded, the plus sign of an offset is a space.)
pub(crate) fn time_expected() -> String {
    format!("{TIME}; write + as %2B")
}

#[cfg(test)]
mod tests {
    use spillway_domain::page::Limit;

    use super::*;

    #[test]
    fn the_declared_limit_is_the_one_that_holds() {
        assert_eq!(Limit::new(LIMIT_DEFAULT), Some(Limit::DEFAULT));
    }
}
