use super::*;

fn fields(text: &str) -> Fields {
    Fields::of_sent(Json::parse_object(text).unwrap())
}

fn pointers<'faults>(faults: &'faults [Invalid]) -> Vec<&'faults str> {
    let pointer = |fault: &'faults Invalid| match &fault.place {
        Place::Pointer(pointer) => pointer.as_str(),
        Place::Parameter(name) => panic!("{name}"),
    };
    faults.iter().map(pointer).collect()
}

#[test]
fn finish_returns_all_faults() {
    let mut fields = fields(r#"{"amount":"x","curency":"USD"}"#);
    assert_eq!((fields.integer("amount", 1..=9), fields.text("token", 9)), (None, None));
    assert_eq!(pointers(&fields.finish()), ["/amount", "/token", "/curency"]);
}

#[test]
fn a_card_number_is_refused_anywhere_and_not_repeated() {
    let body = r#"{"a":"4242 4242 4242 4242","n":4242424242424242,"5555555555554444":"x",
        "m":{"4242424242424242":{"x":"5555555555554444"},"k":["","5555555555554444"]}}"#;
    let faults = fields(body).finish();
    let json = serde_json::to_string(&faults).unwrap();
    assert_eq!(pointers(&faults), ["/a", "/n", "", "/m", "/m/k/1"]);
    assert!(!json.contains("4242") && !json.contains("5555"), "{json}");
}

#[test]
fn the_faults_of_a_body_are_bounded() {
    // 656 card numbers under a key of 9,500 letters, and 5,000 unknown fields, each with a name of 11 letters.
    let numbers = vec!["\"4222222222222\""; 656].join(",");
    let unknown: Vec<String> = (0..5000).map(|n| format!("\"unknown{n:04}\":1")).collect();
    for (body, unlisted) in
        [(format!("{{\"{}\":[{numbers}]}}", "k".repeat(9500)), 556), (format!("{{{}}}", unknown.join(",")), 4900)]
    {
        let faults = fields(&body).finish();
        assert_eq!(faults.len(), 101, "{body:.40}");
        assert_eq!(faults[100].detail, format!("has {unlisted} more faults"));
        assert!(serde_json::to_string(&faults).unwrap().len() < 24_000, "{body:.40}");
    }
}

#[test]
fn objects_are_read_by_their_keys() {
    let text = r#"{"prices":{"USD":{"fee":7},"EUR":{"fee":-1,"fixed":0},"GBP":3,"x":{"fee":1}},"more":null,"last":1}"#;
    let mut fields = fields(text);
    let read = fields.objects("prices", |price, key| {
        let fee = price.integer::<u16>("fee", 0..=9);
        if key == "x" { price.fault("", "is not a currency") } else { Some((key.to_owned(), fee?)) }
    });
    assert_eq!(read, Some(vec![("USD".to_owned(), 7)]));
    assert_eq!(fields.optional_objects("more", |_, _| Some(())), None);
    assert_eq!(fields.optional_objects("missing", |_, _| Some(())), None);
    let expected = ["/prices/EUR/fee", "/prices/EUR/fixed", "/prices/GBP", "/prices/x", "/last"];
    assert_eq!(pointers(&fields.finish()), expected);
}

#[test]
fn a_fault_in_a_list_has_the_place_of_its_entry() {
    let mut fields = fields(r#"{"a":["1",2,"x","4"],"b":[],"c":"1","d":["1","2","3","4","5"]}"#);
    let mut list = |name: &str| fields.list(name, 4, "must be a number", |text| text.parse::<u8>().ok());
    assert_eq!([list("a"), list("b"), list("c"), list("d")], [Some(vec![1, 4]), None, None, None]);
    assert_eq!(pointers(&fields.finish()), ["/a/1", "/a/2", "/b", "/c", "/d"]);
}

#[test]
fn optional_fields_may_be_missing_or_null() {
    let mut fields = fields(r#"{"a":null,"b":true,"c":"yes","d":3,"e":4,"f":"2026-01-31T12:00:00Z","g":"now"}"#);
    let bools = ["a", "b", "c", "x"].map(|name| fields.optional_bool(name));
    assert_eq!(bools, [None, Some(true), None, None]);
    assert_eq!(["d", "e", "x"].map(|name| fields.optional_integer::<i64>(name, 0..=3)), [Some(3), None, None]);
    let time = Timestamp::from_millis(1_769_860_800_000);
    assert_eq!(["f", "g", "x"].map(|name| fields.optional_time(name)), [Some(time), None, None]);
    assert_eq!(pointers(&fields.finish()), ["/c", "/e", "/g"]);
}

#[test]
fn an_amount_like_a_card_number_is_accepted() {
    let mut fields = fields(r#"{"amount":501800000009}"#);
    assert!(holds_card_number("501800000009"));
    assert_eq!(fields.integer("amount", 1..=AMOUNT_MAX), Some(501_800_000_009));
    assert_eq!(fields.finish(), []);
}

#[test]
fn metadata_is_limited_in_number_and_size() {
    let many = (0..51).map(|n| format!("\"k{n}\":\"v\"")).collect::<Vec<_>>().join(",");
    let large = (0..20).map(|n| format!("\"k{n}\":\"{}\"", "v".repeat(450))).collect::<Vec<_>>().join(",");
    let quotes = (0..10).map(|n| format!("\"k{n}\":\"{}\"", "\\\"".repeat(450))).collect::<Vec<_>>().join(",");
    for (members, pointer) in [
        (many.as_str(), "/metadata"),
        (quotes.as_str(), "/metadata"),
        (large.as_str(), "/metadata"),
        ("\"k\":1", "/metadata/k"),
        ("\"\":\"v\"", "/metadata/"),
        ("\"a\\u0007\":\"v\"", "/metadata/a\u{7}"),
        ("\"a/b~\":\"\\u0007\"", "/metadata/a~1b~0"),
    ] {
        let mut fields = fields(&format!("{{\"metadata\":{{{members}}}}}"));
        fields.metadata();
        assert_eq!(pointers(&fields.finish()), [pointer], "{members:.40}");
    }
}

#[test]
fn a_metadata_key_has_at_most_40_characters_and_a_value_500() {
    let metadata = |key: usize, value: usize| {
        let mut fields = fields(&format!("{{\"metadata\":{{\"{}\":\"{}\"}}}}", "ä".repeat(key), "ä".repeat(value)));
        (fields.metadata().len(), fields.finish().len())
    };
    assert_eq!(metadata(40, 500), (1, 0));
    assert_eq!(metadata(41, 500), (0, 1));
    assert_eq!(metadata(40, 501), (0, 1));
}
