//! The declaration of an endpoint, and the check of its caller.

use std::marker::PhantomData;

use spillway_domain::api_key::Scope;
use spillway_domain::time::Timestamp;

use super::super::caller::Caller;
use super::super::fields::Fields;
use super::super::json::Json;
use super::super::problem::Problem;
use super::super::request::ApiRequestExt as _;
use super::super::tags::IfMatch;
use super::super::versions::ApiVersion;
use super::field::FieldSpec;
use super::parameter::{PathIdSpec, QuerySpec};
use super::problem_type::{ProblemType, problem_types};
use lambda_http::Request;

/// The declaration of an endpoint. `A` is the view in its successful answers. It is a type parameter, not a value, so
/// that a function's binary does not contain the schema.
#[derive(Debug)]
pub struct Endpoint<A> {
    /// The method.
    pub method: Method,
    /// The route as in the template: `/v1/payments/{payment_id}`.
    pub path: &'static str,
    /// A title of a few words.
    pub summary: &'static str,
    /// The description, in Markdown.
    pub description: &'static str,
    /// The required key and scope.
    pub access: Access,
    /// Whether the header `Idempotency-Key` is required.
    pub idempotency_key: bool,
    /// Whether the header `If-Match` is read.
    pub if_match: IfMatchRule,
    /// The rate limit of a merchant's requests.
    pub limit: Limit,
    /// The ids in its path.
    pub path_ids: &'static [PathIdSpec],
    /// The parameters of its query. Other parameters are refused. None if the endpoint ignores the query.
    pub query: Option<&'static [QuerySpec]>,
    /// The fields of its body. If empty, the endpoint takes no body, and a POST may send an empty object.
    pub body: &'static [FieldSpec],
    /// The answer to an accepted request.
    pub success: Success,
    /// The problems of this endpoint only. Other problems follow from the declaration, see [`Endpoint::all_problems`].
    pub problems: &'static [ProblemType],
    /// The view in a successful answer.
    pub shows: PhantomData<fn() -> A>,
}

/// The HTTP method of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// GET
    Get,
    /// POST
    Post,
    /// PATCH
    Patch,
    /// DELETE
    Delete,
}

impl Method {
    /// The name in upper case.
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        }
    }
}

/// The key that an endpoint requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// No key is required.
    Public,
    /// A key with this scope. The merchant may be suspended.
    Reads(Scope),
    /// A key with this scope, of a merchant that is not suspended.
    Starts(Scope),
}

/// Whether an endpoint reads the header `If-Match`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfMatchRule {
    /// The header is not read.
    Ignored,
    /// The header may be missing.
    Optional,
    /// The header may be missing only in requests of older versions.
    RequiredFrom(ApiVersion),
}

/// The rate limit of a merchant's requests to an endpoint. `infra/template.yaml` contains the same limits in its usage
/// plans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// The limit of the plan. It counts the merchant's requests to all endpoints with this limit together.
    Plan,
    /// The plan's limit for lists. It counts the requests to this endpoint only.
    List,
    /// The limit for reads of the balance. It counts the requests to this endpoint only.
    Balance,
}

impl Limit {
    /// The name of the limit in the authorizer's context.
    pub fn context_name(self) -> &'static str {
        match self {
            Limit::Plan => "plan_limit",
            Limit::List => "list_limit",
            Limit::Balance => "balance_limit",
        }
    }

    /// The name of the limit in the header `RateLimit-Policy`: whether it counts the requests to one route.
    pub fn policy_name(self) -> &'static str {
        match self {
            Limit::Plan => "plan",
            Limit::List | Limit::Balance => "route",
        }
    }
}

/// The answer to an accepted request.
#[derive(Debug, Clone, Copy)]
pub struct Success {
    /// The HTTP status. A 204 has no body.
    pub status: u16,
    /// A description in one sentence.
    pub description: &'static str,
    /// Whether the answer has the header `Location`.
    pub has_location: bool,
    /// Whether the answer has the header `ETag`.
    pub has_etag: bool,
}

impl Success {
    const fn new(status: u16, description: &'static str) -> Success {
        Success { status, description, has_location: false, has_etag: false }
    }

    /// 200.
    pub const fn ok(description: &'static str) -> Success {
        Success::new(200, description)
    }

    /// 201 with `Location`.
    pub const fn created(description: &'static str) -> Success {
        Success { has_location: true, ..Success::new(201, description) }
    }

    /// 202 with `Location`.
    pub const fn accepted(description: &'static str) -> Success {
        Success { has_location: true, ..Success::new(202, description) }
    }

    /// 204, without a body.
    pub const fn no_content(description: &'static str) -> Success {
        Success::new(204, description)
    }

    /// The same answer without `Location`, because the created object has no address.
    #[must_use]
    pub const fn without_location(self) -> Success {
        Success { has_location: false, ..self }
    }

    /// The same answer with `ETag`.
    #[must_use]
    pub const fn with_etag(self) -> Success {
        Success { has_etag: true, ..self }
    }
}

impl<A> Endpoint<A> {
    /// An endpoint without parameters, a body and problems of its own.
    pub const fn new(method: Method, path: &'static str, access: Access, success: Success) -> Endpoint<A> {
        Endpoint {
            method,
            path,
            summary: "",
            description: "",
            access,
            idempotency_key: false,
            if_match: IfMatchRule::Ignored,
            limit: Limit::Plan,
            path_ids: &[],
            query: Some(&[]),
            body: &[],
            success,
            problems: &[],
            shows: PhantomData,
        }
    }

    /// A GET. Its answer has an `ETag`, and can be 304.
    pub const fn get(path: &'static str, access: Access, success: Success) -> Endpoint<A> {
        Endpoint::new(Method::Get, path, access, success.with_etag())
    }

    /// A GET of a list.
    pub const fn list(path: &'static str, access: Access, success: Success) -> Endpoint<A> {
        Endpoint { limit: Limit::List, ..Endpoint::get(path, access, success) }
    }

    /// A POST. Every POST requires an `Idempotency-Key`.
    pub const fn post(path: &'static str, access: Access, success: Success) -> Endpoint<A> {
        Endpoint { idempotency_key: true, ..Endpoint::new(Method::Post, path, access, success) }
    }

    /// A PATCH. Every PATCH requires `If-Match`.
    pub const fn patch(path: &'static str, access: Access, success: Success) -> Endpoint<A> {
        let if_match = IfMatchRule::RequiredFrom(ApiVersion::FIRST);
        Endpoint { if_match, ..Endpoint::new(Method::Patch, path, access, success) }
    }

    /// A DELETE. Every DELETE requires `If-Match` from [`ApiVersion::GUARDED_DELETION`] on.
    pub const fn delete(path: &'static str, access: Access, success: Success) -> Endpoint<A> {
        let if_match = IfMatchRule::RequiredFrom(ApiVersion::GUARDED_DELETION);
        Endpoint { if_match, ..Endpoint::new(Method::Delete, path, access, success) }
    }

    /// The same declaration without the type of its view.
    pub const fn erased(&self) -> Endpoint<()> {
        Endpoint {
            method: self.method,
            path: self.path,
            summary: self.summary,
            description: self.description,
            access: self.access,
            idempotency_key: self.idempotency_key,
            if_match: self.if_match,
            limit: self.limit,
            path_ids: self.path_ids,
            query: self.query,
            body: self.body,
            success: self.success,
            problems: self.problems,
            shows: PhantomData,
        }
    }

    /// The fields of a body. Read each declared field, then call [`Fields::finish`].
    pub fn fields(&self, body: Json) -> Fields {
        Fields::declared(body, self.body)
    }

    /// Errors unless the request has no body or an empty object. For endpoints without declared fields.
    pub fn takes_nothing(&self, request: &Request) -> Result<(), Problem> {
        match self.fields(request.no_json()?).finish() {
            faults if faults.is_empty() => Ok(()),
            faults => Err(Problem::invalid_request(faults)),
        }
    }

    /// The header `If-Match`. Errors with 428 if it is malformed, or if it is missing and the request's version requires
    /// it.
    pub fn if_match(&self, request: &Request) -> Result<IfMatch, Problem> {
        let is_required = match self.if_match {
            IfMatchRule::RequiredFrom(version) => ApiVersion::of(request)? >= version,
            IfMatchRule::Optional | IfMatchRule::Ignored => false,
        };
        IfMatch::of(request, is_required)
    }

    /// The path without `/v1/`, such as `payments`.
    pub fn name(&self) -> &'static str {
        self.path.strip_prefix("/v1/").unwrap_or(self.path)
    }

    /// The caller. Errors with 401 if the key is missing or expired, and with 403 if it lacks the scope or the merchant
    /// is suspended.
    pub fn authorized(&self, request: &Request, now: Timestamp) -> Result<Caller, Problem> {
        let caller = Caller::of(request, now)?;
        match self.access {
            Access::Public => {}
            Access::Reads(scope) => caller.may_read(scope)?,
            Access::Starts(scope) => caller.may(scope)?,
        }
        Ok(caller)
    }

    /// All problems of this endpoint: its own, and those that follow from the declaration.
    pub fn all_problems(&self) -> Vec<ProblemType> {
        let of = |condition: bool, problems: &[ProblemType]| if condition { problems.to_vec() } else { Vec::new() };
        let has_key = self.access != Access::Public;
        let query = self.query.unwrap_or_default();
        let starts = matches!(self.access, Access::Starts(scope) if scope.writes());
        let all = [
            vec![problem_types::UNKNOWN_VERSION],
            of(self.query.is_some(), &[problem_types::UNKNOWN_PARAMETER]),
            of(!query.is_empty(), &[problem_types::INVALID_PARAMETERS]),
            of(query.iter().any(QuerySpec::is_cursor), &[problem_types::INVALID_CURSOR]),
            of(self.idempotency_key, &[problem_types::IDEMPOTENCY_KEY_MISSING, problem_types::IDEMPOTENCY_KEY_INVALID]),
            of(matches!(self.method, Method::Post | Method::Patch), &problem_types::OF_BODIES),
            of(self.idempotency_key && !self.body.is_empty(), &[problem_types::IDEMPOTENCY_KEY_REUSED]),
            of(has_key, &[problem_types::UNAUTHORIZED, problem_types::INSUFFICIENT_SCOPE]),
            of(starts, &[problem_types::MERCHANT_SUSPENDED]),
            of(!self.path_ids.is_empty(), &[problem_types::NOT_FOUND]),
            of(
                self.if_match != IfMatchRule::Ignored,
                &[problem_types::PRECONDITION_FAILED, problem_types::PRECONDITION_REQUIRED],
            ),
            self.problems.to_vec(),
            vec![problem_types::INTERNAL_ERROR, problem_types::UNAVAILABLE],
        ];
        all.concat()
    }
}
