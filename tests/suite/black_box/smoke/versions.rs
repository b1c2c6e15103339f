//! The header `Spillway-Version`.

use reqwest::Method;
use spillway_tests::Target;

#[tokio::test]
async fn an_answer_names_the_version_of_its_request() {
    let target = Target::start().await;
    let client = target.any_client().await;
    for path in ["/balance", "/payments", "/health", "/payments/pay_00000000000000000000000000"] {
        let request = client.request(Method::GET, path);
        // Without the header, a request has the version of release 0.1.0.
        assert_eq!(request.send().await.header("spillway-version"), "2026-11-28", "{path}");
        for version in ["2026-11-28", "2026-12-01"] {
            let answer = request.clone().header("spillway-version", version).send().await;
            assert_eq!(answer.header("spillway-version"), version, "{path}");
            assert_ne!(answer.status, 400, "{path}");
        }
    }
}

#[tokio::test]
async fn an_unknown_version_is_refused() {
    let target = Target::start().await;
    let client = target.any_client().await;
    for path in ["/balance", "/health"] {
        for unknown in ["2026-11-29", "latest", "2026-12-01, 2026-12-01"] {
            let request = client.request(Method::GET, path).header("spillway-version", unknown);
            let problem = request.send().await.expect_problem(400, "unknown_version");
            let expected = "The header Spillway-Version must be one of: 2026-11-28, 2026-12-01.";
            assert_eq!(problem.body["detail"], expected);
            assert_eq!(problem.header("spillway-version"), "2026-11-28");
        }
        let twice = client.request(Method::GET, path).header("spillway-version", "2026-12-01");
        let twice = twice.header("spillway-version", "2026-12-01");
        twice.send().await.expect_problem(400, "unknown_version");
    }
}
