//! An endpoint's declaration, and the check of who calls it.

use std::marker::PhantomData;

use spillway_domain::api_key::Scope;
use spillway_domain::time::Timestamp;

use super::super::caller::Caller;
use super::super::fields::Fields;
use super::super::json::Json;
use super::super::problem::Problem;
use super::super::request::ApiRequestExt as _;
use super::field::FieldSpec;
use super::parameter::{PathIdSpec, QuerySpec};
use super::problem_type::{ProblemType, problem_types};
use lambda_http::Request;

/// The declaration of an endpoint whose successful answers show an `A`. (`A` is a type and no value, so that a function
/// carries nothing of the schema that the OpenAPI document has of it.)
#[derive(Debug)]
pub struct Endpoint<A> {
    /// The method.
    pub method: Method,
    /// The route as the template has it: `/v1/payments/{payment_id}`.
    pub path: &'static str,
    /// What it does, as a title of a few words.
    pub summary: &'static str,
    /// What it does, in sentences of Markdown.
    pub description: &'static str,
    /// Who may call it.
    pub access: Access,
    /// Whether it demands the header `Idempotency-Key`.
    pub idempotency_key: bool,
    /// Whether it demands the header `If-Match`.
    pub if_match: bool,
    /// The ids in its path.
    pub path_ids: &'static [PathIdSpec],
    /// The parameters of its query, if it refuses all others. None if it ignores its query.
    pub query: Option<&'static [QuerySpec]>,
    /// The fields of its body. Empty if it takes no body: a POST then takes an empty object too.
    pub body: &'static [FieldSpec],
    /// The answer to a request that it accepts.
    pub success: Success,
    /// The problems that are its own. Those that follow from the rest of the declaration are not repeated here.
    pub problems: &'static [ProblemType],
    /// What a success shows.
    pub shows: PhantomData<fn() -> A>,
}

/// The methods of endpoints.
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
    /// In upper case.
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        }
    }
}

/// Who may call an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody, without a key.
    Public,
    /// A key with this scope. A suspended merchant may too.
    Reads(Scope),
    /// A key with this scope, of a merchant that is not suspended.
    Starts(Scope),
}

/// The answer to a request that an endpoint accepts.
#[derive(Debug, Clone, Copy)]
pub struct Success {
    /// The HTTP status. A 204 has no body.
    pub status: u16,
    /// The answer in a sentence.
    pub description: &'static str,
    /// Whether it has the header `Location`.
    pub has_location: bool,
    /// Whether it has the header `ETag`. To a GET with `If-None-Match` the answer can then be 304.
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

    /// The same without `Location`: there is no address of what was made.
    #[must_use]
    pub const fn without_location(self) -> Success {
        Success { has_location: false, ..self }
    }

    /// The same with `ETag`.
    #[must_use]
    pub const fn with_etag(self) -> Success {
        Success { has_etag: true, ..self }
    }
}

impl<A> Endpoint<A> {
    /// An endpoint without parameters, body and problems of its own.
    pub const fn new(method: Method, path: &'static str, access: Access, success: Success) -> Endpoint<A> {
        Endpoint {
            method,
            path,
            summary: "",
            description: "",
            access,
            idempotency_key: false,
            if_match: false,
            path_ids: &[],
            query: Some(&[]),
            body: &[],
            success,
            problems: &[],
            shows: PhantomData,
        }
    }

    /// A GET.
    pub const fn get(path: &'static str, access: Access, success: Success) -> Endpoint<A> {
        Endpoint::new(Method::Get, path, access, success)
    }

    /// A POST. It demands an `Idempotency-Key`, as every POST does.
    pub const fn post(path: &'static str, access: Access, success: Success) -> Endpoint<A> {
        Endpoint { idempotency_key: true, ..Endpoint::new(Method::Post, path, access, success) }
    }

    /// A PATCH. It demands `If-Match`, as every PATCH does.
    pub const fn patch(path: &'static str, access: Access, success: Success) -> Endpoint<A> {
        Endpoint { if_match: true, ..Endpoint::new(Method::Patch, path, access, success) }
    }

    /// A DELETE.
    pub const fn delete(path: &'static str, access: Access, success: Success) -> Endpoint<A> {
        Endpoint::new(Method::Delete, path, access, success)
    }

    /// The same declaration, whatever it shows.
    pub const fn erased(&self) -> Endpoint<()> {
        Endpoint {
            method: self.method,
            path: self.path,
            summary: self.summary,
            description: self.description,
            access: self.access,
            idempotency_key: self.idempotency_key,
            if_match: self.if_match,
            path_ids: self.path_ids,
            query: self.query,
            body: self.body,
            success: self.success,
            problems: self.problems,
            shows: PhantomData,
        }
    }

    /// The fields of a body, to be read one by one.
    pub fn fields(&self, body: Json) -> Fields {
        Fields::declared(body, self.body)
    }

    /// Reads the body of a request that has no fields: none, or an empty object. Every field of it is a fault.
    pub fn takes_nothing(&self, request: &Request) -> Result<(), Problem> {
        match self.fields(request.no_json()?).finish() {
            none if none.is_empty() => Ok(()),
            faults => Err(Problem::invalid_request(faults)),
        }
    }

    /// The path below the version, which names a list: `payments`.
    pub fn name(&self) -> &'static str {
        self.path.strip_prefix("/v1/").unwrap_or(self.path)
    }

    /// The caller, if it may call this endpoint. 401 if the key is expired or missing, 403 if it lacks the scope or the
    /// merchant is suspended.
    pub fn authorized(&self, request: &Request, now: Timestamp) -> Result<Caller, Problem> {
        let caller = Caller::of(request, now)?;
        match self.access {
            Access::Public => {}
            Access::Reads(scope) => caller.may_read(scope)?,
            Access::Starts(scope) => caller.may(scope)?,
        }
        Ok(caller)
    }

    /// All problems that it answers with: its own, and those that follow from what it declares.
    pub fn all_problems(&self) -> Vec<ProblemType> {
        let of = |condition: bool, problems: &[ProblemType]| if condition { problems.to_vec() } else { Vec::new() };
        let has_key = self.access != Access::Public;
        let query = self.query.unwrap_or_default();
        let starts = matches!(self.access, Access::Starts(scope) if scope.writes());
        let all = [
            of(self.query.is_some(), &[problem_types::UNKNOWN_PARAMETER]),
            of(!query.is_empty(), &[problem_types::INVALID_PARAMETERS]),
            of(query.iter().any(QuerySpec::is_cursor), &[problem_types::INVALID_CURSOR]),
            of(self.idempotency_key, &[problem_types::IDEMPOTENCY_KEY_MISSING, problem_types::IDEMPOTENCY_KEY_INVALID]),
            of(matches!(self.method, Method::Post | Method::Patch), &problem_types::OF_BODIES),
            of(self.idempotency_key && !self.body.is_empty(), &[problem_types::IDEMPOTENCY_KEY_REUSED]),
            of(has_key, &[problem_types::UNAUTHORIZED, problem_types::INSUFFICIENT_SCOPE]),
            of(starts, &[problem_types::MERCHANT_SUSPENDED]),
            of(!self.path_ids.is_empty(), &[problem_types::NOT_FOUND]),
            of(self.if_match, &[problem_types::PRECONDITION_FAILED, problem_types::PRECONDITION_REQUIRED]),
            self.problems.to_vec(),
            vec![problem_types::INTERNAL_ERROR, problem_types::UNAVAILABLE],
        ];
        all.concat()
    }
}
