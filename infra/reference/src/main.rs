//! Writes the API's reference to the file that its argument names: docs/openapi.json, shown by Scalar, whose script
//! comes with a crate. The page is one file and sends no request by itself: its policy forbids that to the script too.

use std::{env, fs, io};

use serde_json::{Value, json};

const DOCUMENT: &str = include_str!("../../../docs/openapi.json");

/// The content security policy: nothing is loaded. Requests go only to the page's own address, the API on this machine.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; \
                      img-src data: blob:; font-src data:; connect-src 'self'; worker-src blob:; base-uri 'none'; \
                      form-action 'none'";

fn main() -> io::Result<()> {
    let file = env::args_os().nth(1).unwrap_or_else(|| "reference.html".into());
    fs::write(file, page())
}

/// The page.
fn page() -> String {
    let script = scalar_api_reference::get_asset("scalar.js").unwrap_or_default();
    // A closing tag inside the script would end it.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_complete_and_loads_nothing() {
        let page = page();
        assert!(page.len() > 1_000_000, "the script is missing");
        assert!(page.contains("createPayment") && page.contains("invalid_request"));
        let head = page.split("<script>").next().unwrap();
        assert!(head.contains("default-src 'none'") && !head.contains("http:") && !head.contains("https:"), "{head}");
        assert_eq!(page.matches("</script").count(), 2, "a tag in the script ends it");
    }
}
