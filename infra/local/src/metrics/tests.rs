use std::time::Duration;

use serde_json::json;

use super::Metrics;

/// The page's lines without explanations, and without the buckets between the first and the last.
fn page(metrics: &Metrics) -> Vec<String> {
    let text = metrics.text();
    assert!(text.ends_with('\n'));
    let hidden = |line: &str| line.starts_with('#') || line.contains("le=\"") && !line.contains("le=\"0.05\"");
    text.lines().filter(|line| !hidden(line)).map(str::to_owned).collect()
}

#[test]
fn requests_are_counted_by_route_and_status() {
    let metrics = Metrics::default();
    let route = Some(("GET", "/v1/payments/{payment_id}"));
    metrics.request(route, 200, Duration::from_micros(50_999));
    metrics.request(route, 200, Duration::from_millis(51));
    metrics.request(route, 429, Duration::ZERO);
    metrics.request(None, 404, Duration::from_secs(2));
    let labels = r#"method="GET",route="/v1/payments/{payment_id}""#;
    let unknown = r#"method="",route="""#;
    let expected = [
        format!(r#"apigateway_latency_seconds_bucket{{{unknown},le="0.05"}} 0"#),
        format!("apigateway_latency_seconds_sum{{{unknown}}} 2"),
        format!("apigateway_latency_seconds_count{{{unknown}}} 1"),
        format!(r#"apigateway_latency_seconds_bucket{{{labels},le="0.05"}} 2"#),
        format!("apigateway_latency_seconds_sum{{{labels}}} 0.101"),
        format!("apigateway_latency_seconds_count{{{labels}}} 3"),
        format!(r#"apigateway_requests_total{{{unknown},status="404"}} 1"#),
        format!(r#"apigateway_requests_total{{{labels},status="200"}} 2"#),
        format!(r#"apigateway_requests_total{{{labels},status="429"}} 1"#),
    ];
    assert_eq!(page(&metrics), expected);
}

#[test]
fn buckets_count_all_values_up_to_their_bound() {
    let metrics = Metrics::default();
    for ms in [0, 5, 6, 30_000, 30_001] {
        metrics.invocation("work", ms > 5, Duration::from_millis(ms));
    }
    let text = metrics.text();
    for (bound, count) in [("0.005", 2), ("0.01", 3), ("10", 3), ("30", 4), ("+Inf", 5)] {
        let line = format!("lambda_duration_seconds_bucket{{function=\"work\",le=\"{bound}\"}} {count}\n");
        assert!(text.contains(&line), "{line} is not in {text}");
    }
    assert!(text.contains("lambda_duration_seconds_sum{function=\"work\"} 60.012\n"), "{text}");
    assert!(text.contains("# TYPE lambda_errors_total counter\nlambda_errors_total{function=\"work\"} 3\n"), "{text}");
}

#[test]
fn metrics_of_lines_have_the_names_of_cloudwatch() {
    let metrics = Metrics::default();
    let line = |values: serde_json::Value| {
        let defined = [("OrdersShipped", "Count"), ("OldestOrder", "Seconds"), ("CourierLatency", "Milliseconds")];
        let defined = defined.map(|(name, unit)| json!({"Name": name, "Unit": unit}));
        let directive = json!({"Namespace": "Shop", "Dimensions": [["Stack"]], "Metrics": defined});
        let mut line = json!({"message": "invocation", "Stack": "a\"b", "_aws": {"CloudWatchMetrics": [directive]}});
        line.as_object_mut().unwrap().extend(values.as_object().unwrap().clone());
        line
    };
    metrics.line(&line(json!({"OrdersShipped": 3, "OldestOrder": 7, "CourierLatency": [50, 1200]})));
    // A member that is missing, or no whole number, counts nothing.
    metrics.line(&line(json!({"OrdersShipped": 2, "OldestOrder": 0, "CourierLatency": "soon"})));
    metrics.line(&json!({"message": "invocation"}));
    let stack = r#"{stack="a\"b"}"#;
    let expected = [
        r#"shop_courier_latency_seconds_bucket{stack="a\"b",le="0.05"} 1"#.to_owned(),
        format!("shop_courier_latency_seconds_sum{stack} 1.25"),
        format!("shop_courier_latency_seconds_count{stack} 2"),
        format!("shop_oldest_order_seconds{stack} 0"),
        format!("shop_orders_shipped{stack} 2"),
        format!("shop_orders_shipped_total{stack} 5"),
    ];
    assert_eq!(page(&metrics), expected);
    assert!(
        metrics.text().contains("# HELP shop_orders_shipped_total The metric OrdersShipped of Shop in CloudWatch.")
    );
}
