//! API Gateway's content codings: it decodes bodies for functions and encodes their answers.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-gzip-compression-decompression.html>

use std::io::Read;

use axum::http::{HeaderMap, HeaderValue, header};
use flate2::Compression;
use flate2::read::{GzEncoder, MultiGzDecoder, ZlibDecoder, ZlibEncoder};

use super::BODY_LIMIT;
use super::refusal::{Answer, Refusal};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Coding {
    Gzip,
    Deflate,
}

impl Coding {
    fn of(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "gzip" => Some(Self::Gzip),
            "deflate" => Some(Self::Deflate),
            _ => None,
        }
    }
}

/// The body decoded by its `Content-Encoding`. The function still sees the header.
pub(super) fn decoded(headers: &HeaderMap, body: Vec<u8>) -> Result<Vec<u8>, Refusal> {
    let named = headers.get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap_or_default().trim());
    let named = named.filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case("identity"));
    let Some(name) = named.filter(|_| !body.is_empty()) else { return Ok(body) };
    let mut reader: Box<dyn Read + '_> = match Coding::of(name).ok_or(Refusal::UnsupportedMediaType)? {
        Coding::Gzip => Box::new(MultiGzDecoder::new(body.as_slice())),
        Coding::Deflate => Box::new(ZlibDecoder::new(body.as_slice())),
    };
    let mut whole = Vec::new();
    let limit = u64::try_from(BODY_LIMIT).unwrap_or(u64::MAX).saturating_add(1);
    reader.by_ref().take(limit).read_to_end(&mut whole).map_err(|_| Refusal::UnsupportedMediaType)?;
    if whole.len() > BODY_LIMIT { Err(Refusal::RequestTooLarge) } else { Ok(whole) }
}

/// Encodes an answer of at least `size_min` bytes if the client prefers a supported coding.
pub(super) fn encode(request: &HeaderMap, size_min: Option<usize>, answer: &mut Answer) {
    let large = size_min.is_some_and(|size_min| answer.body.len() >= size_min) && !answer.body.is_empty();
    if !large || answer.headers.contains_key(header::CONTENT_ENCODING) {
        return;
    }
    let asked = request.get(header::ACCEPT_ENCODING).and_then(|value| preferred(value.to_str().ok()?));
    let encoded = asked.map(|coding| match coding {
        Coding::Gzip => ("gzip", whole(GzEncoder::new(answer.body.as_slice(), Compression::default()))),
        Coding::Deflate => ("deflate", whole(ZlibEncoder::new(answer.body.as_slice(), Compression::default()))),
    });
    if let Some((name, Ok(body))) = encoded {
        answer.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(name));
        answer.body = body;
    }
}

/// All that an encoder returns.
fn whole(mut encoder: impl Read) -> std::io::Result<Vec<u8>> {
    let mut whole = Vec::new();
    encoder.read_to_end(&mut whole)?;
    Ok(whole)
}

/// The coding with the client's highest weight, if API Gateway supports it. `*` names no coding.
fn preferred(accepted: &str) -> Option<Coding> {
    let weighed = accepted.split(',').map(|one| {
        let (name, parameters) = one.split_once(';').unwrap_or((one, ""));
        let weight = parameters.trim().strip_prefix("q=").map_or(Some(1000), thousandths);
        (name.trim(), weight.unwrap_or(0))
    });
    let weighed: Vec<(&str, u32)> = weighed.filter(|(name, weight)| !name.is_empty() && *weight > 0).collect();
    let highest = weighed.iter().map(|(_, weight)| *weight).max()?;
    weighed.into_iter().filter(|(_, weight)| *weight == highest).find_map(|(name, _)| Coding::of(name))
}

/// A weight such as `0.5`, which has at most three decimals.
fn thousandths(weight: &str) -> Option<u32> {
    let (whole, decimals) = weight.split_once('.').unwrap_or((weight, ""));
    let decimals: u32 = format!("{decimals:0<3}").get(..3)?.parse().ok()?;
    whole.parse::<u32>().ok()?.checked_mul(1000)?.checked_add(decimals)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `{"amount": 1250}` as Python's gzip and zlib write it.
    const GZIP: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xab\x56\x4a\xcc\xcd\x2f\xcd\x2b\x51\xb2\x52\x30\x34\x32\x35\xa8\x05\x00\x47\x04\x47\x03\x10\x00\x00\x00";
    const DEFLATE: &[u8] =
        b"\x78\x9c\xab\x56\x4a\xcc\xcd\x2f\xcd\x2b\x51\xb2\x52\x30\x34\x32\x35\xa8\x05\x00\x2d\xcf\x04\xf3";

    fn headers(name: header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn bodies_are_decoded_by_their_header() {
        let plain = br#"{"amount": 1250}"#.to_vec();
        let decoded = |coding, body: &[u8]| decoded(&headers(header::CONTENT_ENCODING, coding), body.to_vec());
        assert_eq!(decoded("gzip", GZIP), Ok(plain.clone()));
        assert_eq!(decoded("GZIP", GZIP), Ok(plain.clone()));
        assert_eq!(decoded("deflate", DEFLATE), Ok(plain.clone()));
        assert_eq!(decoded("identity", &plain), Ok(plain.clone()));
        assert_eq!(decoded("gzip", b""), Ok(Vec::new()));
        assert_eq!(super::decoded(&HeaderMap::new(), GZIP.to_vec()), Ok(GZIP.to_vec()));
        for (coding, body) in
            [("gzip", plain.as_slice()), ("gzip", &GZIP[..20]), ("deflate", GZIP), ("br", &plain), ("gzip, gzip", GZIP)]
        {
            assert_eq!(decoded(coding, body), Err(Refusal::UnsupportedMediaType), "{coding}");
        }
    }

    #[test]
    fn the_size_limit_holds_for_the_decoded_body() {
        let packed = |length| whole(GzEncoder::new(vec![b' '; length].as_slice(), Compression::fast())).unwrap();
        let decoded = |length| decoded(&headers(header::CONTENT_ENCODING, "gzip"), packed(length));
        assert_eq!(decoded(BODY_LIMIT).map(|body| body.len()), Ok(BODY_LIMIT));
        assert_eq!(decoded(BODY_LIMIT + 1), Err(Refusal::RequestTooLarge));
    }

    #[test]
    fn the_coding_with_the_highest_weight_is_used() {
        for (accepted, coding) in [
            ("gzip", Some(Coding::Gzip)),
            ("deflate,gzip", Some(Coding::Deflate)),
            ("gzip, deflate, br, zstd", Some(Coding::Gzip)),
            ("deflate;q=0.5,gzip;q=1.0", Some(Coding::Gzip)),
            ("gzip;q=1.0,identity;q=0.5,*;q=0", Some(Coding::Gzip)),
            ("br;q=1.0, gzip;q=0.8", None),
            ("gzip;q=0.125, identity;q=0.12", Some(Coding::Gzip)),
            ("gzip;q=0", None),
            ("gzip;q=x", None),
            ("*", None),
            ("", None),
            ("identity", None),
        ] {
            assert_eq!(preferred(accepted), coding, "{accepted}");
        }
    }

    #[test]
    fn large_answers_are_encoded_if_the_client_accepts_it() {
        let gzip = headers(header::ACCEPT_ENCODING, "gzip");
        let answer = |length| Answer { body: vec![b'a'; length], ..Answer::default() };
        let encoded = |request: &HeaderMap, size_min, mut answer: Answer| {
            encode(request, size_min, &mut answer);
            answer
        };
        let large = encoded(&gzip, Some(1024), answer(1024));
        assert_eq!(large.headers["content-encoding"], "gzip");
        let response = headers(header::CONTENT_ENCODING, "gzip");
        assert_eq!(decoded(&response, large.body), Ok(vec![b'a'; 1024]));
        let deflated = encoded(&headers(header::ACCEPT_ENCODING, "deflate"), Some(0), answer(1));
        let response = headers(header::CONTENT_ENCODING, "deflate");
        assert_eq!(decoded(&response, deflated.body), Ok(vec![b'a']));
        for (request, size_min, length) in
            [(&gzip, Some(1024), 1023), (&gzip, None, 1024), (&HeaderMap::new(), Some(1024), 1024), (&gzip, Some(0), 0)]
        {
            assert_eq!(encoded(request, size_min, answer(length)), answer(length));
        }
        let own = Answer { headers: response, ..answer(2048) };
        assert_eq!(encoded(&gzip, Some(1024), own.clone()), own);
    }
}
