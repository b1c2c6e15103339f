//! What operators ask of functions that have no route. It is read as strictly as the body of a request.

use spillway_domain::currency::Currency;
use spillway_domain::fee::{BASIS_POINTS_MAX, Pricing};
use spillway_domain::money::{AMOUNT_MAX, Minor};

use super::faults::{Invalid, Place};
use super::fields::Fields;
use super::json::Json;
use super::request::BODY_MAX;

/// What an operator asks of a function.
pub trait OperatorRequest: Sized {
    /// Reads the fields. None only if one of them has a fault.
    fn read(fields: &mut Fields) -> Option<Self>;
}

/// What the payload asks. An error is one sentence with every fault, and what to do.
pub fn read_operator_request<T: OperatorRequest>(payload: &str) -> Result<T, String> {
    if payload.len() > BODY_MAX {
        return Err(format!("The request may have at most {BODY_MAX} bytes; nothing was done."));
    }
    let sent = Json::parse_object(payload).map_err(|why| format!("The request {why}; nothing was done."))?;
    let mut fields = Fields::of_sent(sent);
    let asked = T::read(&mut fields);
    let faults = fields.finish();
    match asked {
        Some(asked) if faults.is_empty() => Ok(asked),
        _ => Err(sentence(&faults)),
    }
}

fn sentence(faults: &[Invalid]) -> String {
    let told: Vec<String> = faults
        .iter()
        .map(|fault| match &fault.place {
            Place::Pointer(place) | Place::Parameter(place) if place.is_empty() => format!("it {}", fault.detail),
            Place::Pointer(place) | Place::Parameter(place) => format!("{place} {}", fault.detail),
        })
        .collect();
    format!("The request has faults and nothing was done; correct it and send it again: {}.", told.join("; "))
}

/// A price for each currency, as [`Fields::objects`] and [`Fields::optional_objects`] read them: the currency and its
/// fees.
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

    /// A request of a number and prices.
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
        read_operator_request(payload)
    }

    #[test]
    fn a_right_request_is_read() {
        let usd = (Currency::parse("USD").unwrap(), Pricing { fee_basis_points: 290, fee_fixed: Minor::new(30) });
        let text = r#"{"prices":{"USD":{"fee_basis_points":290,"fee_fixed":30}},"number":7}"#;
        assert_eq!(read(text), Ok(Sample { number: 7, prices: vec![usd] }));
    }

    #[test]
    fn every_fault_is_told_with_its_place_in_one_sentence() {
        let text = r#"{"number":0,"number":7,"prices":{
            "USD":{"fee_basis_points":290,"fee_fixed":30,"fee_fixed":0},
            "USD":{"fee_basis_points":0,"fee_fixed":0},
            "EUR":{"fee_basis_points":10001,"fee_fixed":0,"fee_fixd":1},
            "usd":{"fee_basis_points":1,"fee_fixed":-1}},"surprise":1}"#;
        let told = "The request has faults and nothing was done; correct it and send it again: \
            /number is there more than once; \
            /prices/USD/fee_fixed is there more than once; \
            /prices/USD is there more than once; \
            /number must be a whole number from 1 to 9, without fraction or exponent; \
            /prices/EUR/fee_basis_points must be a whole number from 0 to 10000, without fraction or exponent; \
            /prices/EUR/fee_fixd is no field of this request; \
            /prices/usd is not a three-letter upper-case ISO 4217 currency code; \
            /prices/usd/fee_fixed must be a whole number from 0 to 999999999999, without fraction or exponent; \
            /surprise is no field of this request.";
        assert_eq!(read(text).unwrap_err(), told);
    }

    #[test]
    fn what_is_no_object_is_told_apart() {
        for (text, told) in [
            ("42", "The request must be a JSON object, not a whole number; nothing was done."),
            ("[]", "The request must be a JSON object, not an array; nothing was done."),
            (
                &format!("{{\"a\":\"{}\"}}", "a".repeat(65_536)),
                "The request may have at most 65536 bytes; nothing was done.",
            ),
        ] {
            assert_eq!(read(text).unwrap_err(), told, "{text:.40}");
        }
    }

    #[test]
    fn the_sentence_is_bounded_and_repeats_no_card_number() {
        let many = (0..5000).map(|n| format!("\"{n:04}\":1")).collect::<Vec<_>>().join(",");
        let told = read(&format!("{{{many}}}")).unwrap_err();
        assert!(told.len() < 24_000 && told.ends_with("; it has more faults: 4902 beside these 100."), "{told}");
        let told = read(r#"{"number":1,"prices":{"4242424242424242":{}},"4242424242424242":1,"4242424242424242":2}"#);
        let start = "The request has faults and nothing was done; correct it and send it again";
        assert_eq!(told.unwrap_err(), format!("{start}: /prices {CARD_NUMBER}; it {CARD_NUMBER}."));
    }
}
