//! Answers that are the same for all resources.

use lambda_http::Request;
use spillway_domain::change::Change;
use spillway_domain::resource::{Creation, Resource};

use super::problem::Problem;
use super::request::ApiRequestExt as _;
use super::response::{ApiResponseExt as _, Response};
use super::view::{self, Shown};

/// 200 with a resource.
pub fn resource<T: Resource + Shown>(resource: &T) -> Response {
    let meta = resource.meta();
    Response::ok(&resource.shown()).with_version(view::etag(meta.version)).about(meta.id.as_str())
}

/// The answer to a request that creates a resource: 202 with the resource as it was accepted, now or by an earlier
/// identical request. Errors if the idempotency key was used for another request, or with `refused` if another resource
/// does not allow the creation. Answer and error name the resource for the log.
pub fn creation<T: Resource + Shown>(
    request: &Request, change: &Change<T>, creation: Result<Creation<T>, impl Into<Problem>>,
    refused: impl FnOnce(T::Refusal) -> Problem,
) -> Result<Response, Problem> {
    let id = change.after.meta().id.as_str();
    let accepted = |resource: &T, replayed| {
        let meta = resource.meta();
        Response::accepted(&resource.shown(), request.location_of(T::PLURAL, meta.id.as_str()))
            .with_version(view::etag(meta.version))
            .replayed(replayed)
            .about(meta.id.as_str())
    };
    match creation {
        Ok(Creation::New) => {
            let entries = change.entries.iter().map(|(entry, _)| entry.id.to_string());
            let with = entries.chain(change.events.iter().map(|event| event.id.to_string())).collect();
            Ok(accepted(&change.after, false).about_with(id, with))
        }
        Ok(Creation::Repeated { first, by_itself }) => Ok(accepted(&first, !by_itself)),
        Ok(Creation::KeyReused) => Err(Problem::idempotency_key_reused().about(id)),
        Ok(Creation::Refused(why)) => Err(refused(why).about(id)),
        Err(error) => Err(error.into().about(id)),
    }
}
