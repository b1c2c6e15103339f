//! A Prometheus with the project's rules, for tests and for `make monitor`.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::api::eventually::{Deadline, eventually};
use crate::client;
use crate::make::root;

/// The folder of the tools that the Makefile installs.
const TOOLS: &str = ".local/tools/prometheus/files/usr";
const RULES: &str = "infra/dashboards/rules.yaml";

/// Samples are taken this often, if the rules' time is not faster.
const INTERVAL_MS: u64 = 5_000;
const INTERVAL_MIN_MS: u64 = 200;

/// A running Prometheus. Dropping it ends it and deletes its data.
pub struct Prometheus {
    child: Child,
    folder: PathBuf,
    /// Its address.
    pub url: String,
    http: reqwest::Client,
}

/// A program of the package: `prometheus`, `promtool`. The Makefile unpacks it, unless the machine has it.
pub fn program(name: &str) -> PathBuf {
    let path = root().join(TOOLS).join("bin").join(name);
    if path.exists() { path } else { name.into() }
}

impl Prometheus {
    /// Starts it on `port`, with its data in `folder`, and waits until it has read the metrics at `stack`, as
    /// `http://127.0.0.1:9000`. The time of its rules is faster by the factor `speed`.
    pub async fn start(folder: PathBuf, port: u16, stack: &str, speed: u64) -> Prometheus {
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let rules = fs::read_to_string(root().join(RULES)).unwrap();
        fs::write(folder.join("rules.yaml"), faster(&rules, speed)).unwrap();
        let interval = (INTERVAL_MS / speed).max(INTERVAL_MIN_MS);
        let target = stack.trim_start_matches("http://");
        let config = format!(
            "global: {{scrape_interval: {interval}ms, scrape_timeout: {interval}ms, evaluation_interval: {interval}ms}}\n\
             rule_files: [rules.yaml]\n\
             scrape_configs:\n\
             - {{job_name: spillway, metrics_path: /_metrics, static_configs: [{{targets: ['{target}']}}]}}\n"
        );
        fs::write(folder.join("prometheus.yml"), config).unwrap();
        let log = File::create(folder.join("log")).unwrap();
        let assets = root().join(TOOLS).join("share/prometheus/web");
        let url = format!("http://127.0.0.1:{port}");
        let mut command = Command::new(program("prometheus"));
        if assets.exists() {
            command.arg(format!("--web.local-assets={}", assets.display()));
        }
        let child = command
            .arg(format!("--config.file={}", folder.join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--log.level=warn")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut started = Prometheus { child, folder, url, http: client::http() };
        started.be_ready().await;
        started
    }

    async fn be_ready(&mut self) {
        eventually("Prometheus reads the stack's metrics", Deadline::SOON, async || {
            let log = || fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            if self.child.try_wait().unwrap().is_some() {
                panic!("Prometheus has ended: {}", log());
            }
            let up = self.query("up == 1").await?;
            if up.is_empty() { Err(log()) } else { Ok(()) }
        })
        .await;
    }

    /// The names of the alerts that fire now.
    pub async fn firing(&self) -> Result<BTreeSet<String>, String> {
        let answer = self.get(&format!("{}/api/v1/alerts", self.url)).await?;
        let alerts = answer["data"]["alerts"].as_array().cloned().unwrap_or_default();
        let firing = alerts.iter().filter(|alert| alert["state"] == "firing");
        Ok(firing.filter_map(|alert| alert["labels"]["alertname"].as_str().map(str::to_owned)).collect())
    }

    /// The samples that the expression has now.
    pub async fn query(&self, expression: &str) -> Result<Vec<Value>, String> {
        let url = format!("{}/api/v1/query", self.url);
        let url = reqwest::Url::parse_with_params(&url, [("query", expression)]).unwrap();
        let answer = self.get(url.as_str()).await?;
        answer["data"]["result"].as_array().cloned().ok_or_else(|| answer.to_string())
    }

    async fn get(&self, url: &str) -> Result<Value, String> {
        let answer = self.http.get(url).send().await.map_err(|error| error.to_string())?;
        let text = answer.text().await.map_err(|error| error.to_string())?;
        serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill().and_then(|()| self.child.wait());
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The rules with each duration (`[5m]`, `offset 1h`, `for: 3m`) and each number before `# seconds` divided by `speed`.
pub fn faster(rules: &str, speed: u64) -> String {
    if speed == 1 {
        return rules.to_owned();
    }
    rules.lines().map(|line| faster_line(line, speed) + "\n").collect()
}

fn faster_line(line: &str, speed: u64) -> String {
    if line.trim_start().starts_with('#') {
        return line.to_owned();
    }
    const ENDS: [char; 4] = [' ', '[', ']', ')'];
    let words = line.split_inclusive(ENDS).collect::<Vec<_>>();
    let word = |place: usize, word: &str| {
        let (text, end) = word.split_at(word.trim_end_matches(ENDS).len());
        let before = place.checked_sub(1).map_or("", |place| words[place]);
        let timed = before.ends_with('[') || before == "offset " || before == "for: ";
        if let (true, Some(ms)) = (timed, duration_ms(text)) {
            return format!("{}ms{end}", ms / speed);
        }
        match text.parse::<u64>() {
            Ok(seconds) if line.ends_with("# seconds") => format!("{}{end}", seconds / speed),
            _ => word.to_owned(),
        }
    };
    words.iter().enumerate().map(|(place, text)| word(place, text)).collect()
}

/// `5m` in milliseconds.
fn duration_ms(text: &str) -> Option<u64> {
    let number = text.get(..text.len().checked_sub(1)?)?.parse::<u64>().ok()?;
    let unit = match &text[text.len() - 1..] {
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    Some(number * unit)
}
