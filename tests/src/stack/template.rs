//! Changed copies of the template, for tests of what follows from it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The text of a template. It is edited by its lines and their indentation, which keeps it what people wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    lines: Vec<String>,
}

/// Where the template that describes the system lies.
pub fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("infra/template.yaml")
}

/// The knob of the local runner that a parameter is: `FirstDueSeconds` is `FIRST_DUE_SECONDS`.
pub fn knob(parameter: &str) -> String {
    let mut knob = String::new();
    for (place, letter) in parameter.char_indices() {
        if letter.is_uppercase() && place > 0 {
            knob.push('_');
        }
        knob.push(letter.to_ascii_uppercase());
    }
    knob
}

impl Template {
    /// The template that describes the system.
    pub fn read() -> Template {
        Template::of(&fs::read_to_string(path()).unwrap())
    }

    /// The template of this text.
    pub fn of(text: &str) -> Template {
        Template { lines: text.lines().map(str::to_owned).collect() }
    }

    /// Without anything that moves work on: no trigger of a consumer, no schedule. Tests then call each themselves.
    pub fn still() -> Template {
        Template::without_events(&["DispatchChanges", "CallProcessor", "FoldBalance", "DeliverWebhook", "EnqueueDue"])
    }

    /// Without the routes and triggers of these functions.
    pub fn without_events(functions: &[&str]) -> Template {
        let read = Template::read();
        functions
            .iter()
            .fold(read, |template, function| template.without(&["Resources", function, "Properties", "Events"]))
    }

    /// Without the block at this path of keys.
    pub fn without(mut self, path: &[&str]) -> Template {
        let (from, to) = self.block(path);
        self.lines.drain(from..to);
        self
    }

    /// With this text instead of the value at this path of keys.
    pub fn with(mut self, path: &[&str], value: &str) -> Template {
        let (from, to) = self.block(path);
        let (key, _) = self.lines[from].split_once(':').unwrap();
        let line = format!("{key}: {value}");
        self.lines.splice(from..to, [line]);
        self
    }

    /// With lower bounds that let each of these knobs be what it is: tests take seconds by values that no deployment may
    /// have.
    pub fn allowing(self, knobs: &BTreeMap<String, String>) -> Template {
        let too_low = |parameter: &&str| {
            let bound = self.values(&["Parameters", parameter], &["MinValue"]);
            let [bound, value] = [bound.first().copied(), knobs.get(&knob(parameter)).map(String::as_str)]
                .map(|number| number.and_then(|number| number.parse::<i64>().ok()));
            matches!((bound, value), (Some(bound), Some(value)) if value < bound)
        };
        let lowered: Vec<String> = self.keys(&["Parameters"]).into_iter().filter(too_low).map(str::to_owned).collect();
        lowered.iter().fold(self, |template, parameter| {
            template.with(&["Parameters", parameter, "MinValue"], &knobs[&knob(parameter)])
        })
    }

    /// With `to` instead of the first `from` in the block at this path of keys.
    pub fn replacing(mut self, path: &[&str], from: &str, to: &str) -> Template {
        let (begin, end) = self.block(path);
        let found = self.lines[begin..end].iter_mut().find(|line| line.contains(from));
        let line = found.unwrap_or_else(|| panic!("{} has no {from}", path.join(".")));
        *line = line.replacen(from, to, 1);
        self
    }

    /// The number of the line, from 1, that holds the key at the end of this path.
    pub fn line(&self, path: &[&str]) -> usize {
        self.block(path).0 + 1
    }

    /// The values at these keys, each within the one block at `path`; none where the template has no such key.
    pub fn values(&self, path: &[&str], keys: &[&str]) -> Vec<&str> {
        let (from, to) = self.block(path);
        let value =
            |key: &str| self.lines[from..to].iter().find_map(|line| line.trim().strip_prefix(key)?.strip_prefix(": "));
        keys.iter().filter_map(|key| value(key)).collect()
    }

    /// The keys right below `path`.
    pub fn keys(&self, path: &[&str]) -> Vec<&str> {
        let (from, to) = self.block(path);
        let indentation = "  ".repeat(path.len());
        let keys = self.lines[from + 1..to].iter().filter_map(|line| line.strip_prefix(&indentation)?.split_once(':'));
        keys.map(|(key, _)| key).filter(|key| key.chars().all(char::is_alphanumeric)).collect()
    }

    /// How many lines of the block at `path` hold `text`.
    pub fn count(&self, path: &[&str], text: &str) -> usize {
        let (from, to) = self.block(path);
        self.lines[from..to].iter().filter(|line| line.contains(text)).count()
    }

    /// Whether there is something at this path of keys.
    pub fn has(&self, path: &[&str]) -> bool {
        (1..=path.len()).all(|depth| depth == 1 || self.keys(&path[..depth - 1]).contains(&path[depth - 1]))
    }

    /// As it is written to a file.
    pub fn text(&self) -> String {
        self.lines.join("\n") + "\n"
    }

    /// The lines of the block at `path`: from its key to before the next line that is indented no deeper.
    fn block(&self, path: &[&str]) -> (usize, usize) {
        let (mut from, mut to) = (0, self.lines.len());
        for (depth, key) in path.iter().enumerate() {
            let indented = format!("{}{key}:", "  ".repeat(depth));
            let starts = |line: &String| {
                line.strip_prefix(&indented).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
            };
            let found = self.lines[from..to].iter().position(starts);
            from += found.unwrap_or_else(|| panic!("the template has no {}", path.join(".")));
            let shallow = |line: &String| !line.trim().is_empty() && line.len() - line.trim_start().len() <= 2 * depth;
            to = self.lines[from + 1..to].iter().position(shallow).map_or(to, |length| from + 1 + length);
        }
        (from, to)
    }
}
