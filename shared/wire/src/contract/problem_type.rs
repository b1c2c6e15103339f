//! The types of problems: status, code, title and remedy.

/// A type of problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProblemType {
    /// The HTTP status.
    pub status: u16,
    /// The name for programs. It is the value of `code` and the last part of `type`.
    pub code: &'static str,
    /// The name for people.
    pub title: &'static str,
    /// What a client should do, in one or two sentences.
    pub remedy: &'static str,
}

/// The shared types of problems. An endpoint's own problems are declared beside its `ENDPOINT`.
pub mod problem_types {
    use super::ProblemType;

    const fn kind(status: u16, code: &'static str, title: &'static str, remedy: &'static str) -> ProblemType {
        ProblemType { status, code, title, remedy }
    }

    /// 400: the body can't be read.
    pub const MALFORMED_REQUEST: ProblemType =
        kind(400, "malformed_request", "Malformed request", "Send one JSON object in UTF-8 without repeated keys.");

    /// 400: the query has unknown parameters and no other fault.
    pub const UNKNOWN_PARAMETER: ProblemType = kind(
        400,
        "unknown_parameter",
        "Unknown parameter",
        "Remove the parameters that `errors` names, or correct them.",
    );

    /// 400: parameters of the query have faults.
    pub const INVALID_PARAMETERS: ProblemType =
        kind(400, "invalid_parameters", "Invalid parameters", "Correct what `errors` names: at most 100 faults.");

    /// 400: the cursor does not belong to this list and these filters.
    pub const INVALID_CURSOR: ProblemType = kind(
        400,
        "invalid_cursor",
        "Invalid cursor",
        "Send the `next_cursor` of a page unchanged to the same list, with a key of the same merchant and mode, and \
         without other filters.",
    );

    /// 400: the header `Idempotency-Key` is missing. A repeated request is safe only with it.
    pub const IDEMPOTENCY_KEY_MISSING: ProblemType = kind(
        400,
        "idempotency_key_missing",
        "Idempotency key missing",
        "Send an `Idempotency-Key` of your own with every POST, such as the number of the order.",
    );

    /// 400: the header `Idempotency-Key` is repeated or malformed.
    pub const IDEMPOTENCY_KEY_INVALID: ProblemType = kind(
        400,
        "idempotency_key_invalid",
        "Idempotency key invalid",
        "Send one `Idempotency-Key` of 1 to 255 visible ASCII characters.",
    );

    /// 400: the header `Spillway-Version` contains no version.
    pub const UNKNOWN_VERSION: ProblemType = kind(
        400,
        "unknown_version",
        "Unknown version",
        "Send a version that `detail` lists as `Spillway-Version`, or leave the header out.",
    );

    /// 401: the request has no valid API key. The answer does not say what is wrong with the key.
    pub const UNAUTHORIZED: ProblemType = kind(
        401,
        "unauthorized",
        "Unauthorized",
        "Send a key that is neither mistyped, expired nor revoked, as `Authorization: Bearer sk_...`.",
    );

    /// 403: the key lacks the scope.
    pub const INSUFFICIENT_SCOPE: ProblemType = kind(
        403,
        "insufficient_scope",
        "Insufficient scope",
        "Use a key with the scope that `detail` names. The operator of this API issues keys.",
    );

    /// 403: the merchant is suspended.
    pub const MERCHANT_SUSPENDED: ProblemType = kind(
        403,
        "merchant_suspended",
        "Merchant suspended",
        "Ask the operator of this API. A suspended merchant can read, but not start anything new.",
    );

    /// 404: the tenant has no such object.
    pub const NOT_FOUND: ProblemType = kind(
        404,
        "not_found",
        "Not found",
        "Check the id, the path, and that the key belongs to the same merchant and mode. Do not repeat the request.",
    );

    /// 409: the tenant has the most enabled webhook endpoints already.
    pub const TOO_MANY_ENABLED_WEBHOOK_ENDPOINTS: ProblemType = kind(
        409,
        "too_many_enabled_webhook_endpoints",
        "Too many enabled webhook endpoints",
        "Disable or delete an endpoint that is no longer needed.",
    );

    /// 412: the object has another version than `If-Match` names.
    pub const PRECONDITION_FAILED: ProblemType = kind(
        412,
        "precondition_failed",
        "Precondition failed",
        "Get the object again and repeat the change on its new version.",
    );

    /// 413: the body is longer than 64 KiB.
    pub const BODY_TOO_LARGE: ProblemType = kind(413, "body_too_large", "Body too large", "Send at most 65,536 bytes.");

    /// 415: the header `Content-Type` does not name JSON.
    pub const UNSUPPORTED_MEDIA_TYPE: ProblemType = kind(
        415,
        "unsupported_media_type",
        "Unsupported media type",
        "Send `Content-Type: application/json`, and no `Content-Encoding` except gzip or deflate.",
    );

    /// 422: fields of the body have faults.
    pub const INVALID_REQUEST: ProblemType = kind(
        422,
        "invalid_request",
        "Invalid request",
        "Correct what `errors` names: at most 100 faults. If a field has a card number, it names only such fields.",
    );

    /// 422: the idempotency key was used for another request.
    pub const IDEMPOTENCY_KEY_REUSED: ProblemType = kind(
        422,
        "idempotency_key_reused",
        "Idempotency key reused",
        "Use a new key for a new request. To repeat a request, send the same body.",
    );

    /// 428: the header `If-Match` is missing or malformed.
    pub const PRECONDITION_REQUIRED: ProblemType =
        kind(428, "precondition_required", "Precondition required", "Send the object's `ETag` as `If-Match`.");

    /// 500: an error of Spillway.
    pub const INTERNAL_ERROR: ProblemType = kind(
        500,
        "internal_error",
        "Internal error",
        "Send the same request again, with the same `Idempotency-Key`. If it fails again, give the operator the \
         `request_id`.",
    );

    /// 503: Spillway can't answer now.
    pub const UNAVAILABLE: ProblemType = kind(
        503,
        "unavailable",
        "Unavailable",
        "Send the same request again with the same `Idempotency-Key`, after the seconds in `Retry-After` or after one \
         second.",
    );

    /// The problems of every endpoint with a body.
    pub(crate) const OF_BODIES: [ProblemType; 4] =
        [MALFORMED_REQUEST, BODY_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, INVALID_REQUEST];

    /// The problems that the gateway itself answers to any request. `infra/template.yaml` contains their texts.
    pub const OF_THE_GATEWAY: [ProblemType; 8] = [
        MALFORMED_REQUEST,
        UNAUTHORIZED,
        kind(
            403,
            "forbidden",
            "Forbidden",
            "Ask the operator of this API: the firewall refuses the request, or the merchant has no usage plan.",
        ),
        NOT_FOUND,
        kind(405, "method_not_allowed", "Method not allowed", "Use a method that the header `Allow` names."),
        BODY_TOO_LARGE,
        UNSUPPORTED_MEDIA_TYPE,
        kind(
            429,
            "rate_limited",
            "Too many requests",
            "Send the same request again with the same `Idempotency-Key`, after the seconds in `Retry-After`.",
        ),
    ];

    /// Further statuses with which the gateway answers [`INTERNAL_ERROR`] and [`UNAVAILABLE`].
    pub const OTHER_STATUSES: [(u16, ProblemType); 3] = [(500, UNAVAILABLE), (502, INTERNAL_ERROR), (504, UNAVAILABLE)];
}
