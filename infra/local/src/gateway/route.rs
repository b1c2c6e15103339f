//! Finds the route of a request.

use percent_encoding::percent_decode_str;

use crate::template::{Mock, Route};

/// Names and decoded values of the path's parameters.
pub(super) type PathParameters = Vec<(String, String)>;

/// The route for `method` and `path`. A slash at the end of the path does not count. A literal segment wins over one
/// that is a parameter.
pub(super) fn find<'a>(routes: &'a [Route], method: &str, path: &str) -> Option<(&'a Route, PathParameters)> {
    let candidates = routes.iter().filter(|route| route.method == method);
    let candidates = candidates.filter_map(|route| Some((route, matched(&route.path, path)?)));
    candidates.min_by_key(|(_, parameters)| parameters.len())
}

/// The mock for `path`.
pub(super) fn find_mock<'a>(mocks: &'a [Mock], path: &str) -> Option<&'a Mock> {
    let candidates = mocks.iter().filter_map(|mock| Some((mock, matched(&mock.path, path)?)));
    candidates.min_by_key(|(_, parameters)| parameters.len()).map(|(mock, _)| mock)
}

fn matched(pattern: &str, path: &str) -> Option<PathParameters> {
    let mut parameters = Vec::new();
    let mut segments = segments(path);
    for part in self::segments(pattern) {
        let segment = segments.next()?;
        match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            Some(name) if !segment.is_empty() => parameters.push((name.to_owned(), decode(segment))),
            None if part == segment => {}
            _ => return None,
        }
    }
    segments.next().is_none().then_some(parameters)
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.strip_suffix('/').unwrap_or(path).split('/')
}

/// Percent-decodes. An invalid escape stays as it is.
fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes() -> Vec<Route> {
        let all = [
            ("POST", "/v1/payments", "create"),
            ("GET", "/v1/payments/{payment_id}", "get"),
            ("GET", "/v1/payments/latest", "latest"),
        ];
        let routes = all.map(|(method, path, function)| Route {
            function: function.to_owned(),
            method: method.to_owned(),
            path: path.to_owned(),
            api_key_required: false,
            public: false,
        });
        routes.into()
    }

    #[test]
    fn requests_find_their_route() {
        let routes = routes();
        let cases = [
            ("POST", "/v1/payments", Some("create")),
            ("POST", "/v1/payments/", Some("create")),
            ("POST", "/v1/payments//", None),
            ("GET", "/v1/payments", None),
            ("POST", "/v1/Payments", None),
            ("GET", "/v1/payments/pay_1", Some("get")),
            ("GET", "/v1/payments/pay_1/", Some("get")),
            ("GET", "/v1/payments/latest", Some("latest")),
            ("GET", "/v1/payments/pay_1/x", None),
            ("GET", "/", None),
        ];
        for (method, path, expected) in cases {
            let found = find(&routes, method, path).map(|(route, _)| route.function.as_str());
            assert_eq!(found, expected, "{method} {path}");
        }
    }

    #[test]
    fn parameters_are_decoded() {
        let routes = routes();
        let (_, parameters) = find(&routes, "GET", "/v1/payments/a%20b%2Fc%zz%+1").unwrap();
        assert_eq!(parameters, [("payment_id".to_owned(), "a b/c%zz%+1".to_owned())]);
    }
}
