//! The plot of a peak as SVG: four panels over the same time. Colours suit light and dark pages.

use std::fmt::Write as _;

use serde_json::Value;

use super::figures::BINS;

const WIDTH: u64 = 960;
const LEFT: u64 = 64;
const RIGHT: u64 = 12;
const TOP: u64 = 34;
/// Height of a panel's plot, and of a panel with its title.
const PLOT: u64 = 92;
const PANEL: u64 = 132;
const STYLE: &str = "text{font:12px system-ui,sans-serif;fill:#444}.axis{stroke:#9996;fill:none}.flash{fill:#e8590c22}\
     .a{stroke:#1c7ed6}.b{stroke:#e8590c}.a,.b{fill:none;stroke-width:1.6}.ta{fill:#1c7ed6}.tb{fill:#e8590c}\
     @media(prefers-color-scheme:dark){text{fill:#ccc}.a{stroke:#4dabf7}.b{stroke:#ff922b}.ta{fill:#4dabf7}.tb{fill:#ff922b}}";

/// A line: the class of its colour, its name and its values, one for each bin; `None` where nothing was measured.
struct Line {
    class: &'static str,
    name: &'static str,
    values: Vec<Option<u64>>,
}

/// One panel. `shown` writes a value on the axis.
struct Panel {
    title: &'static str,
    lines: Vec<Line>,
    shown: fn(u64) -> String,
}

/// The plot of a run's figures.
pub fn svg(run: &Value) -> String {
    let bins: Vec<&Value> = run["bins"].as_array().into_iter().flatten().collect();
    let line = |class, name, of: &dyn Fn(&Value) -> Option<u64>| Line {
        class,
        name,
        values: bins.iter().map(|bin| of(bin)).collect(),
    };
    // Requests in ten seconds, so that a tenth of a request a second is visible.
    let rate = |field: &'static str| {
        move |bin: &Value| (bin[field].as_u64()? * 10_000).checked_div(bin["length_ms"].as_u64()?)
    };
    let panels = [
        Panel {
            title: "requests a second",
            lines: vec![line("a", "sent", &rate("sent")), line("b", "refused with 429", &rate("refused"))],
            shown: |tenths| (tenths / 10).to_string(),
        },
        Panel {
            title: "time of an answer, each step is ten times",
            lines: vec![
                line("a", "p50", &|bin| bin["p50_us"].as_u64().map(log)),
                line("b", "p99", &|bin| bin["p99_us"].as_u64().map(log)),
            ],
            shown: |_| String::new(),
        },
        Panel {
            title: "age of the oldest message, in seconds",
            lines: vec![line("a", "", &|bin| bin["oldest_message_ms"].as_u64())],
            shown: |ms| (ms / 1000).to_string(),
        },
        Panel {
            title: "events that are not acknowledged yet",
            lines: vec![line("a", "", &|bin| bin["events_under_way"].as_u64())],
            shown: |events| events.to_string(),
        },
    ];
    let height = TOP + PANEL * 4;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">\n<title>A weekend peak, \
         replayed</title>\n<style>{STYLE}</style>\n"
    );
    days(&mut svg, run, height);
    for (number, panel) in (0_u64..).zip(&panels) {
        draw(&mut svg, panel, TOP + PANEL * number);
    }
    svg + "</svg>\n"
}

/// The names of the days above the panels, and the flash behind them.
fn days(svg: &mut String, run: &Value, height: u64) {
    let all_ms = run["plotted_ms"].as_u64().unwrap_or_default().max(1);
    let x = |ms: u64| LEFT + ms * (WIDTH - LEFT - RIGHT) / all_ms;
    let mut last = "";
    for part in run["parts"].as_array().into_iter().flatten() {
        let (at, length) = (part["at_ms"].as_u64().unwrap_or_default(), part["length_ms"].as_u64().unwrap_or_default());
        let name = part["name"].as_str().unwrap_or_default();
        let day = name.split([',', ':']).next().unwrap_or_default();
        if part["is_flash"] == true {
            let (left, width, height) = (x(at), x(at + length) - x(at), height - 34);
            let _ =
                writeln!(svg, "<rect class=\"flash\" x=\"{left}\" y=\"24\" width=\"{width}\" height=\"{height}\"/>");
        }
        if day != last && day != "afterwards" {
            let _ = writeln!(svg, "<text x=\"{}\" y=\"16\">{day}</text>", x(at));
        }
        last = day;
    }
}

fn draw(svg: &mut String, panel: &Panel, top: u64) {
    let (plot, bottom) = (top + 20, top + 20 + PLOT);
    let values = || panel.lines.iter().flat_map(|line| line.values.iter().flatten());
    let most = values().copied().max().unwrap_or_default().max(1);
    let _ = writeln!(svg, "<text x=\"{LEFT}\" y=\"{}\">{}</text>", top + 13, panel.title);
    let _ = writeln!(svg, "<path class=\"axis\" d=\"M{LEFT} {plot}V{bottom}H{}\"/>", WIDTH - RIGHT);
    let (most_shown, label_x) = ((panel.shown)(most), LEFT - 6);
    let _ = writeln!(svg, "<text x=\"{label_x}\" y=\"{}\" text-anchor=\"end\">{most_shown}</text>", plot + 10);
    if most_shown.is_empty() {
        // A scale of powers of ten, from a tenth of a millisecond.
        let steps = [(1_000, "1 ms"), (10_000, "10 ms"), (100_000, "0.1 s"), (1_000_000, "1 s"), (10_000_000, "10 s")];
        for (us, label) in steps.into_iter().filter(|(us, _)| log(*us) <= most) {
            let y = bottom - log(us) * PLOT / most;
            let _ = writeln!(svg, "<path class=\"axis\" d=\"M{LEFT} {y}H{}\"/>", WIDTH - RIGHT);
            let _ = writeln!(svg, "<text x=\"{label_x}\" y=\"{}\" text-anchor=\"end\">{label}</text>", y + 4);
        }
    }
    let mut name_x = LEFT + 300;
    for line in &panel.lines {
        let bins = (0_u64..).zip(&line.values);
        let points = bins.filter_map(|(bin, value)| {
            let x = LEFT + bin * (WIDTH - LEFT - RIGHT) / u64::from(BINS);
            Some(format!("{x},{}", bottom - (*value)? * PLOT / most))
        });
        let points: Vec<String> = points.collect();
        let _ = writeln!(svg, "<polyline class=\"{}\" points=\"{}\"/>", line.class, points.join(" "));
        let _ = writeln!(svg, "<text class=\"t{}\" x=\"{name_x}\" y=\"{}\">{}</text>", line.class, top + 13, line.name);
        name_x += 80;
    }
}

/// 1000 times the binary logarithm of the hundreds of microseconds, with straight lines between the powers of two; 0 up
/// to a tenth of a millisecond.
fn log(us: u64) -> u64 {
    let tenths = (us / 100).max(1);
    let power = tenths.ilog2();
    u64::from(power) * 1000 + (tenths - (1 << power)) * 1000 / (1 << power)
}
