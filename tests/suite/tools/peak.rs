//! Seconds of a weekend peak, the arithmetic of its curve and its figures. `make peak` runs all of it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use spillway_tests::meter::Try;
use spillway_tests::peak::curve::{self, Slice};
use spillway_tests::peak::figures::{self, Measured, Sample};
use spillway_tests::peak::{self, Plan, plot, report};

const fn slice(part: &'static str, per_day: u64, seconds: u64) -> Slice {
    Slice { part, per_day, length: Duration::from_secs(seconds), is_flash: false }
}

fn flash(per_day: u64, seconds: u64) -> Slice {
    Slice { is_flash: true, ..slice("flash", per_day, seconds) }
}

#[test]
fn the_weekend_has_the_rates_of_its_story() {
    let curve = curve::weekend(Duration::from_secs(5), Duration::from_secs(60));
    // Growth 5 × 3 hours, Friday 6, Saturday 24, Sunday 24 hours of 5 s, and the flash.
    assert_eq!(curve::length(&curve), Duration::from_secs((15 + 6 + 24 + 24) * 5 + 60));
    assert_eq!((curve[0].per_day, curve[4].per_day), (5_000, 500_000));
    let most = curve.iter().filter(|slice| !slice.is_flash).map(|slice| slice.per_day).max();
    // 57.9 and 289.4 a second.
    assert_eq!(most, Some(5_000_000));
    assert_eq!(curve.iter().find(|slice| slice.is_flash).map(|slice| slice.per_day), Some(25_000_000));
    // Growth, Friday, and 13 hours of the Saturday.
    let begin = Duration::from_secs((15 + 6 + 13) * 5);
    assert_eq!(curve::flash(&curve), begin..begin + Duration::from_secs(60));
    let sunday: u64 = curve[curve.len() - 24..].iter().map(|slice| slice.per_day).sum();
    assert_eq!(sunday / 24, 500_000, "a usual day has the mean");
}

#[test]
fn requests_arrive_as_often_as_the_curve_says() {
    let random = || fastrand::Rng::with_seed(1);
    // One a second, then half a request in all, which the last slice completes, then ten a second.
    let curve = [slice("a", 86_400, 10), slice("b", 43_200, 1), slice("c", 43_200, 1), slice("d", 864_000, 2)];
    let all = curve::arrivals(&curve, &mut random());
    let within =
        |from, to| all.iter().filter(|at| (Duration::from_secs(from)..Duration::from_secs(to)).contains(*at)).count();
    assert_eq!([within(0, 10), within(10, 11), within(11, 12), within(12, 14)], [10, 0, 1, 20]);
    assert!(all.is_sorted());
    assert_eq!(all, curve::arrivals(&curve, &mut random()), "the seed determines the times");
    assert_eq!(curve::arrivals(&[flash(25_000_000, 60)], &mut random()).len(), 17_361);
}

/// A run of three seconds: one of ten requests, one of flash, and one until everything was done.
fn measured() -> Measured {
    let began = Instant::now();
    let one = |at_ms, took_ms, status| Try {
        at: began + Duration::from_millis(at_ms),
        took: Duration::from_millis(took_ms),
        status,
    };
    let mut tries: Vec<Try> = (1..=10).map(|n| one(n * 90, n, Some(202))).collect();
    tries.extend([one(1_000, 1, Some(429)), one(1_200, 3, Some(429)), one(1_400, 50, Some(503)), one(1_900, 7, None)]);
    tries.push(one(2_100, 20, Some(200)));
    let sample = |at_ms, oldest, under_way| Sample {
        at: Duration::from_millis(at_ms),
        oldest: Some(Duration::from_secs(oldest)),
        under_way,
    };
    Measured {
        curve: vec![slice("usual", 432_000, 1), slice("usual", 432_000, 0), flash(259_200, 1)],
        began,
        arrivals: [100, 200, 300, 400, 500, 1_000, 1_100, 1_999].map(Duration::from_millis).into(),
        tries,
        samples: vec![sample(500, 0, 1), sample(1_500, 2, 9), sample(1_700, 1, 4), sample(2_500, 0, 0)],
        drained: Duration::from_millis(2_600),
    }
}

#[test]
fn figures_of_a_part_are_those_of_its_requests() {
    let figures = figures::of(&measured());
    let parts: Vec<Value> = figures["parts"].as_array().unwrap().clone();
    let expected = [
        json!({"name": "usual", "is_flash": false, "at_ms": 0, "length_ms": 1000, "arrived": 5, "sent": 10,
            "failed": 0, "refused": 0, "p50_us": 5_000, "p99_us": 10_000, "p999_us": 10_000,
            "refusal_p99_us": null, "oldest_message_ms": 0, "events_under_way": 1}),
        // The percentiles are of the answers that are no 429, and of the one that did not come.
        json!({"name": "flash", "is_flash": true, "at_ms": 1000, "length_ms": 1000, "arrived": 3, "sent": 4,
            "failed": 2, "refused": 2, "p50_us": 7_000, "p99_us": 50_000, "p999_us": 50_000,
            "refusal_p99_us": 3_000, "oldest_message_ms": 2_000, "events_under_way": 9}),
        json!({"name": "afterwards", "is_flash": false, "at_ms": 2000, "length_ms": 600, "arrived": 0, "sent": 1,
            "failed": 0, "refused": 0, "p50_us": 20_000, "p99_us": 20_000, "p999_us": 20_000,
            "refusal_p99_us": null, "oldest_message_ms": 0, "events_under_way": 0}),
    ];
    assert_eq!(parts, expected);
    let whole = &figures["whole"];
    assert_eq!((&whole["arrived"], &whole["sent"], &whole["failed"]), (&json!(8), &json!(15), &json!(2)));
    assert_eq!(figures["drained_ms"], 600);
    let of_bins = |field: &str| -> u64 {
        figures["bins"].as_array().unwrap().iter().map(|bin| bin[field].as_u64().unwrap()).sum()
    };
    assert_eq!((of_bins("sent"), of_bins("refused"), of_bins("failed")), (15, 2, 2));
}

#[test]
fn tables_show_each_part_and_each_run() {
    let mut run = figures::of(&measured());
    run["callers"] = json!({"requests": 9, "failed": 0});
    run["violations"] = json!([]);
    let tables = report::tables(&[run.clone(), run.clone()]);
    for cells in [
        // 5 in a second; 2 of 4 failed; 13 of 15 did not.
        "| usual         | 5.00",
        "| **flash**     | **3.00**   | **3**    | **4** | **50.000 %**  | **2** | **7.0 ms** |",
        "| the whole run | 3.07",
        "| 86.666 % ",
        "| without a cache | 86.666 %              | 100.000 %       |",
    ] {
        assert!(tables.contains(cells), "{cells} is not in\n{tables}");
    }
    assert_eq!(tables.matches("| without a cache ").count(), 2);
    let svg = plot::svg(&run);
    assert_eq!((svg.matches("<polyline").count(), svg.matches("<rect class=\"flash\"").count()), (6, 1));
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
}

#[test]
fn a_run_fails_below_its_goal_or_if_the_oracle_finds_a_fault() {
    let run = |failed: u64, killed: Option<u64>, violations: &[&str]| {
        json!({"whole": {"sent": 20_000, "failed": failed}, "callers": {"requests": 10_000, "failed": 0},
            "killed": killed, "violations": violations})
    };
    assert_eq!(report::fault(&run(2, None, &[])), None);
    let sentence = "Only 99.985 % of 20000 answers were served without a 5xx; 99.99 % must be.";
    assert_eq!(report::fault(&run(3, None, &[])).as_deref(), Some(sentence));
    assert_eq!(report::fault(&run(3, Some(60), &[])), None, "a killed process breaks the call that it holds");
    let sentence = "The oracle found 1 broken promises.";
    assert_eq!(report::fault(&run(0, None, &["lost"])).as_deref(), Some(sentence));
}

/// Other tests run at the same time, so the load is small.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn seconds_of_a_peak_lose_nothing() {
    let curve = vec![slice("usual", 864_000, 3), flash(1_728_000, 3), slice("later", 864_000, 2)];
    let plan = Plan { curve, seed: 8, kills: false, cache_url: None, stage_rate: 2_000 };
    let mut reported = 0;
    let peak::Outcome { figures, violations } = peak::run(&plan, |_| reported += 1).await.unwrap();
    assert!(violations.is_empty(), "{violations:?}");
    // 10 a second for 5 s, and 20 a second for 3 s.
    assert_eq!(figures["whole"]["arrived"], 110);
    assert_eq!(figures["callers"]["failed"], 0, "{figures}");
    let [sent, callers] = [&figures["whole"]["sent"], &figures["callers"]["requests"]].map(|count| count.as_u64());
    assert!(sent >= callers && callers >= Some(110), "{figures}");
    assert!(figures["payments"].as_u64().unwrap() > 30 && reported > 3, "{figures}");
    assert_eq!(report::fault(&figures), None);
}
