//! Writes the API reference to the file in its argument. The page shows docs/openapi.json with Scalar, whose script
//! comes from a crate. The page is a single file. Its content security policy forbids requests to other addresses.

use std::{env, fs, io};

use serde_json::{Value, json};

const DOCUMENT: &str = include_str!("../../../docs/openapi.json");

/// The content security policy: the page loads nothing, and sends requests only to its own address, the API on this
/// machine.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; \
                      img-src data: blob:; font-src data:; connect-src 'self'; worker-src blob:; base-uri 'none'; \
                      form-action 'none'";

fn main() -> io::Result<()> {
    let file = env::args_os().nth(1).unwrap_or_else(|| "reference.html".into());
    fs::write(file, page())
}

/// The page in HTML.
fn page() -> String {
    let script = scalar_api_reference::get_asset("scalar.js").unwrap_or_default();
    // A closing tag inside the script would end the script element.
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
        assert_eq!(page.matches("</script").count(), 2, "a closing tag in the script would end the element");
    }
}
