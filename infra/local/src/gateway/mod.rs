//! Stands in for API Gateway: routes, throttles, the authorizer and the gateway's own answers, as the template
//! describes them.

mod answer;
mod authorizer;
mod bucket;
mod coding;
mod event;
mod quota;
mod refusal;
mod route;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::error::Error as _;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;
use http_body_util::LengthLimitError;
use serde_json::Value;

use crate::arn;
use crate::clock::Clock;
use crate::invoke::{Functions, InvokeError};
use crate::log::Log;
use crate::plan_keys::PlanKeys;
use crate::template::{Api, Route, Template, Throttle, Trigger, UsagePlan};

use authorizer::Authorizer;
use bucket::Bucket;
use quota::Quota;
use refusal::{Answer, Refusal};
use route::PathParameters;

/// API Gateway's limit for a request's body, in bytes.
const BODY_LIMIT: usize = 10 * 1024 * 1024;

/// The name of "any method" in API Gateway.
const ANY: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

/// API Gateway's time limit for a function.
const INTEGRATION_LIMIT: Duration = Duration::from_secs(29);

/// Buckets by name. Each is full at its first use.
type Buckets = Mutex<HashMap<String, Bucket>>;

/// The gateway. Cheap to clone.
#[derive(Clone)]
pub struct Gateway(Arc<Inner>);

struct Inner {
    region: String,
    api: Api,
    routes: Vec<Route>,
    plans: HashMap<String, UsagePlan>,
    keys: PlanKeys,
    authorizer: Option<Authorizer>,
    functions: Functions,
    clock: Clock,
    log: Log,
    /// One bucket for each route, and one for each mock, as API Gateway applies the limits of a stage to each method.
    stage: Buckets,
    /// One bucket for each plan key, by the key's value, and one for each of its routes with an own limit.
    callers: Buckets,
}

/// Why a body cannot be read: it is too long, or it breaks off or is framed wrongly.
fn unread(error: &axum::Error) -> Refusal {
    let too_long = error.source().is_some_and(|cause| cause.is::<LengthLimitError>());
    if too_long { Refusal::RequestTooLarge } else { Refusal::BadRequestBody }
}

impl Gateway {
    /// The gateway that `template` describes.
    pub fn new(
        template: &Template, region: &str, functions: Functions, keys: PlanKeys, clock: Clock, log: Log,
    ) -> Self {
        let api = template.api.clone();
        let routes = template.triggers().filter_map(|trigger| match trigger {
            Trigger::Route(route) => Some(route.clone()),
            _ => None,
        });
        let routes: Vec<Route> = routes.collect();
        routes.iter().for_each(|route| log.metrics().route(&route.method, &route.path));
        let plans = template.usage_plans.iter().map(|plan| (plan.logical_id.clone(), plan.clone()));
        let authorizer = api.authorizer.clone();
        Self(Arc::new(Inner {
            region: region.to_owned(),
            routes,
            plans: plans.collect(),
            keys,
            authorizer: authorizer.map(|settings| Authorizer::new(settings, functions.clone())),
            functions,
            log,
            stage: Buckets::default(),
            callers: Buckets::default(),
            api,
            clock,
        }))
    }

    /// Answers one request that came from `source`.
    pub async fn answer(&self, request: Request, source: IpAddr) -> Response {
        let began = Instant::now();
        let (parts, body) = request.into_parts();
        let mut context = event::context(&parts, source, &self.0.api.stage, (self.0.clock)());
        let mut quota = None;
        let answer = match self.handle(&parts, body, &mut context, &mut quota).await {
            Ok(answer) => answer,
            Err(refusal) => self.refuse(refusal, &parts, &context),
        };
        self.0.log.metrics().request(self.resource(&parts), answer.status.as_u16(), began.elapsed());
        let mut response = Response::new(Body::from(answer.body));
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        let id = context["requestId"].as_str().unwrap_or_default();
        if let Ok(id) = HeaderValue::from_str(id) {
            let name = HeaderName::from_static("x-amzn-requestid");
            response.headers_mut().insert(name, id);
        }
        if let Some(quota) = quota {
            quota.show(response.headers_mut());
        }
        response
    }

    fn refuse(&self, refusal: Refusal, parts: &Parts, context: &Value) -> Answer {
        let answer = refusal::render(&self.0.api.responses, refusal, context);
        let request = format!("{} {}", parts.method, parts.uri.path());
        self.0.log.refused(answer.status.as_u16(), request, refusal.why());
        answer
    }

    /// Method and path of the request's route, or of the mock for its path.
    fn resource(&self, parts: &Parts) -> Option<(&str, &str)> {
        let (method, path) = (parts.method.as_str(), parts.uri.path());
        let route = route::find(&self.0.routes, method, path).map(|(route, _)| (&*route.method, &*route.path));
        route.or_else(|| route::find_mock(&self.0.api.mocks, path).map(|mock| ("ANY", &*mock.path)))
    }

    /// Sets `quota` if the request counts against the caller's plan, also if it is refused then.
    async fn handle(
        &self, parts: &Parts, body: Body, context: &mut Value, quota: &mut Option<Quota>,
    ) -> Result<Answer, Refusal> {
        let found = route::find(&self.0.routes, parts.method.as_str(), parts.uri.path());
        let Some((route, parameters)) = found else { return self.mock(parts, context) };
        let usage_key = self.identify(parts, route, &parameters, context).await?;
        // The caller's plan comes before the stage: requests that a plan refuses must not use up the route's tokens.
        if route.api_key_required {
            quota.insert(self.caller_quota(usage_key, route)?).left.ok_or(Refusal::Throttled)?;
        }
        self.throttle_route(route.id())?;
        let body = to_bytes(body, BODY_LIMIT).await.map_err(|error| unread(&error))?;
        let body = coding::decoded(&parts.headers, body.into())?;
        let event = event::for_function(parts, route, &parameters, context, &body);
        let mut answer = self.integrate(&route.function, event.to_string().into_bytes()).await?;
        coding::encode(&parts.headers, self.0.api.compression_size_min, &mut answer);
        Ok(answer)
    }

    /// Answers a request without a route, if its path has a mock for any method.
    fn mock(&self, parts: &Parts, context: &Value) -> Result<Answer, Refusal> {
        let found = route::find_mock(&self.0.api.mocks, parts.uri.path());
        let mock = found.filter(|_| ANY.contains(&parts.method.as_str())).ok_or(Refusal::MissingAuthenticationToken)?;
        self.throttle_route(format!("{}/ANY", mock.path))?;
        // The content type, without parameters, chooses the request template. A request without a type counts as JSON.
        let sent = parts.headers.get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or_default());
        let sent = sent.and_then(|sent| sent.split(';').next()).unwrap_or("application/json").trim();
        if !mock.media_types.iter().any(|known| known.eq_ignore_ascii_case(sent)) {
            return Err(Refusal::UnsupportedMediaType);
        }
        Ok(refusal::filled(&mock.answer, 200, "", context))
    }

    /// Adds the authorizer's answer to the context. Returns the caller's plan key.
    async fn identify(
        &self, parts: &Parts, route: &Route, parameters: &PathParameters, context: &mut Value,
    ) -> Result<Option<String>, Refusal> {
        let Some(authorizer) = self.0.authorizer.as_ref().filter(|_| !route.public) else {
            return Ok(None);
        };
        let arn = arn::method(&self.0.region, &self.0.api.stage, parts.method.as_str(), parts.uri.path());
        let event = || event::for_authorizer(parts, route, parameters, context, &arn);
        let now = (self.0.clock)();
        let headers = &parts.headers;
        let identity = authorizer.identify(headers, &arn, now, event).await?;
        context["authorizer"] = identity.context.into();
        Ok(identity.usage_key)
    }

    /// Takes a token of the usage plan that the caller's key is in: of the route, if the plan has a limit for it.
    fn caller_quota(&self, usage_key: Option<String>, route: &Route) -> Result<Quota, Refusal> {
        let value = usage_key.ok_or(Refusal::InvalidApiKey)?;
        let plan = self.0.keys.plan(&value).ok_or(Refusal::InvalidApiKey)?;
        let plan = self.0.plans.get(&plan).ok_or(Refusal::InvalidApiKey)?;
        let id = route.id();
        let (name, bucket, throttle) = match plan.routes.get(&id) {
            Some(own) => ("route", format!("{value} {id}"), *own),
            None => ("plan", value, plan.throttle),
        };
        Ok(Quota { name, throttle, left: self.take(&self.0.callers, bucket, throttle) })
    }

    /// Takes a token of the route, for all callers together.
    fn throttle_route(&self, id: String) -> Result<(), Refusal> {
        let throttle = self.0.api.routes.get(&id).copied().or(self.0.api.throttle);
        throttle.map_or(Ok(()), |throttle| self.take(&self.0.stage, id, throttle).map(drop).ok_or(Refusal::Throttled))
    }

    /// Takes a token of a bucket and returns the number of those that are left. `None` if there is none.
    fn take(&self, buckets: &Buckets, name: String, throttle: Throttle) -> Option<u64> {
        let now = (self.0.clock)();
        let mut buckets = buckets.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.entry(name).or_insert_with(|| Bucket::new(throttle, now)).take(now)
    }

    async fn integrate(&self, function: &str, event: Vec<u8>) -> Result<Answer, Refusal> {
        let call = self.0.functions.invoke(function, event);
        let outcome = tokio::time::timeout(INTEGRATION_LIMIT, call).await;
        match outcome.map_err(|_| Refusal::IntegrationTimeout)? {
            Ok(payload) => answer::read(&payload).ok_or_else(|| {
                let why = "its answer is no HTTP response with statusCode, headers and body";
                self.0.log.warning(function, why);
                Refusal::BadGateway
            }),
            Err(InvokeError::TooLarge) => Err(Refusal::RequestTooLarge),
            Err(error) => {
                self.0.log.warning(function, &error.to_string());
                Err(Refusal::BadGateway)
            }
        }
    }
}
