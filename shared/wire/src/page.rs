//! The query of a list, and the page that it requests.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use spillway_domain::card::holds_card_number;
use spillway_domain::currency::Currency;
use spillway_domain::id::MerchantId;
use spillway_domain::page::{LIMIT_MAX, Limit, PageRequest};
use spillway_domain::tenant::Tenant;

use super::contract::{
    CREATED_BEFORE, CREATED_FROM, CURRENCY, CURRENCY_EXPECTED, CURSOR, Endpoint, Filter, LIMIT, TextFilter, Words,
    alternatives, time_expected,
};
use super::cursor::{self, CursorContent, CursorScope, Filters, Unreadable};
use super::faults::CARD_NUMBER;
use super::fields::{Fields, wrong_text};
use super::parameters::Parameters;
use super::problem::Problem;

/// The query of a list. Read every filter of the list, then call [`ListQuery::finish`].
#[derive(Debug)]
pub struct ListQuery {
    parameters: Parameters,
    scope: CursorScope,
    /// The content of the cursor. An error if the cursor does not belong to this list. None if there is no cursor.
    cursor: Option<Result<CursorContent, Unreadable>>,
    filters: Filters,
    /// The parameters that the endpoint declares. Only debug builds compare them with `read`.
    #[cfg(debug_assertions)]
    declared: Vec<&'static str>,
    /// The parameters that were read.
    #[cfg(debug_assertions)]
    read: Vec<String>,
}

/// The requested page of a list, with the content of the next cursor.
#[derive(Debug)]
pub struct ListPage {
    /// The request to the store.
    pub request: PageRequest,
    scope: CursorScope,
    filters: Filters,
}

impl ListQuery {
    /// The query of a list of the tenant. A cursor of another endpoint is refused.
    pub fn of<A>(parameters: Parameters, tenant: &Tenant, endpoint: &Endpoint<A>) -> ListQuery {
        ListQuery::of_endpoint(parameters, tenant, endpoint, endpoint.name())
    }

    /// The query of a list under a parent, such as a payment. A cursor of another parent is refused.
    pub fn under<A>(parameters: Parameters, tenant: &Tenant, endpoint: &Endpoint<A>, parent: &str) -> ListQuery {
        ListQuery::of_endpoint(parameters, tenant, endpoint, &format!("{} {parent}", endpoint.name()))
    }

    #[cfg_attr(not(debug_assertions), expect(unused_variables, reason = "only debug builds compare the declaration"))]
    fn of_endpoint<A>(parameters: Parameters, tenant: &Tenant, endpoint: &Endpoint<A>, list: &str) -> ListQuery {
        let query = ListQuery::of_list(parameters, tenant, list);
        #[cfg(debug_assertions)]
        let query = {
            let declared = endpoint.query.unwrap_or_default().iter().map(|parameter| parameter.name).collect();
            ListQuery { declared, ..query }
        };
        query
    }

    /// The query of the list with this name.
    fn of_list(mut parameters: Parameters, tenant: &Tenant, list: &str) -> ListQuery {
        let scope = CursorScope { tenant: tenant.to_string(), list: list.to_owned() };
        let cursor = parameters.read(CURSOR.name, "", |text| Some(scope.read(text)));
        ListQuery {
            parameters,
            scope,
            cursor,
            filters: Filters::new(),
            #[cfg(debug_assertions)]
            declared: Vec::new(),
            #[cfg(debug_assertions)]
            read: vec![CURSOR.name.to_owned(), LIMIT.name.to_owned()],
        }
    }

    /// The value of a filter, taken from the query or else from the cursor. `expected`: the detail of the fault if the
    /// value does not parse.
    fn filter<T: Serialize + DeserializeOwned>(&mut self, name: &str, expected: &str) -> Option<T> {
        self.filter_by(name, |text| from_text(text).ok_or(expected))
    }

    /// The value of a filter that accepts words.
    pub fn one_of<T: Words>(&mut self, filter: &Filter<T>) -> Option<T> {
        let expected = || format!("must be {}", alternatives(&T::words()));
        self.filter_by(filter.name, |text| T::of_word(text).ok_or_else(expected))
    }

    /// The value of a filter that accepts a text of the merchant's own. A card number is refused, as in a body.
    pub fn text(&mut self, filter: &TextFilter) -> Option<String> {
        self.filter_by(filter.name, |text| match wrong_text(text, filter.length_max) {
            Some(wrong) => Err(wrong),
            None if holds_card_number(text) => Err(CARD_NUMBER.to_owned()),
            None => Ok(text.to_owned()),
        })
    }

    fn filter_by<T: Serialize, E: AsRef<str>>(
        &mut self, name: &str, parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        #[cfg(debug_assertions)]
        self.read.push(name.to_owned());
        let sent: Option<T> = self.parameters.checked(name, &parse);
        let in_cursor = || self.cursor.as_ref()?.as_ref().ok()?.filters.get(name).and_then(|text| parse(text).ok());
        let value = sent.or_else(in_cursor)?;
        self.filters.insert(name.to_owned(), to_text(&value)?);
        Some(value)
    }

    /// The value of the filter `currency`.
    pub fn currency(&mut self) -> Option<Currency> {
        self.filter(CURRENCY.name, CURRENCY_EXPECTED)
    }

    /// The requested page. Errors with 400 and all faults of the parameters, or with 400 if the cursor does not belong
    /// to this list and these filters.
    pub fn finish(mut self) -> Result<ListPage, Problem> {
        let expected = format!("must be a whole number from 1 to {LIMIT_MAX}");
        let limit = self.parameters.read(LIMIT.name, &expected, limit).unwrap_or(Limit::DEFAULT);
        let time = time_expected();
        let created_from = self.filter(CREATED_FROM.name, &time);
        let created_before = self.filter(CREATED_BEFORE.name, &time);
        if created_from.zip(created_before).is_some_and(|(from, before)| from >= before) {
            let _: Option<()> = self.parameters.fault(CREATED_BEFORE.name, "must be later than created_from");
        }
        #[cfg(debug_assertions)]
        self.assert_declared();
        self.parameters.finish()?;
        let position = match self.cursor {
            None => None,
            Some(Ok(content)) if content.filters == self.filters => Some(content.position),
            Some(_) => return Err(Problem::invalid_cursor()),
        };
        let request = PageRequest { limit, created_from, created_before, position };
        Ok(ListPage { request, scope: self.scope, filters: self.filters })
    }
}

#[cfg(debug_assertions)]
impl ListQuery {
    /// Panics if the endpoint declares parameters, and one of them was not read, or another one was read. Then the
    /// OpenAPI document would differ from the parser.
    fn assert_declared(&self) {
        let (mut declared, mut read) = (self.declared.clone(), self.read.clone());
        declared.sort_unstable();
        read.sort_unstable();
        assert!(declared.is_empty() || declared == read, "declared and read: {declared:?}, {read:?}");
    }
}

impl ListPage {
    /// The page that an operator requests by the fields `limit` and `cursor`. A cursor of a list with another name is
    /// refused.
    pub fn of_operator(fields: &mut Fields, list: &str) -> ListPage {
        let scope = CursorScope { tenant: String::new(), list: list.to_owned() };
        let limit = fields.optional_integer("limit", 1..=LIMIT_MAX).and_then(Limit::new).unwrap_or(Limit::DEFAULT);
        let cursor = fields.optional_text("cursor", cursor::LENGTH_MAX).and_then(|text| match scope.read(&text) {
            Ok(content) => Some(content.position),
            Err(Unreadable) => fields.fault("cursor", "must be the next_cursor of a page of the same list"),
        });
        let request = PageRequest { limit, created_from: None, created_before: None, position: cursor };
        ListPage { request, scope, filters: Filters::new() }
    }

    /// The same for a list under the merchant that the field `merchant` names. A cursor of another merchant is refused.
    pub fn of_operator_under(fields: &mut Fields, list: &str) -> Option<(MerchantId, ListPage)> {
        let merchant = fields.merchant("merchant");
        let under = merchant.as_ref().map_or("", MerchantId::as_str);
        let page = ListPage::of_operator(fields, &format!("{list} {under}"));
        Some((merchant?, page))
    }

    /// The cursor of the next page, which starts after `position`.
    pub fn cursor(&self, position: String) -> String {
        self.scope.write(&CursorContent { filters: self.filters.clone(), position })
    }
}

fn limit(text: &str) -> Option<Limit> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits).and_then(Limit::new)
}

fn from_text<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_value(Value::String(text.to_owned())).ok()
}

fn to_text(value: &impl Serialize) -> Option<String> {
    serde_json::to_value(value).ok()?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use lambda_http::{Request, RequestExt as _};
    use spillway_domain::payment::Status;
    use spillway_domain::tenant::Mode;

    use super::*;
    use crate::cursor::POSITION_LENGTH_MAX;
    use crate::json::Json;

    fn tenant(mode: Mode) -> Tenant {
        Tenant { merchant: MerchantId::derive(&["m"]), mode }
    }

    /// Parses a query of the list `payments`.
    fn read(query: &[(&str, &str)]) -> Result<ListPage, Problem> {
        let query: HashMap<String, String> =
            query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let parameters = Parameters::of(&Request::default().with_query_string_parameters(query));
        let mut query = ListQuery::of_list(parameters, &tenant(Mode::Test), "payments");
        query.one_of(&Filter::<Status>::one_of("status", ""));
        query.currency();
        query.finish()
    }

    fn cursor_of(query: &[(&str, &str)]) -> String {
        read(query).unwrap().cursor("2026-01-31T12:00:00.123Z#pay_x".to_owned())
    }

    #[test]
    fn a_cursor_contains_the_filters_but_not_the_limit() {
        let filters = [("status", "failed"), ("created_from", "2026-01-31T14:00:00+02:00"), ("limit", "7")];
        let cursor = cursor_of(&filters);
        let alone = read(&[("cursor", &cursor)]).unwrap();
        assert_eq!(alone.request.position.as_deref(), Some("2026-01-31T12:00:00.123Z#pay_x"));
        assert_eq!(alone.request.created_from.unwrap().to_string(), "2026-01-31T12:00:00.000Z");
        assert_eq!((alone.filters["status"].as_str(), alone.request.limit), ("failed", Limit::DEFAULT));
        // The same instant with another offset is the same filter.
        let beside = [("cursor", cursor.as_str()), ("created_from", "2026-01-31T12:00:00Z"), ("limit", "100")];
        assert_eq!(read(&beside).unwrap().filters, alone.filters);
    }

    #[test]
    fn a_cursor_with_other_filters_is_refused() {
        let (narrow, open) = (cursor_of(&[("status", "failed")]), cursor_of(&[]));
        for query in [
            [("cursor", narrow.as_str()), ("status", "succeeded")],
            [("cursor", &narrow), ("currency", "USD")],
            [("cursor", &open), ("status", "failed")],
            [("cursor", &open), ("created_from", "2026-01-31T12:00:00Z")],
        ] {
            assert_eq!(read(&query).unwrap_err(), Problem::invalid_cursor(), "{query:?}");
        }
    }

    #[test]
    fn a_changed_cursor_is_refused() {
        let cursor = cursor_of(&[("status", "failed")]);
        for cut in 1..cursor.len() {
            assert_eq!(read(&[("cursor", &cursor[..cut])]).unwrap_err(), Problem::invalid_cursor(), "{cut}");
        }
        for (place, before) in cursor.char_indices() {
            for after in ['A', 'B', 'z', '-', '=', 'é'].into_iter().filter(|after| *after != before) {
                let changed = format!("{}{after}{}", &cursor[..place], &cursor[place + 1..]);
                assert_eq!(read(&[("cursor", &changed)]).unwrap_err(), Problem::invalid_cursor(), "{changed}");
            }
        }
    }

    #[test]
    fn a_cursor_of_another_list_or_tenant_is_refused() {
        let content = |position: &str| CursorContent { filters: Filters::new(), position: position.to_owned() };
        let scope = |mode, list: &str| CursorScope { tenant: tenant(mode).to_string(), list: list.to_owned() };
        let own = scope(Mode::Test, "payments");
        read(&[("cursor", &own.write(&content(&"p".repeat(POSITION_LENGTH_MAX))))]).unwrap();
        for cursor in [
            scope(Mode::Live, "payments").write(&content("p")),
            scope(Mode::Test, "refunds").write(&content("p")),
            own.write(&content("")),
            own.write(&content(&"p".repeat(POSITION_LENGTH_MAX + 1))),
        ] {
            assert_eq!(read(&[("cursor", &cursor)]).unwrap_err(), Problem::invalid_cursor());
        }
    }

    #[test]
    fn a_cursor_with_a_time_outside_the_calendar_is_refused() {
        let own = CursorScope { tenant: tenant(Mode::Test).to_string(), list: "payments".to_owned() };
        for (time, is_good) in [
            ("2026-01-31T12:00:00.000Z", true),
            ("9999-12-31T23:59:59.999Z", true),
            ("9999-12-31T23:59:59-01:00", false),
            ("9999-12-31T23:59:59-23:59", false),
            ("0000-01-01T00:00:00+23:59", false),
            ("-9999-01-01T00:00:00Z", false),
            ("+10000-01-01T00:00:00Z", false),
        ] {
            for name in ["created_from", "created_before"] {
                let filters = Filters::from([(name.to_owned(), time.to_owned())]);
                let cursor = own.write(&CursorContent { filters, position: "p".to_owned() });
                let read = read(&[("cursor", &cursor)]);
                assert_eq!(read.as_ref().err(), (!is_good).then(Problem::invalid_cursor).as_ref(), "{name}={time}");
            }
        }
    }

    /// Parses an operator's request for a page of a list. Errors with the faults.
    fn read_as_operator(list: &str, json: &str) -> Result<ListPage, String> {
        let mut fields = Fields::of(Json::parse_object(json).unwrap().object);
        let page = ListPage::of_operator(&mut fields, list);
        let faults = fields.finish();
        if faults.is_empty() { Ok(page) } else { Err(faults.into_iter().map(|fault| fault.detail).collect()) }
    }

    #[test]
    fn an_operators_cursor_leads_to_the_next_page_of_its_list_only() {
        let first = read_as_operator("list-merchants", r#"{"limit":7}"#).unwrap();
        assert_eq!((first.request.limit, first.request.position.as_deref()), (Limit::new(7).unwrap(), None));
        let longest = "p".repeat(POSITION_LENGTH_MAX);
        let cursor = format!(r#"{{"cursor":"{}"}}"#, first.cursor(longest.clone()));
        let next = read_as_operator("list-merchants", &cursor).unwrap().request;
        assert_eq!((next.limit, next.position), (Limit::DEFAULT, Some(longest)));
        let refused = "must be the next_cursor of a page of the same list";
        assert_eq!(read_as_operator("list-api-keys mer_1", &cursor).unwrap_err(), refused);
        assert_eq!(read_as_operator("list-merchants", r#"{"cursor":"x"}"#).unwrap_err(), refused);
        let limit = "must be a whole number from 1 to 100, without fraction or exponent";
        assert_eq!(read_as_operator("list-merchants", r#"{"limit":101}"#).unwrap_err(), limit);
    }

    #[test]
    fn limits_are_whole_numbers_from_1_to_100() {
        assert_eq!(["1", "100"].map(limit), [1, 100].map(Limit::new));
        for wrong in ["0", "101", "ten", "+5", "-1", "1.0", "65537", "1e1", " 1"] {
            assert_eq!(limit(wrong), None, "{wrong}");
        }
    }
}
