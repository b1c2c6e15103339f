//! Parameters of the stack in black-box tests, here or deployed: times and limits that a test can wait for.

use crate::template::Template;

/// One `Name=value` a line, as `sam deploy --parameter-overrides` takes them.
const PARAMETERS: &str = include_str!("../../suite/black_box/parameters.txt");

/// Each parameter by its name in the template.
pub fn read() -> Vec<(String, String)> {
    let template = Template::read();
    let lines = PARAMETERS.lines().filter(|line| !line.starts_with('#'));
    let pairs = lines.map(|line| line.split_once('=').unwrap_or_else(|| panic!("no Name=value: {line}")));
    let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<Vec<_>>();
    for (name, _) in &pairs {
        assert!(template.get(&["Parameters", name]).is_some(), "the template has no parameter {name}");
    }
    pairs
}

/// Number that a parameter is set to.
pub fn number(name: &str) -> usize {
    let found = read().into_iter().find(|(set, _)| set == name);
    found.and_then(|(_, value)| value.parse().ok()).unwrap_or_else(|| panic!("{name} is not set to a number"))
}
