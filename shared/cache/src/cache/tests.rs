use std::sync::atomic::{AtomicI64, Ordering};

use aws_smithy_async::rt::sleep::TokioSleep;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::*;

/// A server that answers PING, and GET only if it is told to. `connections` is the number of its connections.
struct Server {
    port: u16,
    connections: watch::Receiver<usize>,
}

async fn server(answers: bool) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (count, connections) = watch::channel(0);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let count = count.clone();
            tokio::spawn(async move {
                let mut command = vec![0; 4096];
                while let Ok(length @ 1..) = stream.read(&mut command).await {
                    if command[..length].windows(4).any(|word| word == b"PING") {
                        stream.write_all(b"+PONG\r\n").await.unwrap();
                        count.send_modify(|count| *count += 1);
                    } else if answers {
                        stream.write_all(b"$1\r\nv\r\n").await.unwrap();
                    }
                }
            });
        }
    });
    Server { port, connections }
}

/// The cache at a port, with a clock that only the test moves.
fn cache(port: u16) -> (Arc<Cache>, Arc<AtomicI64>) {
    let clock = Arc::new(AtomicI64::new(0));
    let now = clock.clone();
    let cache = Cache {
        address: Address { encrypted: false, host: "127.0.0.1".to_owned(), port },
        now: Arc::new(move || Timestamp::from_millis(now.load(Ordering::Relaxed))),
        sleep: SharedAsyncSleep::new(TokioSleep::new()),
        link: Mutex::default(),
    };
    (Arc::new(cache), clock)
}

/// Waits until no connection is being made.
async fn connected(cache: &Cache) -> bool {
    while cache.link().connecting {
        tokio::task::yield_now().await;
    }
    cache.link().connection.is_some()
}

fn rests_until(cache: &Cache) -> Option<i64> {
    cache.link().rests_until.map(Timestamp::millis)
}

#[tokio::test]
async fn the_first_request_connects_in_the_background() {
    let server = server(true).await;
    let (cache, _) = cache(server.port);
    assert_eq!(cache.get("k").await, None);
    assert!(connected(&cache).await);
    assert_eq!(cache.get("k").await.as_deref(), Some(&b"v"[..]));
    assert_eq!((*server.connections.borrow(), rests_until(&cache)), (1, None));
}

#[tokio::test]
async fn a_cache_that_does_not_answer_is_left_alone() {
    let server = server(false).await;
    let (cache, clock) = cache(server.port);
    assert_eq!(cache.get("k").await, None);
    assert!(connected(&cache).await);
    assert_eq!((cache.get("k").await, rests_until(&cache)), (None, Some(REST_MS)));
    for _ in 0..3 {
        assert_eq!((cache.get("k").await, connected(&cache).await), (None, false));
    }
    clock.store(REST_MS - 1, Ordering::Relaxed);
    assert_eq!((cache.get("k").await, connected(&cache).await), (None, false));
    clock.store(REST_MS, Ordering::Relaxed);
    assert_eq!((cache.get("k").await, connected(&cache).await), (None, true));
    assert_eq!(*server.connections.borrow(), 2);
}

#[tokio::test]
async fn a_dead_cache_costs_no_request_anything() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let (cache, _) = cache(port);
    assert_eq!((cache.get("k").await, connected(&cache).await), (None, false));
    cache.put("k", b"v", 60).await;
    assert_eq!((cache.get("k").await, connected(&cache).await, rests_until(&cache)), (None, false, Some(REST_MS)));
}
