//! Options of a test's stack.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::template::Template;
use crate::tls_proxy::Authority;

/// Options of a stack. Every value is an environment variable of the runner.
#[derive(Debug, Clone, Default)]
pub struct Options {
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) store_proxy: bool,
    pub(crate) store_authority: Option<Arc<Authority>>,
    pub(crate) template: Option<Template>,
    pub(crate) functions: Functions,
    pub(crate) function_log: bool,
}

/// Source of a stack's functions.
#[derive(Debug, Clone, Default)]
pub(crate) enum Functions {
    /// The build folder.
    #[default]
    Built,
    /// A folder that also has the examples' binaries.
    WithExamples,
    /// A folder of scripts that keep the functions' output and set variables for each.
    KeepingLines(Vec<(&'static str, String)>),
    /// A folder where a script sets variables for this function.
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

    /// Folds each movement at once: it waits for no others.
    pub fn fold_at_once(self) -> Options {
        self.knob("FOLD_DELAY_SECONDS", 0).knob("FOLD_ONE_OF", 1)
    }

    /// Puts a [`StoreProxy`](crate::store_proxy::StoreProxy) between the functions and the store.
    pub fn store_proxy(mut self) -> Options {
        self.store_proxy = true;
        self
    }

    /// The same with TLS between the functions and this proxy. The functions need `AWS_CA_BUNDLE`. The runner checks no
    /// roles, because it can't look into the calls.
    pub fn encrypted_store_proxy(mut self, authority: Arc<Authority>) -> Options {
        self.store_authority = Some(authority);
        self.store_proxy().knob("ROLES", "off")
    }

    /// Never kills functions, also if the suite runs with `KILL_FUNCTIONS=1`: for tests that compare one process before
    /// and after.
    pub fn unkilled(self) -> Options {
        self.knob("KILL_FUNCTIONS", 0)
    }

    /// Runs this changed copy of the template.
    pub fn template(mut self, template: Template) -> Options {
        self.template = Some(template);
        self
    }

    /// Adds the examples' binaries (of tests/panicking-function) to the functions, for a template that names one.
    pub fn examples(mut self) -> Options {
        self.functions = Functions::WithExamples;
        self
    }

    /// Writes the functions' lines to `functions.log` too, as `make dev` does.
    pub fn function_log(mut self) -> Options {
        self.function_log = true;
        self
    }

    /// Keeps the functions' output for [`Stack::printed`](crate::Stack::printed); the log has none of it.
    pub fn keep_lines(self) -> Options {
        self.keep_lines_with(Vec::new())
    }

    /// The same, and sets variables for every function over the runner's own.
    pub fn keep_lines_with(mut self, variables: Vec<(&'static str, String)>) -> Options {
        self.functions = Functions::KeepingLines(variables);
        self
    }

    /// Sets variables for the function `name` over the runner's own.
    pub fn function_variables(mut self, name: &'static str, variables: Vec<(&'static str, String)>) -> Options {
        self.functions = Functions::WithVariables(name, variables);
        self
    }
}
