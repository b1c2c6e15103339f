//! Starts the parts in the order of their dependencies.

use std::fs::File;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Html;
use axum::routing::get;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::clock::{self, Clock};
use crate::gateway::Gateway;
use crate::host::{self, CpuShares, Host, Treatment};
use crate::invoke::Functions;
use crate::log::Log;
use crate::plan_keys::PlanKeys;
use crate::queue::{self, Queues};
use crate::ready::{self, Ready};
use crate::roles::{self, Front, FrontError, Roles, Store};
use crate::secrets::{self, Secrets};
use crate::settings::{Settings, SettingsError};
use crate::setup::{self, Prepared, SetupError};
use crate::table::{Table, TableError};
use crate::template::{Surroundings, Template, TemplateError, Trigger};
use crate::watch::{Watch, WatchError};
use crate::{invoke_api, rebuild, schedule, stream};

/// The region. The engine of the table writes it into its ARNs.
pub(crate) const REGION: &str = "us-east-1";

/// How long the functions may take to end.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

/// Why the stack did not start, or has ended. Each error is one sentence.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("{}, {error}", path.display())]
    Template { path: PathBuf, error: TemplateError },
    #[error("another runner uses {}: end it, or choose another folder with DATA=", .0.display())]
    Locked(PathBuf),
    #[error("port {port} is taken: end what uses it, or choose another with {name}=")]
    PortTaken { name: &'static str, port: u16 },
    #[error("{0}")]
    CpuShares(String),
    #[error("there is no {}: build the functions first", .0.display())]
    NoBinary(PathBuf),
    #[error(transparent)]
    Table(#[from] TableError),
    #[error("the queues: {0}")]
    Queues(#[from] queue::QueueError),
    #[error(transparent)]
    Roles(#[from] FrontError),
    #[error(transparent)]
    Stream(#[from] stream::StreamError),
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error(transparent)]
    Watch(#[from] WatchError),
    #[error("{what}: {error}")]
    Io { what: String, error: std::io::Error },
}

/// A running stack.
pub struct Runner {
    /// The text for people when the stack is ready.
    pub banner: String,
    data: PathBuf,
    host: Option<Host>,
    /// Parts that end only when they fail.
    services: JoinSet<Result<(), RunnerError>>,
    /// Ends when it is dropped.
    table: Table,
    _lock: File,
}

impl Runner {
    /// Starts everything and returns when the stack is ready.
    /// After an error no part is left running.
    pub async fn start(settings: &Settings, log: &Log) -> Result<Self, RunnerError> {
        let lock = lock(&settings.data)?;
        let state = state(settings)?;
        let listener = listen("PORT", settings.port).await?;
        let sqs_listener = listen("SQS_PORT", settings.sqs_port).await?;
        let api_address = address(&listener)?;
        let listener_v6 = listen_beside(&listener, settings.port).await?;
        let sqs_url = format!("http://{}", address(&sqs_listener)?);
        let template = Arc::new(read_template(settings, &sqs_url)?);
        let clock = clock::system();

        let table = Table::open(&state.join("table.db"), &template.table, settings.dynamodb_port)?;
        let file = state.join("queues.db");
        let queues = Queues::open(&file, REGION, &template.queues, clock.clone(), settings.disorder)?;
        let keys = state.join("plan_keys.json");
        let keys = PlanKeys::open(&keys, &template.usage_plans).map_err(io(&keys))?;

        let file = state.join("secrets.json");
        let secrets = Secrets::open(&file, REGION, &template.secrets).map_err(io(&file))?;

        let api_url = format!("http://{api_address}");
        let secrets_url = format!("{api_url}{}", secrets::PATH);
        let mut services = JoinSet::new();
        let store_url = settings.store_url.clone().unwrap_or_else(|| table.url());
        let (roles, store_url) = if settings.roles {
            let roles = Roles::new(&template, REGION, log.clone());
            let front = Front::new(roles.clone(), Store::new(REGION, &template.table), &store_url)?;
            let listener = listen("a port before the table", 0).await?;
            let store_url = format!("http://{}", address(&listener)?);
            services.spawn(async move {
                roles::serve(listener, front).await;
                Ok(())
            });
            (roles, store_url)
        } else {
            (Roles::off(REGION, log.clone()), store_url)
        };
        // Variables beside those of the template.
        let mut shared = settings.function_env.clone();
        shared.extend(
            [
                ("AWS_ENDPOINT_URL_DYNAMODB", store_url.as_str()),
                ("AWS_ENDPOINT_URL_SQS", &sqs_url),
                ("AWS_ENDPOINT_URL_SECRETS_MANAGER", &secrets_url),
                ("AWS_ENDPOINT_URL_API_GATEWAY", &api_url),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        let env_file = settings.data.join("functions.env");
        ready::write_environment(&env_file, &template, REGION, &shared).map_err(io(&env_file))?;

        services.spawn(serve_queues(sqs_listener, queues.clone(), roles.clone()));
        let mut app = Router::new();
        let (functions, host) = match &settings.watch_url {
            Some(url) => (Functions::new(Watch::connect(&template, url).await?, log.metrics()), None),
            None => {
                check_binaries(&template, &settings.functions)?;
                let folder = settings.functions.clone();
                let cpu_shares =
                    settings.cpu_shares.then(CpuShares::find).transpose().map_err(RunnerError::CpuShares)?;
                let treatment = Treatment { kills: settings.kills, cpu_shares };
                let host = Host::new(&template, REGION, folder, &api_address, shared, treatment, log.clone());
                app = app.merge(host::routes(host.clone()));
                (Functions::new(host.clone(), log.metrics()), Some(host))
            }
        };
        let gateway = Gateway::new(&template, REGION, functions.clone(), keys.clone(), clock.clone(), log.clone());
        let app = app
            .merge(invoke_api::routes(template.clone(), functions.clone()))
            .merge(keys.routes(roles.clone()))
            .merge(secrets.routes(roles.clone()))
            .merge(roles.routes())
            .merge(log.metrics().routes(queues.clone(), template.queues_of_failed_work()))
            .merge(settings.page.clone().map(page).unwrap_or_default())
            .fallback(move |request: Request| async move {
                // It listens on the loopback addresses only.
                gateway.answer(request, Ipv4Addr::LOCALHOST.into()).await
            });
        if let Some(listener) = listener_v6 {
            services.spawn(serve(listener, app.clone()));
        }
        services.spawn(serve(listener, app));

        let prepared = prepare(settings, &api_url, &state, &roles, &env_file).await?;
        let ready = Ready {
            api_url,
            dynamodb_url: table.url(),
            sqs_url,
            table: template.table.name.clone(),
            env_file: std::path::absolute(&env_file).map_err(io(&env_file))?,
            pid: std::process::id(),
            setup: prepared.fields,
        };
        let banner =
            if prepared.text.is_empty() { format!("The stack is ready at {}.", ready.api_url) } else { prepared.text };
        let mut runner = Self { banner, data: settings.data.clone(), host, services, table, _lock: lock };
        runner.start_triggers(&template, &state, &queues, &functions, &clock, log)?;
        if let (Some(host), Some(rebuild)) = (runner.host.clone(), settings.rebuild.clone()) {
            let (log, template) = (log.clone(), settings.template.clone());
            runner.services.spawn(async move {
                rebuild::run(rebuild, host, template, log).await;
                Ok(())
            });
        }
        ready.write(&settings.data).map_err(io(&settings.data))?;
        Ok(runner)
    }

    fn start_triggers(
        &mut self, template: &Template, state: &Path, queues: &Queues, functions: &Functions, clock: &Clock, log: &Log,
    ) -> Result<(), RunnerError> {
        for trigger in template.triggers().cloned() {
            let (queues, functions, clock, log) = (queues.clone(), functions.clone(), clock.clone(), log.clone());
            match trigger {
                Trigger::Route(_) => {}
                Trigger::Queue(trigger) => {
                    self.services.spawn(async move { Ok(queue::poller::run(trigger, queues, functions, log).await?) });
                }
                Trigger::Stream(trigger) => {
                    let changes = self.table.changes()?;
                    let checkpoint = state.join(format!("{}.checkpoint", trigger.function));
                    self.services.spawn(async move {
                        Ok(stream::run(trigger, changes, checkpoint, queues, clock, functions, log).await?)
                    });
                }
                Trigger::Schedule(schedule) => {
                    self.services.spawn(async move {
                        schedule::run(schedule, REGION.to_owned(), functions, clock, log).await;
                        Ok(())
                    });
                }
            }
        }
        Ok(())
    }

    /// Waits until a part fails.
    pub async fn failed(&mut self) -> RunnerError {
        loop {
            match self.services.join_next().await {
                Some(Ok(Err(error))) => return error,
                Some(Ok(Ok(()))) => {}
                Some(Err(error)) => {
                    let error = std::io::Error::other(error);
                    return RunnerError::Io { what: "a part of the runner".to_owned(), error };
                }
                None => std::future::pending().await,
            }
        }
    }

    /// Ends every process and part.
    pub async fn stop(mut self) {
        let _ = std::fs::remove_file(ready::file(&self.data));
        self.services.abort_all();
        if let Some(host) = &self.host {
            // Processes that are left are killed when their handles are dropped (`kill_on_drop`).
            let _ = tokio::time::timeout(CLOSE_LIMIT, host.close()).await;
        }
    }
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> RunnerError {
    let what = path.display().to_string();
    move |error| RunnerError::Io { what, error }
}

/// Runs the setup, if there is one. Under `cargo lambda watch` it also checks that a call has reached this runner
/// meanwhile. If none has, the functions use another stack's table and queues, and the start fails.
async fn prepare(
    settings: &Settings, api_url: &str, state: &Path, roles: &Roles, env_file: &Path,
) -> Result<Prepared, RunnerError> {
    let Some(program) = &settings.setup else {
        return Ok(Prepared::default());
    };
    let before = roles.calls();
    let prepared = setup::run(program, api_url, state).await?;
    match &settings.watch_url {
        Some(url) if roles.calls() == before => {
            Err(WatchError::Stranger { url: url.clone(), env_file: env_file.to_owned() }.into())
        }
        _ => Ok(prepared),
    }
}

/// Serves the HTML file at `/docs`.
fn page(file: PathBuf) -> Router {
    let read = async move || match tokio::fs::read_to_string(&file).await {
        Ok(page) => Ok(Html(page)),
        Err(error) => Err((StatusCode::NOT_FOUND, format!("{}: {error}\n", file.display()))),
    };
    Router::new().route("/docs", get(read))
}

/// Makes the data folder this runner's own until the file is dropped.
fn lock(data: &Path) -> Result<File, RunnerError> {
    std::fs::create_dir_all(data).map_err(io(data))?;
    let path = data.join("runner.lock");
    let file = File::options().create(true).append(true).open(&path).map_err(io(&path))?;
    file.try_lock().map_err(|error| match error {
        std::fs::TryLockError::WouldBlock => RunnerError::Locked(data.to_owned()),
        std::fs::TryLockError::Error(error) => io(&path)(error),
    })?;
    std::fs::write(&path, std::process::id().to_string()).map_err(io(&path))?;
    // A killed runner leaves dev.json behind.
    let _ = std::fs::remove_file(ready::file(data));
    Ok(file)
}

fn state(settings: &Settings) -> Result<PathBuf, RunnerError> {
    let state = settings.data.join("state");
    if settings.fresh && state.exists() {
        std::fs::remove_dir_all(&state).map_err(io(&state))?;
    }
    std::fs::create_dir_all(&state).map_err(io(&state))?;
    Ok(state)
}

async fn listen(name: &'static str, port: u16) -> Result<TcpListener, RunnerError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => RunnerError::PortTaken { name, port },
        _ => RunnerError::Io { what: format!("port {port}"), error },
    })
}

/// The same port on IPv6's loopback address, the default of `cargo lambda invoke`. `None` if the machine has no IPv6,
/// or if the system chose the port and it is taken on IPv6.
async fn listen_beside(listener: &TcpListener, asked: u16) -> Result<Option<TcpListener>, RunnerError> {
    let port = listener.local_addr().map_err(|error| RunnerError::Io { what: "a port".to_owned(), error })?.port();
    match TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await {
        Ok(listener) => Ok(Some(listener)),
        Err(error) if asked != 0 && error.kind() == std::io::ErrorKind::AddrInUse => {
            Err(RunnerError::PortTaken { name: "PORT", port })
        }
        Err(_) => Ok(None),
    }
}

fn address(listener: &TcpListener) -> Result<String, RunnerError> {
    let address = listener.local_addr();
    address.map(|address| address.to_string()).map_err(|error| RunnerError::Io { what: "a port".to_owned(), error })
}

fn read_template(settings: &Settings, queues_url: &str) -> Result<Template, RunnerError> {
    let path = &settings.template;
    let text = std::fs::read_to_string(path).map_err(io(path))?;
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let folder = path.parent().unwrap_or(Path::new("."));
    let around = Surroundings { queues_url, region: REGION, stack: &settings.stack, folder, variable: &variable };
    Template::read(&text, &around).map_err(|error| RunnerError::Template { path: path.clone(), error })
}

fn check_binaries(template: &Template, folder: &Path) -> Result<(), RunnerError> {
    let binaries = template.functions.iter().map(|function| folder.join(&function.name));
    match binaries.into_iter().find(|binary| !binary.is_file()) {
        Some(missing) => Err(RunnerError::NoBinary(missing)),
        None => Ok(()),
    }
}

async fn serve_queues(listener: TcpListener, queues: Queues, roles: Roles) -> Result<(), RunnerError> {
    let served = queue::serve(listener, queues, roles).await;
    served.map_err(|error| RunnerError::Io { what: "the queues' server".to_owned(), error })
}

async fn serve(listener: TcpListener, app: Router) -> Result<(), RunnerError> {
    let listener = listener.tap_io(|stream| {
        // Otherwise an answer could wait 40 ms for the client's acknowledgement.
        let _ = stream.set_nodelay(true);
    });
    let served = axum::serve(listener, app).await;
    served.map_err(|error| RunnerError::Io { what: "the API's server".to_owned(), error })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prepares a stack under a `cargo lambda watch` whose functions never call it.
    async fn prepare_with(roles: &Roles, setup: &Path) -> Result<Prepared, RunnerError> {
        let variable = |name: &str| match name {
            "SETUP" => Some(setup.display().to_string()),
            "WATCH_URL" => Some("http://127.0.0.1:1".to_owned()),
            _ => None,
        };
        let settings = Settings::read(&variable, PathBuf::new()).unwrap();
        prepare(&settings, "http://127.0.0.1:2", Path::new("state"), roles, Path::new("functions.env")).await
    }

    #[tokio::test]
    async fn functions_that_do_not_call_this_stack_are_refused() {
        let roles = Roles::off(REGION, Log::to(false, |_| {}));
        let setup = setup::tests::program("echo '{}'").await;
        let refused = prepare_with(&roles, &setup).await.unwrap_err().to_string();
        assert!(refused.contains("WATCH_URL=http://127.0.0.1:1 do not use this stack"), "{refused}");

        // The call arrives while the program runs: `join!` polls the two in this order.
        let call = async { roles.check_management_call(None, "GET", "/apikeys") };
        let (prepared, called) = tokio::join!(prepare_with(&roles, &setup), call);
        assert_eq!((prepared.unwrap(), called), (Prepared::default(), Ok(())));
        std::fs::remove_file(setup).unwrap();
    }
}
