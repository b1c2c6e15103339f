//! Virtual time: a clock, a timer for the AWS SDK, and an executor that moves the clock when every future waits.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use aws_smithy_async::rt::sleep::{AsyncSleep, Sleep};
use futures_executor::{LocalPool, LocalSpawner};

/// The clock. Clones share it.
#[derive(Clone, Default)]
pub struct VirtualTime(Arc<Mutex<Timers>>);

/// Nanoseconds since the clock began, and what waits for later ones.
#[derive(Default)]
struct Timers {
    now_ns: u64,
    set: u64,
    waiting: BinaryHeap<Reverse<Timer>>,
}

struct Timer {
    at_ns: u64,
    /// The order in which timers were set: those of one instant wake in this order.
    order: u64,
    waker: Waker,
}

impl Timer {
    fn rank(&self) -> (u64, u64) {
        (self.at_ns, self.order)
    }
}

impl PartialEq for Timer {
    fn eq(&self, other: &Timer) -> bool {
        self.rank() == other.rank()
    }
}

impl Eq for Timer {}

impl PartialOrd for Timer {
    fn partial_cmp(&self, other: &Timer) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Timer {
    fn cmp(&self, other: &Timer) -> std::cmp::Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl VirtualTime {
    /// The time since the clock began.
    pub fn now(&self) -> Duration {
        Duration::from_nanos(self.0.lock().unwrap().now_ns)
    }

    /// Waits for this virtual time.
    pub fn wait(&self, duration: Duration) -> impl Future<Output = ()> + Send + Sync + use<> {
        self.wait_until(self.now() + duration)
    }

    /// Waits until this time of the clock.
    pub fn wait_until(&self, at: Duration) -> impl Future<Output = ()> + Send + Sync + use<> {
        Wait { time: self.clone(), at_ns: u64::try_from(at.as_nanos()).unwrap(), waker: None }
    }

    /// Runs the future that `main` returns, and what it spawns, until that future ends. Panics if everything waits for
    /// something that no timer brings.
    pub fn run<T, F: Future<Output = T>>(&self, main: impl FnOnce(Spawner) -> F) -> T {
        let mut pool = LocalPool::new();
        // For what functions spawn on the runtime that they have on Lambda.
        let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let _entered = tokio.enter();
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        let waker = Waker::from(Arc::clone(&woken));
        let mut main = std::pin::pin!(main(Spawner(pool.spawner())));
        loop {
            if woken.0.swap(false, Ordering::Relaxed)
                && let Poll::Ready(value) = main.as_mut().poll(&mut Context::from_waker(&waker))
            {
                return value;
            }
            pool.run_until_stalled();
            if tokio.metrics().num_alive_tasks() > 0 {
                tokio.block_on(polled());
            }
            if !woken.0.load(Ordering::Relaxed) {
                assert!(self.advance(), "everything waits, and no timer is set");
            }
        }
    }

    /// Moves the clock to the next timer and wakes everything that waits for this instant. False if nothing waits.
    fn advance(&self) -> bool {
        let mut woken = Vec::new();
        {
            let mut timers = self.0.lock().unwrap();
            let Some(Reverse(next)) = timers.waiting.pop() else { return false };
            timers.now_ns = timers.now_ns.max(next.at_ns);
            woken.push(next.waker);
            while timers.waiting.peek().is_some_and(|Reverse(timer)| timer.at_ns <= timers.now_ns) {
                woken.extend(timers.waiting.pop().map(|Reverse(timer)| timer.waker));
            }
        }
        woken.into_iter().for_each(Waker::wake);
        true
    }
}

impl fmt::Debug for VirtualTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VirtualTime({:?})", self.now())
    }
}

impl AsyncSleep for VirtualTime {
    fn sleep(&self, duration: Duration) -> Sleep {
        Sleep::new(self.wait(duration))
    }
}

/// Polls the tasks on the runtime, each as often as it may be woken by another one within an instant.
async fn polled() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

/// Whether the main future is to be polled.
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Woken>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Wait {
    time: VirtualTime,
    at_ns: u64,
    waker: Option<Waker>,
}

impl Future for Wait {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let time = self.time.clone();
        let mut timers = time.0.lock().unwrap();
        if timers.now_ns >= self.at_ns {
            return Poll::Ready(());
        }
        // The last task that polls the future is woken, so a moved future sets another timer.
        if !self.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            timers.set += 1;
            let timer = Timer { at_ns: self.at_ns, order: timers.set, waker: context.waker().clone() };
            timers.waiting.push(Reverse(timer));
            self.waker = Some(context.waker().clone());
        }
        Poll::Pending
    }
}

/// Starts futures beside the main one.
#[derive(Clone)]
pub struct Spawner(LocalSpawner);

impl Spawner {
    /// Starts a future. It ends with the run.
    pub fn spawn(&self, future: impl Future<Output = ()> + 'static) {
        futures::task::LocalSpawnExt::spawn_local(&self.0, future).unwrap();
    }
}
