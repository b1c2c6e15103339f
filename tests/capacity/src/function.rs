//! A function: its environments, each with a context, a CPU and connections of its own.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_async::rt::sleep::SharedAsyncSleep;
use spillway_domain::time::Timestamp;
use spillway_lambda::Invocation;
use spillway_runtime::settings::Environment;
use spillway_runtime::{Context, Effects, Parts, config_with};

use crate::cpu::Cpu;
use crate::template::FunctionSettings;
use crate::world::World;

/// A function with its idle environments.
pub struct Function<P> {
    world: World,
    /// What the template says of it.
    pub settings: FunctionSettings,
    uses_all_cores: bool,
    idle: RefCell<Vec<Arc<Context<P>>>>,
}

impl<P: Parts> Function<P> {
    /// The function with this logical id.
    pub fn new(world: &World, id: &str) -> Function<P> {
        let settings = world.template.function(id);
        Function { world: world.clone(), settings, uses_all_cores: false, idle: RefCell::default() }
    }

    /// The same for a function whose program uses all cores.
    pub fn on_all_cores(self) -> Function<P> {
        Function { uses_all_cores: true, ..self }
    }

    /// Invokes the function in an idle environment, or in a new one.
    pub async fn invoke<T, F: Future<Output = T>>(&self, handle: impl FnOnce(Arc<Context<P>>, Invocation) -> F) -> T {
        let context = self.idle.borrow_mut().pop().unwrap_or_else(|| self.environment());
        let timeout_ms = i64::try_from(self.settings.timeout.as_millis()).unwrap();
        let invocation =
            Invocation { request_id: self.world.unique(), deadline: context.now().plus_millis(timeout_ms) };
        let result = handle(context.clone(), invocation).await;
        self.idle.borrow_mut().push(context);
        result
    }

    fn environment(&self) -> Arc<Context<P>> {
        let world = &self.world;
        let cpu = Cpu::new(&world.time, self.settings.memory_mb, self.uses_all_cores);
        let (store, queues) = (world.store.clone(), world.queues.clone());
        let http_client = spillway_limits::http_client(move |service, call| {
            let (store, queues, cpu) = (store.clone(), queues.clone(), cpu.clone());
            let of_store = service.starts_with("DynamoDB");
            async move {
                let answer = if of_store { store.call(call).await } else { queues.call(call).await };
                let (status, body) = (answer.status, answer.body.to_string());
                cpu.work(body.len()).await;
                Ok((status, body))
            }
        });
        let (time, random) = (world.time.clone(), world.random.clone());
        let effects = Effects {
            now: Arc::new(move || at(time.now())),
            random: Arc::new(move |bytes| random.lock().unwrap().fill(bytes)),
            sleep: SharedAsyncSleep::new(world.time.clone()),
            http_client,
        };
        let mut variables: HashMap<String, String> = self.settings.environment.clone().into_iter().collect();
        for address in ["AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_SQS"] {
            variables.insert(address.to_owned(), "https://aws.test".to_owned());
        }
        let get = |name: &str| variables.get(name).cloned();
        // The SDK shares its budget of retries among all clients of one process and region. Here one process holds many
        // environments, so each has a region of its own.
        let aws = config_with(Some(world.region()), world.credentials(), &effects);
        Arc::new(Context::new(Environment::new(&get), effects, &aws).unwrap_or_else(|error| panic!("{error}")))
    }
}

/// The time that the functions see.
pub fn at(now: Duration) -> Timestamp {
    // 2026-01-31T12:00:00Z.
    Timestamp::from_millis(1_769_860_800_000 + i64::try_from(now.as_millis()).unwrap())
}
