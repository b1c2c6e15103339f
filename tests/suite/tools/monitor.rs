//! The rules of Prometheus pass promtool's tests, the dashboards are as their table makes them, and `make monitor DEMO=1`
//! shows each alert.

use std::collections::BTreeSet;
use std::fs;

use spillway_tests::make::{self, root};
use spillway_tests::stack::free_port;
use spillway_tests::{Stack, prometheus, unique};

#[tokio::test]
async fn promtool_accepts_the_rules() {
    for arguments in [["check", "rules", "rules.yaml"], ["test", "rules", "rules_test.yaml"]] {
        let mut promtool = make::command(prometheus::program("promtool"));
        promtool.args(arguments).current_dir(root().join("infra/dashboards"));
        let output = make::output(promtool).await;
        assert!(output.succeeded, "{output:#?}");
    }
}

#[test]
fn faster_rules_differ_in_their_durations_only() {
    let rules = "  # In 5m.\n  - record: a:ratio5m\n    expr: rate(x[1h]) > 14.4 unless (x offset 3d) > 1200\n    \
                 expr: max(y[5m:]) > 1800 # seconds\n    for: 3m\n";
    let faster = "  # In 5m.\n  - record: a:ratio5m\n    expr: rate(x[10000ms]) > 14.4 unless (x offset 720000ms) > 1200\n    \
                  expr: max(y[5m:]) > 5 # seconds\n    for: 500ms\n";
    assert_eq!(prometheus::faster(rules, 360), faster);
    assert_eq!(prometheus::faster(rules, 1), rules);
}

#[test]
fn every_alert_is_tested_and_has_a_runbook() {
    let read = |name: &str| fs::read_to_string(root().join("infra/dashboards").join(name)).unwrap();
    let (rules, tests, demo) =
        (read("rules.yaml"), read("rules_test.yaml"), fs::read_to_string(root().join("tests/src/bin/monitor.rs")));
    let demo = demo.unwrap();
    let alerts: BTreeSet<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() > 5, "{alerts:?}");
    for alert in &alerts {
        assert!(tests.contains(alert), "rules_test.yaml does not test {alert}");
        assert!(demo.contains(&format!("\"{alert}\"")), "the demo does not show {alert}");
    }
    let runbooks = rules.lines().filter_map(|line| line.trim().strip_prefix("runbook: "));
    assert_eq!(runbooks.clone().count(), alerts.len());
    for runbook in runbooks {
        assert!(root().join(runbook).is_file(), "{runbook}");
    }
}

#[tokio::test]
async fn the_dashboards_are_as_their_table_makes_them() {
    let folder = std::env::temp_dir().join(format!("spillway-dashboards-{}", unique()));
    fs::create_dir_all(&folder).unwrap();
    let mut python = make::command("python3");
    python.args(["infra/dashboards/dashboards.py".as_ref(), folder.as_os_str()]);
    let output = make::output(python).await;
    assert!(output.succeeded, "{output:#?}");
    let made: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(made.len(), 3);
    for file in made {
        let committed = root().join("infra/dashboards").join(file.file_name().unwrap());
        assert_eq!(fs::read_to_string(&file).unwrap(), fs::read_to_string(committed).unwrap(), "make dashboards");
    }
    fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn each_alert_fires_and_clears() {
    let mut demo = make::command(Stack::program("monitor"));
    let port = free_port().to_string();
    // It takes its one dead letter out of the queue, and the alert clears. Of two copies, one would stay.
    demo.env("DEMO", "1").env("PROMETHEUS_PORT", port).env_remove("QUEUE_DISORDER");
    let output = make::output(demo).await;
    assert!(output.succeeded && output.stdout.contains("Each alert fired and cleared."), "{output:#?}");
}
