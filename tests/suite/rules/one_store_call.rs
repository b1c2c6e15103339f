//! `POST /v1/payments` makes exactly one store call and no other network call.

use std::collections::BTreeSet;
use std::net::TcpListener;

use serde_json::json;
use spillway_tests::receiver::Receiver;
use spillway_tests::{Options, Stack, Template, process, unique};

/// A port that must not be used.
struct Listener {
    url: String,
    socket: TcpListener,
}

impl Listener {
    fn start() -> Listener {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        Listener { url: format!("http://{}", socket.local_addr().unwrap()), socket }
    }

    /// Number of connections to it. The system accepts each connection, so it waits here to be counted.
    fn connections(&self) -> usize {
        std::iter::from_fn(|| self.socket.accept().ok()).count()
    }
}

#[tokio::test]
async fn creating_a_payment_is_one_put() {
    // Everything else that it might call is at one of these, or goes through a proxy.
    let others = [Listener::start(), Listener::start(), Listener::start()];
    let [queues, gateway, proxy] = others.each_ref().map(|other| other.url.clone());
    let variables = vec![
        ("AWS_ENDPOINT_URL_SQS", queues.clone()),
        ("AWS_ENDPOINT_URL_API_GATEWAY", gateway),
        ("AWS_ENDPOINT_URL", queues),
        ("HTTPS_PROXY", proxy),
    ];
    let options = Options::new().unkilled().store_proxy().template(Template::without_triggers());
    let stack = Stack::start(options.function_variables("create-payment", variables)).await;
    let client = stack.new_merchant().await.client;
    let receiver = Receiver::start().await;
    client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
    // The first request fills the gateway's cache of the authorizer's answer.
    client.pay(1250, "USD", "tok_visa").await;

    stack.store_proxy().forget_calls();
    let payment = json!({"amount": 1250, "currency": "USD", "token": "tok_visa", "metadata": {"cart": "7"}});
    let key = unique();
    for replayed in ["", "true"] {
        stack.store_proxy().forget_calls();
        let answer = client.create_payment(&key, &payment).await.expect(202);
        assert_eq!(answer.header("idempotent-replayed"), replayed);
        let calls = stack.store_proxy().calls();
        assert!(calls.len() == 1 && calls[0].operation == "PutItem", "{calls:?}");
    }

    assert_eq!(others.each_ref().map(Listener::connections), [0; 3]);
    assert_eq!(receiver.attempts().len(), 0);
    let pids = stack.function_pids("create-payment");
    assert!(!pids.is_empty());
    let port = |address: &str| -> u16 { address.rsplit_once(':').unwrap().1.trim_end_matches('/').parse().unwrap() };
    for pid in pids {
        assert_eq!(process::variable(pid, "AWS_ENDPOINT_URL_SQS").as_deref(), Some(others[0].url.as_str()));
        let runtime = process::variable(pid, "AWS_LAMBDA_RUNTIME_API").unwrap();
        let runtime = runtime.trim_start_matches("http://").split('/').next().unwrap().to_owned();
        // The role check, in front of the store.
        let store = process::variable(pid, "AWS_ENDPOINT_URL_DYNAMODB").unwrap();
        let allowed = BTreeSet::from([port(&runtime), port(&store)]);
        let used = process::remote_ports(pid);
        assert!(used.is_subset(&allowed), "create-payment talks to ports {used:?}, of which {allowed:?} are right");
    }
}

#[test]
fn the_listener_counts_connections() {
    let listener = Listener::start();
    let address = listener.socket.local_addr().unwrap();
    let _knocks = [std::net::TcpStream::connect(address).unwrap(), std::net::TcpStream::connect(address).unwrap()];
    assert_eq!(listener.connections(), 2);
}
