//! Requests of operators to functions without a route. They are parsed as strictly as the body of an HTTP request.

use spillway_domain::currency::Currency;
use spillway_domain::fee::{BASIS_POINTS_MAX, Pricing};
use spillway_domain::money::{AMOUNT_MAX, Minor};
use spillway_domain::operator::Operator;

use super::faults::{Invalid, Place};
use super::fields::Fields;
use super::json::Json;
use super::request::BODY_MAX;

/// A request of an operator to a function.
pub trait OperatorRequest: Sized {
    /// Reads the fields other than `operator`. None only if a field has a fault.
    fn read(fields: &mut Fields) -> Option<Self>;
}

/// A request with the operator that it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FromOperator<T> {
    /// The field `operator`, which every request of an operator has.
    pub operator: Operator,
    /// The other fields.
    pub request: T,
}

/// Parses a payload. The error is a sentence with all faults and a remedy.
pub fn read_operator_request<T: OperatorRequest>(payload: &str) -> Result<FromOperator<T>, String> {
    if payload.len() > BODY_MAX {
        return Err(format!("The request may have at most {BODY_MAX} bytes. Nothing was done."));
    }
    let sent = Json::parse_object(payload).map_err(|error| format!("The request {error}. Nothing was done."))?;
    let mut fields = Fields::of_sent(sent);
    let operator = fields.parsed("operator", Operator::EXPECTED, Operator::parse);
    let request = T::read(&mut fields);
    let faults = fields.finish();
    match operator.zip(request) {
        Some((operator, request)) if faults.is_empty() => Ok(FromOperator { operator, request }),
        _ => Err(sentence(&faults)),
    }
}

fn sentence(faults: &[Invalid]) -> String {
    let parts: Vec<String> = faults
        .iter()
        .map(|fault| match &fault.place {
            Place::Pointer(place) | Place::Parameter(place) if place.is_empty() => format!("it {}", fault.detail),
            Place::Pointer(place) | Place::Parameter(place) => format!("{place} {}", fault.detail),
        })
        .collect();
    format!("The request has faults, and nothing was done. Correct it and send it again: {}.", parts.join("; "))
}

/// Reads one price, for [`Fields::objects`] and [`Fields::optional_objects`]. `price`: the fields of the price. `code`:
/// the key, which is the currency.
pub fn prices(price: &mut Fields, code: &str) -> Option<(Currency, Pricing)> {
    let currency = match Currency::parse(code) {
        Ok(currency) => Some(currency),
        Err(unknown) => price.fault("", format!("is {unknown}")),
    };
    let fee_basis_points = price.integer("fee_basis_points", 0..=BASIS_POINTS_MAX);
    let fee_fixed = price.integer("fee_fixed", 0..=AMOUNT_MAX).map(Minor::new);
    Some((currency?, Pricing { fee_basis_points: fee_basis_points?, fee_fixed: fee_fixed? }))
}

#[cfg(test)]
mod tests {
    use super::super::faults::CARD_NUMBER;
    use super::*;

    /// A request with a number and prices.
    #[derive(Debug, PartialEq)]
    struct Sample {
        number: u16,
        prices: Vec<(Currency, Pricing)>,
    }

    impl OperatorRequest for Sample {
        fn read(fields: &mut Fields) -> Option<Sample> {
            let number = fields.integer("number", 1..=9);
            let prices = fields.objects("prices", prices);
            Some(Sample { number: number?, prices: prices? })
        }
    }

    fn read(payload: &str) -> Result<Sample, String> {
        let read: FromOperator<Sample> = read_operator_request(payload)?;
        assert_eq!(read.operator.to_string(), "jroe");
        Ok(read.request)
    }

    #[test]
    fn a_valid_request_is_read() {
        let usd = (Currency::parse("USD").unwrap(), Pricing { fee_basis_points: 290, fee_fixed: Minor::new(30) });
        let text = r#"{"prices":{"USD":{"fee_basis_points":290,"fee_fixed":30}},"number":7,"operator":"jroe"}"#;
        assert_eq!(read(text), Ok(Sample { number: 7, prices: vec![usd] }));
    }

    #[test]
    fn the_error_lists_every_fault_with_its_place() {
        let text = r#"{"number":0,"number":7,"operator":"jane.roe@example.com","prices":{
            "USD":{"fee_basis_points":290,"fee_fixed":30,"fee_fixed":0},
            "USD":{"fee_basis_points":0,"fee_fixed":0},
            "EUR":{"fee_basis_points":10001,"fee_fixed":0,"fee_fixd":1},
            "usd":{"fee_basis_points":1,"fee_fixed":-1}},"surprise":1}"#;
        let message = "The request has faults, and nothing was done. Correct it and send it again: \
            /number is repeated; \
            /prices/USD/fee_fixed is repeated; \
            /prices/USD is repeated; \
            /operator must be an account name of 1 to 64 characters: letters, digits and any of . _ - / :; \
            /number must be a whole number from 1 to 9, without fraction or exponent; \
            /prices/EUR/fee_basis_points must be a whole number from 0 to 10000, without fraction or exponent; \
            /prices/EUR/fee_fixd is not a field of this request; \
            /prices/usd is not a three-letter upper-case ISO 4217 currency code; \
            /prices/usd/fee_fixed must be a whole number from 0 to 999999999999, without fraction or exponent; \
            /surprise is not a field of this request.";
        assert_eq!(read(text).unwrap_err(), message);
    }

    #[test]
    fn a_payload_that_is_not_an_object_has_its_own_message() {
        for (text, message) in [
            ("42", "The request must be a JSON object, not a whole number. Nothing was done."),
            ("[]", "The request must be a JSON object, not an array. Nothing was done."),
            (
                &format!("{{\"a\":\"{}\"}}", "a".repeat(65_536)),
                "The request may have at most 65536 bytes. Nothing was done.",
            ),
        ] {
            assert_eq!(read(text).unwrap_err(), message, "{text:.40}");
        }
    }

    #[test]
    fn the_error_is_limited_and_repeats_no_card_number() {
        let many = (0..5000).map(|n| format!("\"{n:04}\":1")).collect::<Vec<_>>().join(",");
        let message = read(&format!("{{{many}}}")).unwrap_err();
        assert!(message.len() < 24_000 && message.ends_with("; it has 4903 more faults."), "{message}");
        let message =
            read(r#"{"number":1,"prices":{"4242424242424242":{}},"4242424242424242":1,"4242424242424242":2}"#);
        let start = "The request has faults, and nothing was done. Correct it and send it again";
        assert_eq!(message.unwrap_err(), format!("{start}: /prices {CARD_NUMBER}; it {CARD_NUMBER}."));
    }
}
