//! The reference page: docs/openapi.json, shown by Scalar, whose script comes with a crate. The page is one file without
//! a request to anybody: its policy forbids that to the script too.

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use serde_json::{Value, json};

const DOCUMENT: &str = include_str!("../../../docs/openapi.json");

/// Nothing from elsewhere. Requests go to where the page comes from, which is the API on this machine.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; \
                      img-src data: blob:; font-src data:; connect-src 'self'; worker-src blob:; base-uri 'none'; \
                      form-action 'none'";

/// The page.
pub fn page() -> String {
    let script = scalar_api_reference::get_asset("scalar.js").unwrap_or_default();
    // A tag inside of the script would end it.
    let script = String::from_utf8_lossy(&script).replace("</script", "<\\/script");
    let configuration = json!({
        "content": serde_json::from_str::<Value>(DOCUMENT).unwrap_or_default(),
        "withDefaultFonts": false,
        "telemetry": false,
        "hideClientButton": true,
        "agent": {"disabled": true},
        "mcp": {"disabled": true},
        "showDeveloperTools": "never",
    });
    let configuration = configuration.to_string().replace('<', "\\u003c");
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Spillway: API reference</title>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n</head>\n<body>\n<div id=\"app\"></div>\n\
         <script>{script}</script>\n<script>Scalar.createApiReference('#app', {configuration})</script>\n</body>\n</html>\n"
    )
}

/// Serves the page at `/docs`.
pub fn routes() -> Router {
    Router::new().route("/docs", get(async || Html(page())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_complete_and_asks_nobody() {
        let page = page();
        assert!(page.len() > 1_000_000, "the script is missing");
        assert!(page.contains("createPayment") && page.contains("invalid_request"));
        let head = page.split("<script>").next().unwrap();
        assert!(head.contains("default-src 'none'") && !head.contains("http:") && !head.contains("https:"), "{head}");
        assert_eq!(page.matches("</script").count(), 2, "a tag in the script ends it");
    }
}
