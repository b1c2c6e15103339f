//! How a stack of one's own is to differ from the usual one.

use std::collections::BTreeMap;

use crate::template::Template;

/// How a stack is to be started. Every value is an environment variable of the runner.
#[derive(Debug, Clone, Default)]
pub struct Options {
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) store_proxy: bool,
    pub(crate) template: Option<Template>,
    pub(crate) functions: Functions,
}

/// From where a stack runs its functions.
#[derive(Debug, Clone, Default)]
pub(crate) enum Functions {
    /// Where they were built to.
    #[default]
    Built,
    /// A folder that has the examples' binaries too.
    WithExamples,
    /// A folder of scripts that keep what the functions print, and set variables for each.
    KeepingLines(Vec<(&'static str, String)>),
    /// A folder where a script sets variables for the function of this name.
    WithVariables(&'static str, Vec<(&'static str, String)>),
}

impl Options {
    /// The runner's own defaults.
    pub fn new() -> Options {
        Options::default()
    }

    /// Sets a knob: `FIRST_DUE_SECONDS`, `WEBHOOK_WAITS_SECONDS`, …
    pub fn knob(mut self, name: &str, value: impl ToString) -> Options {
        self.environment.insert(name.to_owned(), value.to_string());
        self
    }

    /// Puts a [`StoreProxy`](crate::store_proxy::StoreProxy) between the functions and the store.
    pub fn store_proxy(mut self) -> Options {
        self.store_proxy = true;
        self
    }

    /// Lets the functions live, also where the whole suite runs with `KILL_FUNCTIONS=1`: for tests that look at one
    /// process before and after.
    pub fn unkilled(self) -> Options {
        self.knob("KILL_FUNCTIONS", 0)
    }

    /// Runs this changed copy of the template.
    pub fn template(mut self, template: Template) -> Options {
        self.template = Some(template);
        self
    }

    /// Has the examples' binaries (of tests/panicking-function) among the functions', for a template that names one.
    pub fn examples(mut self) -> Options {
        self.functions = Functions::WithExamples;
        self
    }

    /// Keeps what the functions print, for [`Stack::printed`](crate::Stack::printed); the log then has nothing of it.
    pub fn keep_lines(self) -> Options {
        self.keep_lines_with(Vec::new())
    }

    /// The same, and sets variables for every function, whatever the runner sets them to.
    pub fn keep_lines_with(mut self, variables: Vec<(&'static str, String)>) -> Options {
        self.functions = Functions::KeepingLines(variables);
        self
    }

    /// Sets variables for the function `name`, whatever the runner sets them to.
    pub fn function_variables(mut self, name: &'static str, variables: Vec<(&'static str, String)>) -> Options {
        self.functions = Functions::WithVariables(name, variables);
        self
    }
}
