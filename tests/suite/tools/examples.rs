//! Each example runs against a stack.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use spillway_tests::store_proxy::{Fault, Matching};
use spillway_tests::{Deadline, Options, Stack, Template, eventually, make, unique};

/// A process that ends with the test.
struct Running(std::process::Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn example(path: &str) -> PathBuf {
    make::root().join("examples").join(path)
}

/// An example in Python, with the library that `make test` installs.
fn python(file: &str) -> Command {
    let mut command = Command::new(make::root().join(".local/tools/examples-python/bin/python"));
    command.arg(example("python").join(file));
    command
}

/// An example in Node.js, beside the library that `make test` installs: Node.js looks for it from there.
fn node(file: &str, folder: &Path) -> Command {
    let modules = make::root().join(".local/tools/examples-node/node_modules");
    std::os::unix::fs::symlink(modules, folder.join("node_modules")).unwrap();
    fs::copy(example("node").join(file), folder.join(file)).unwrap();
    let mut command = Command::new("node");
    command.arg(folder.join(file));
    command
}

/// Starts the receiver on a free port, sends a test event to its endpoint, and waits for its line.
async fn receives(mut receiver: Command) {
    let stack = Stack::start(Options::new().unkilled()).await;
    let client = stack.new_merchant().await.client;
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let endpoint = client.create_webhook_endpoint(&format!("http://127.0.0.1:{port}/"), &["refund.*"]).await;
    let lines = stack.data().join("lines");
    receiver.env("WEBHOOK_SECRET", endpoint["secret"].as_str().unwrap()).env("PORT", port.to_string());
    receiver.stdout(Stdio::from(fs::File::create(&lines).unwrap()));
    let _running = Running(receiver.spawn().unwrap());
    let address = format!("http://127.0.0.1:{port}/");
    eventually("the receiver refuses what is not signed", Deadline::SOON, async || {
        let forged = reqwest::Client::builder().no_proxy().build().unwrap().post(&address).body("{}").send().await;
        match forged {
            Ok(answer) if answer.status() == 400 => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    let id = endpoint["id"].as_str().unwrap();
    client.webhook_endpoint_action(id, "test", &unique()).send().await.expect(202);
    eventually("the receiver shows the event", Deadline::SOON, async || {
        let shown = fs::read_to_string(&lines).unwrap();
        if shown == format!("webhook_endpoint.test {id}\n") { Ok(()) } else { Err(shown) }
    })
    .await;
}

#[tokio::test]
async fn the_receiver_in_rust_verifies_webhooks() {
    receives(Command::new(Stack::runner().with_file_name("verify_webhook"))).await;
}

#[tokio::test]
async fn the_receiver_in_python_verifies_webhooks() {
    receives(python("verify_webhook.py")).await;
}

#[tokio::test]
async fn the_receiver_in_node_verifies_webhooks() {
    let folder = std::env::temp_dir().join(format!("spillway-{}", unique()));
    fs::create_dir(&folder).unwrap();
    receives(node("verify_webhook.mjs", &folder)).await;
    fs::remove_dir_all(&folder).unwrap();
}

/// Runs it while the store fails until a request got 503: exactly one payment is created.
async fn charges_once(mut client: Command) {
    let stack = Stack::start(Options::new().store_proxy().template(Template::without_triggers()).unkilled()).await;
    let merchant = stack.new_merchant().await;
    let puts = Matching::operation("PutItem").with("order-1001");
    stack.store_proxy().fault(usize::MAX, puts, Fault::Error("InternalServerError"));
    client.arg("order-1001").env("API", format!("http://127.0.0.1:{}/v1", stack.port())).env("NO_PROXY", "127.0.0.1");
    client.env("API_KEY", merchant.client.secret());
    let recovers = async {
        eventually("a request is answered 503", Deadline::SOON, async || {
            let log = stack.log();
            if log.contains("503 unavailable") { Ok(()) } else { Err(log) }
        })
        .await;
        stack.store_proxy().heal();
    };
    let (output, ()) = tokio::join!(make::output(client), recovers);
    assert!(output.succeeded, "{output:?}");
    let listed = merchant.client.get("/payments").await.expect(200);
    let payments = listed.body["data"].as_array().unwrap();
    assert_eq!((payments.len(), payments[0]["id"].as_str().unwrap()), (1, output.stdout.trim()));
}

#[tokio::test]
async fn the_client_in_python_charges_once() {
    charges_once(python("charge_once.py")).await;
}

#[tokio::test]
async fn the_client_in_node_charges_once() {
    let mut command = Command::new("node");
    command.arg(example("node/charge_once.mjs"));
    charges_once(command).await;
}
