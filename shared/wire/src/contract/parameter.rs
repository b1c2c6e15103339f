//! The declarations of ids in a path and of parameters of a query.

use std::marker::PhantomData;

use spillway_domain::id::{Id, Kind};
use spillway_domain::page::{LIMIT_DEFAULT, LIMIT_MAX};

use super::super::fields::TIME;
use super::super::problem::Problem;
use super::super::request::ApiRequestExt as _;
use super::words::Words;
use lambda_http::Request;

/// An id of the kind `K` in a path.
pub struct PathId<K> {
    /// The name between the braces of the route.
    name: &'static str,
    /// The object in words, such as `payment`.
    object: &'static str,
    kind: PhantomData<fn() -> K>,
}

/// The description of an id in a path for the OpenAPI document.
#[derive(Debug, Clone, Copy)]
pub struct PathIdSpec {
    /// The name between the braces of the route.
    pub name: &'static str,
    /// The object in words, such as `payment`.
    pub object: &'static str,
    /// The beginning of the id, with the `_`.
    pub prefix: &'static str,
}

impl<K: Kind> PathId<K> {
    /// An id. `name`: its name in the route. `object`: the object in words.
    pub const fn new(name: &'static str, object: &'static str) -> PathId<K> {
        PathId { name, object, kind: PhantomData }
    }

    /// The description for the endpoint's declaration.
    pub const fn spec(&self) -> PathIdSpec {
        PathIdSpec { name: self.name, object: self.object, prefix: K::PREFIX }
    }

    /// The id in the path. Errors with 404 if it is malformed, as for an unknown id.
    pub fn read(&self, request: &Request) -> Result<Id<K>, Problem> {
        Id::parse(request.path_parameter(self.name)).map_err(|_| self.not_found())
    }

    /// 404: the tenant has no object with this id.
    pub fn not_found(&self) -> Problem {
        Problem::not_found(self.object)
    }
}

/// The description of a parameter of a query for the OpenAPI document.
#[derive(Debug, Clone, Copy)]
pub struct QuerySpec {
    /// The name.
    pub name: &'static str,
    /// The accepted values.
    pub kind: QueryKind,
    /// The meaning of the parameter, in Markdown.
    pub about: &'static str,
}

/// The accepted values of a parameter.
#[derive(Debug, Clone, Copy)]
pub enum QueryKind {
    /// A whole number.
    Integer {
        /// The smallest accepted value.
        least: u16,
        /// The largest accepted value.
        most: u16,
        /// The value if the parameter is missing.
        default: u16,
    },
    /// The cursor of a previous page.
    Cursor,
    /// A time of RFC 3339.
    Time,
    /// A currency code of ISO 4217.
    Currency,
    /// One of these words.
    OneOf(fn() -> Vec<String>),
    /// A text that is not empty and contains no control characters.
    Text {
        /// The most characters.
        length_max: usize,
    },
}

impl QuerySpec {
    pub(super) fn is_cursor(&self) -> bool {
        matches!(self.kind, QueryKind::Cursor)
    }
}

/// A filter that accepts one of the words of `T`.
#[derive(Debug)]
pub struct Filter<T> {
    /// The name.
    pub name: &'static str,
    about: &'static str,
    value: PhantomData<fn() -> T>,
}

impl<T: Words> Filter<T> {
    /// A filter of this name.
    pub const fn one_of(name: &'static str, about: &'static str) -> Filter<T> {
        Filter { name, about, value: PhantomData }
    }

    /// The description for the endpoint's declaration.
    pub const fn spec(&self) -> QuerySpec {
        QuerySpec { name: self.name, kind: QueryKind::OneOf(T::words), about: self.about }
    }
}

/// A filter that accepts a text of the merchant's own. Its rules are those of the field with the same name in a body.
#[derive(Debug)]
pub struct TextFilter {
    /// The name.
    pub name: &'static str,
    /// The most characters.
    pub length_max: usize,
    about: &'static str,
}

impl TextFilter {
    /// A filter that accepts a text of 1 to `length_max` characters without control characters.
    pub const fn new(name: &'static str, length_max: usize, about: &'static str) -> TextFilter {
        TextFilter { name, length_max, about }
    }

    /// The description for the endpoint's declaration.
    pub const fn spec(&self) -> QuerySpec {
        QuerySpec { name: self.name, kind: QueryKind::Text { length_max: self.length_max }, about: self.about }
    }
}

/// The parameter `limit`.
pub const LIMIT: QuerySpec = QuerySpec {
    name: "limit",
    kind: QueryKind::Integer { least: 1, most: LIMIT_MAX, default: LIMIT_DEFAULT },
    about: "The most entries of a page.",
};

/// The parameter `cursor`.
pub const CURSOR: QuerySpec = QuerySpec {
    name: "cursor",
    kind: QueryKind::Cursor,
    about: "The `next_cursor` of the previous page. It contains the filters of that page, so leave them out or repeat \
            them unchanged.",
};

/// The parameter `created_from`.
pub const CREATED_FROM: QuerySpec = QuerySpec {
    name: "created_from",
    kind: QueryKind::Time,
    about: "Only entries created at or after this time. When you poll for new entries, start a few seconds before your \
            last poll: recent entries may appear late.",
};

/// The parameter `created_before`.
pub const CREATED_BEFORE: QuerySpec = QuerySpec {
    name: "created_before",
    kind: QueryKind::Time,
    about: "Only entries created before this time. It must be later than `created_from`.",
};

/// The filter `currency` of every list of objects with an amount.
pub const CURRENCY: QuerySpec =
    QuerySpec { name: "currency", kind: QueryKind::Currency, about: "Only entries in this currency." };

/// The detail of the fault if a value is not a currency code.
pub(crate) const CURRENCY_EXPECTED: &str = "must be a three-letter upper-case ISO 4217 currency code";

/// The detail of the fault if a value is not a time. (In a query, an unencoded plus sign means a space.)
pub(crate) fn time_expected() -> String {
    format!("{TIME}; write + as %2B")
}
