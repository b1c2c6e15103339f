//! The processes here are shell commands. The tests make the runtime's calls for them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc;

use super::*;
use crate::invoke::Functions;
use crate::metrics::Metrics;
use crate::template::Function;

struct Stage {
    host: Host,
    functions: Functions,
    api: RuntimeApi,
    /// The tokens of the processes as they start.
    started: mpsc::UnboundedReceiver<String>,
    lines: Arc<Mutex<Vec<String>>>,
}

async fn stage(shell: &'static str, timeout: Duration, limits: Limits) -> Stage {
    let function = Function { name: "work".to_owned(), timeout, ..Function::default() };
    let template = Template { functions: vec![function], ..Template::default() };
    let (tell, started) = mpsc::unbounded_channel();
    let command: Command = Arc::new(move |_, token| {
        tell.send(token.to_owned()).unwrap();
        let mut command = tokio::process::Command::new("/bin/sh");
        command.args(["-c", shell]);
        command
    });
    let lines = Arc::new(Mutex::new(Vec::new()));
    let log = {
        let lines = lines.clone();
        Log::to(false, move |line| lines.lock().unwrap().push(line.to_owned()))
    };
    let host = Host::with(&template, "eu-central-1", command, limits, log);
    Stage {
        functions: Functions::new(host.clone(), &Metrics::default()),
        api: RuntimeApi::serve(host.clone()).await,
        host,
        started,
        lines,
    }
}

const USUAL: Limits = Limits {
    processes: 2,
    idle: Duration::from_secs(60),
    start: Duration::from_secs(60),
    kills: false,
    cpu_shares: None,
};
const LONG: Duration = Duration::from_secs(60);
const LIVES: &str = "exec sleep 600";

/// The Runtime API over HTTP, as a process sees it.
#[derive(Clone)]
struct RuntimeApi {
    client: reqwest::Client,
    base: String,
}

impl RuntimeApi {
    async fn serve(host: Host) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes(host)).await });
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { client, base }
    }

    /// The status, the request id and the body of one call.
    async fn call(&self, method: &str, path: &str, body: String) -> (u16, String, String) {
        let method = method.parse().unwrap();
        let request = self.client.request(method, format!("{}{path}", self.base));
        let response = request.body(body).send().await.unwrap();
        let id = response.headers().get("lambda-runtime-aws-request-id");
        let id = id.map(|id| id.to_str().unwrap().to_owned());
        let status = response.status().as_u16();
        (status, id.unwrap_or_default(), response.text().await.unwrap())
    }

    async fn ask(&self, token: &str) -> (u16, String, String) {
        let path = format!("/_runtime/{token}/2018-06-01/runtime/invocation/next");
        self.call("GET", &path, String::new()).await
    }

    /// Asks for an event as the process. Returns the event's id and text.
    async fn next(&self, token: &str) -> (String, String) {
        let (status, id, body) = self.ask(token).await;
        assert_eq!(status, 200);
        (id, body)
    }

    /// Reports the end of an invocation as the process.
    async fn say(&self, token: &str, id: &str, how: &str, body: &str) -> u16 {
        let path = format!("/_runtime/{token}/2018-06-01/runtime/invocation/{id}/{how}");
        self.call("POST", &path, body.to_owned()).await.0
    }
}

fn invoke(stage: &Stage, payload: &str) -> tokio::task::JoinHandle<Outcome> {
    let (functions, payload) = (stage.functions.clone(), payload.as_bytes().to_vec());
    tokio::spawn(async move { functions.invoke("work", payload).await })
}

impl Stage {
    /// Makes one call and answers it as its process. Returns the process's token.
    async fn serve_one(&mut self) -> String {
        let call = invoke(self, "0");
        let token = self.started.recv().await.unwrap();
        let (id, _) = self.api.next(&token).await;
        self.api.say(&token, &id, "response", "{}").await;
        assert!(call.await.unwrap().is_ok());
        token
    }
}

#[tokio::test]
async fn a_process_answers_several_calls() {
    let mut stage = stage(LIVES, LONG, USUAL).await;
    for payload in ["1", "2"] {
        let answer = invoke(&stage, payload);
        if payload == "1" {
            let token = stage.started.recv().await.unwrap();
            stage.started.close();
            let api = stage.api.clone();
            tokio::spawn(async move {
                loop {
                    let (id, body) = api.next(&token).await;
                    let how = if body == "1" { "response" } else { "error" };
                    let body = r#"{"errorType":"Odd","errorMessage":"two"}"#;
                    assert_eq!(api.say(&token, "another", how, body).await, 400);
                    assert_eq!(api.say(&token, &id, how, body).await, 202);
                }
            });
            assert!(answer.await.unwrap().is_ok());
        } else {
            let error = answer.await.unwrap().unwrap_err();
            assert_eq!(error.to_string(), "Odd: two");
        }
    }
}

#[tokio::test]
async fn calls_beyond_the_limit_wait_for_a_process() {
    let mut stage = stage(LIVES, LONG, USUAL).await;
    let calls: Vec<_> = (0..5).map(|_| invoke(&stage, "0")).collect();
    for _ in 0..USUAL.processes {
        let token = stage.started.recv().await.unwrap();
        let api = stage.api.clone();
        tokio::spawn(async move {
            loop {
                let (id, _) = api.next(&token).await;
                api.say(&token, &id, "response", "{}").await;
            }
        });
    }
    for call in calls {
        assert_eq!(call.await.unwrap(), Ok(b"{}".to_vec()));
    }
    assert!(stage.started.try_recv().is_err());
}

#[tokio::test]
async fn a_process_that_cannot_start_fails_all_waiting_calls() {
    let mut stage = stage("echo no settings >&2; exit 3", LONG, USUAL).await;
    let calls: Vec<_> = (0..5).map(|_| invoke(&stage, "0")).collect();
    for call in calls {
        let error = call.await.unwrap().unwrap_err();
        let expected = "the process ended (exit status: 3): no settings";
        assert_eq!(error, InvokeError::Crashed(expected.to_owned()));
    }
    let mut starts = 0;
    while stage.started.try_recv().is_ok() {
        starts += 1;
    }
    assert!((1..=5).contains(&starts), "{starts}");
    let lines = stage.lines.lock().unwrap().join("\n");
    assert!(lines.contains("no settings"), "{lines}");
}

#[tokio::test]
async fn a_missing_binary_is_a_crash() {
    let stage = stage("", LONG, USUAL).await;
    let command: Command = Arc::new(|_, _| tokio::process::Command::new("/nowhere/work"));
    let pools = stage.host.0.pools.values();
    let function = pools.map(|pool| pool.function.clone()).next().unwrap();
    let template = Template { functions: vec![function], ..Template::default() };
    let host = Host::with(&template, "eu", command, USUAL, Log::to(false, |_| {}));
    let error = Functions::new(host, &Metrics::default()).invoke("work", Vec::new()).await;
    let error = error.unwrap_err().to_string();
    assert!(error.starts_with("work cannot be started"), "{error}");
}

#[tokio::test]
async fn a_crash_fails_its_call_and_the_next_call_starts_a_process() {
    let mut stage = stage("read line < /dev/null; exec sleep 600", LONG, USUAL).await;
    let call = invoke(&stage, "0");
    let token = stage.started.recv().await.unwrap();
    stage.api.next(&token).await;
    // A process that dies ends its connection. Here it asks for another event instead.
    let api = stage.api.clone();
    let question = tokio::spawn(async move { api.ask(&token).await.0 });
    let error = call.await.unwrap().unwrap_err();
    assert!(matches!(error, InvokeError::Crashed(_)), "{error:?}");
    assert_eq!(question.await.unwrap(), 410);
    stage.serve_one().await;
}

#[tokio::test]
async fn the_functions_timeout_ends_the_call_and_the_process() {
    let limit = Duration::from_millis(50);
    let mut stage = stage(LIVES, limit, USUAL).await;
    let call = invoke(&stage, "0");
    let token = stage.started.recv().await.unwrap();
    let (id, _) = stage.api.next(&token).await;
    let error = call.await.unwrap().unwrap_err();
    assert_eq!(error, InvokeError::TimedOut(0));
    assert_ne!(stage.api.say(&token, &id, "response", "{}").await, 202);
}

#[tokio::test]
async fn an_idle_process_is_stopped() {
    let limits = Limits { idle: Duration::from_millis(20), ..USUAL };
    let mut stage = stage(LIVES, LONG, limits).await;
    for _ in 0..2 {
        let token = stage.serve_one().await;
        assert_eq!(stage.api.ask(&token).await.0, 410);
    }
}

#[tokio::test]
async fn replaced_binaries_serve_the_next_call() {
    let mut stage = stage(LIVES, LONG, USUAL).await;
    let call = invoke(&stage, "0");
    let token = stage.started.recv().await.unwrap();
    let (id, _) = stage.api.next(&token).await;
    stage.host.replace();
    stage.api.say(&token, &id, "response", "{}").await;
    assert!(call.await.unwrap().is_ok());
    assert_eq!(stage.api.ask(&token).await.0, 410);
    let _second = invoke(&stage, "0");
    assert_ne!(stage.started.recv().await.unwrap(), token);
}

#[tokio::test]
async fn a_call_during_a_replacement_runs_the_new_binary() {
    let mut stage = stage(LIVES, LONG, USUAL).await;
    let old = stage.serve_one().await;
    let (api, asking) = (stage.api.clone(), old.clone());
    tokio::spawn(async move { api.ask(&asking).await });
    while !stage.host.0.pools["work"].has_idle() {
        tokio::task::yield_now().await;
    }
    let mut call = Box::pin(stage.functions.invoke("work", b"0".to_vec()));
    assert_eq!(call.as_mut().now_or_never(), None);
    // The process that waits has not noticed the call yet, and now learns of both.
    stage.host.replace();
    let answer = async {
        let new = stage.started.recv().await.unwrap();
        assert_ne!(new, old);
        let (id, _) = stage.api.next(&new).await;
        stage.api.say(&new, &id, "response", "1").await;
    };
    let (outcome, ()) = tokio::join!(call, answer);
    assert_eq!(outcome, Ok(b"1".to_vec()));
}

#[tokio::test]
async fn a_process_that_asks_for_no_further_event_is_killed() {
    let limits = Limits { processes: 1, ..USUAL };
    let mut stage = stage(LIVES, Duration::from_millis(200), limits).await;
    let token = stage.serve_one().await;
    let _waits_for_a_place = invoke(&stage, "0");
    assert_ne!(stage.started.recv().await.unwrap(), token);
}

#[tokio::test]
async fn a_process_with_a_closed_connection_gets_no_call() {
    let mut stage = stage(LIVES, LONG, USUAL).await;
    let token = stage.serve_one().await;
    let (api, asking) = (stage.api.clone(), token.clone());
    let question = tokio::spawn(async move { api.ask(&asking).await });
    while !stage.host.0.pools["work"].has_idle() {
        tokio::task::yield_now().await;
    }
    question.abort();
    while !stage.lines.lock().unwrap().iter().any(|line| line.contains("it closed its connection")) {
        tokio::task::yield_now().await;
    }
    stage.serve_one().await;
}

#[tokio::test]
async fn closing_ends_every_process() {
    let mut stage = stage(LIVES, LONG, USUAL).await;
    let call = invoke(&stage, "0");
    let token = stage.started.recv().await.unwrap();
    stage.api.next(&token).await;
    stage.host.close().await;
    assert!(call.await.unwrap().is_err());
    assert!(stage.host.workers().is_empty());
    assert!(stage.functions.invoke("work", Vec::new()).await.is_err());
}

#[tokio::test]
async fn an_answer_over_the_size_limit_is_an_error_of_the_function() {
    let mut stage = stage(LIVES, LONG, USUAL).await;
    let call = invoke(&stage, "0");
    let token = stage.started.recv().await.unwrap();
    let (id, _) = stage.api.next(&token).await;
    let body = "x".repeat(PAYLOAD_LIMIT + 1);
    assert_eq!(stage.api.say(&token, &id, "response", &body).await, 413);
    let error = call.await.unwrap().unwrap_err().to_string();
    assert!(error.starts_with("Function.ResponseSizeTooLarge"), "{error}");
    let large = stage.functions.invoke("work", body.into_bytes()).await;
    assert_eq!(large, Err(InvokeError::TooLarge));
}

#[tokio::test]
async fn a_prepared_process_takes_the_first_call() {
    let mut stage = stage(LIVES, LONG, USUAL).await;
    let host = stage.host.clone();
    let prepared = tokio::spawn(async move { host.prepare("work").await });
    let token = stage.started.recv().await.unwrap();
    let api = stage.api.clone();
    let (asks, with) = (api.clone(), token.clone());
    let asked = tokio::spawn(async move { asks.next(&with).await });
    let ready = prepared.await.unwrap().unwrap();
    assert!(ready.pid > 0 && !ready.after.is_zero());
    let call = invoke(&stage, "7");
    let (id, body) = asked.await.unwrap();
    assert_eq!(body, "7");
    api.say(&token, &id, "response", "{}").await;
    assert_eq!(call.await.unwrap(), Ok(b"{}".to_vec()));
    assert!(stage.started.try_recv().is_err(), "no second process was started");
}

#[tokio::test]
async fn waiting_for_a_process_ends_with_the_host() {
    let mut stage = stage(LIVES, LONG, USUAL).await;
    let host = stage.host.clone();
    let prepared = tokio::spawn(async move { host.prepare("work").await });
    stage.started.recv().await.unwrap();
    stage.host.close().await;
    assert!(prepared.await.unwrap().is_err());
}

#[tokio::test]
async fn a_single_function_that_cannot_start_is_an_error() {
    let started = Single::start(std::path::Path::new("/bin/false"), [].into(), None).await;
    assert_eq!(started.err().as_deref(), Some("false: the process ended (exit status: 1)"));
}

#[tokio::test]
async fn a_function_killed_between_calls_answers_every_call() {
    let mut stage = stage(LIVES, LONG, Limits { kills: true, ..USUAL }).await;
    let starts = Arc::new(Mutex::new(0));
    let (api, counted) = (stage.api.clone(), starts.clone());
    tokio::spawn(async move {
        while let Some(token) = stage.started.recv().await {
            *counted.lock().unwrap() += 1;
            let api = api.clone();
            tokio::spawn(async move {
                while let (200, id, _) = api.ask(&token).await {
                    api.say(&token, &id, "response", "{}").await;
                }
            });
        }
    });
    for _ in 0..100 {
        assert_eq!(stage.functions.invoke("work", b"0".to_vec()).await, Ok(b"{}".to_vec()));
    }
    assert!(*starts.lock().unwrap() > 1);
}
