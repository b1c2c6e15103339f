//! Virtual time.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use spillway_limits::{Limits, VirtualTime};

use crate::world::{put, without_limits, world};

#[test]
fn an_hour_passes_while_everything_waits() {
    let (time, began) = (VirtualTime::default(), Instant::now());
    time.run(|_| time.wait(Duration::from_secs(3_600)));
    assert_eq!(time.now(), Duration::from_secs(3_600));
    assert!(began.elapsed() < Duration::from_secs(60), "the clock of the wall moved as far");
}

#[test]
fn timers_of_one_instant_wake_in_the_order_in_which_they_were_set() {
    let (time, woken) = (VirtualTime::default(), Rc::new(RefCell::new(Vec::new())));
    let of_run = woken.clone();
    time.run(|spawner| {
        for number in 0..3 {
            let (wait, woken) = (time.wait(Duration::from_secs(1)), of_run.clone());
            spawner.spawn(async move {
                wait.await;
                woken.borrow_mut().push(number);
            });
        }
        time.wait(Duration::from_secs(2))
    });
    assert_eq!(*woken.borrow(), [0, 1, 2]);
}

#[test]
fn one_seed_gives_one_run() {
    let times = || {
        let mut limits = without_limits();
        limits.latency = Limits::new_table().latency;
        let (time, store) = world(limits);
        time.run(|_| async {
            for number in 0..20 {
                assert!(store.call(put("a", &number.to_string())).await.is_ok());
            }
        });
        time.now()
    };
    assert_eq!(times(), times());
}
