//! The kinds of problems: what each is called, and what a client does about it.

/// A kind of problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProblemType {
    /// The HTTP status.
    pub status: u16,
    /// For programs. It stands in `code`, and in `type` behind the address of all problems.
    pub code: &'static str,
    /// The same in words.
    pub title: &'static str,
    /// What a client does about it, in a sentence or two.
    pub remedy: &'static str,
}

/// Every kind of problem.
pub mod problem_types {
    use super::ProblemType;

    const fn kind(status: u16, code: &'static str, title: &'static str, remedy: &'static str) -> ProblemType {
        ProblemType { status, code, title, remedy }
    }

    /// 400: the body can't be read.
    pub const MALFORMED_REQUEST: ProblemType = kind(
        400,
        "malformed_request",
        "Malformed request",
        "Send one JSON object in UTF-8, in which no key is repeated.",
    );

    /// 400: the query has parameters that this request does not have, and no other fault.
    pub const UNKNOWN_PARAMETER: ProblemType = kind(
        400,
        "unknown_parameter",
        "Unknown parameter",
        "Remove the parameters that `errors` names, or correct them.",
    );

    /// 400: parameters of the query are wrong.
    pub const INVALID_PARAMETERS: ProblemType =
        kind(400, "invalid_parameters", "Invalid parameters", "Correct what `errors` names. It names every fault.");

    /// 400: no cursor of this list, or one that went on with other filters.
    pub const INVALID_CURSOR: ProblemType = kind(
        400,
        "invalid_cursor",
        "Invalid cursor",
        "Send the `next_cursor` of a page unchanged, to the same list with the same key, and no other filters beside it.",
    );

    /// 400: it must be there, so that the same request may be sent again.
    pub const IDEMPOTENCY_KEY_MISSING: ProblemType = kind(
        400,
        "idempotency_key_missing",
        "Idempotency key missing",
        "Send an `Idempotency-Key` of your own with every POST, such as the number of the order.",
    );

    /// 400: not one key of the right form.
    pub const IDEMPOTENCY_KEY_INVALID: ProblemType = kind(
        400,
        "idempotency_key_invalid",
        "Idempotency key invalid",
        "Send one `Idempotency-Key` of 1 to 255 visible ASCII characters.",
    );

    /// 401: no valid key, whatever is wrong with it.
    pub const UNAUTHORIZED: ProblemType = kind(
        401,
        "unauthorized",
        "Unauthorized",
        "Send a key that is neither mistyped, expired nor revoked, as `Authorization: Bearer sk_...`.",
    );

    /// 403: the key may not.
    pub const INSUFFICIENT_SCOPE: ProblemType = kind(
        403,
        "insufficient_scope",
        "Insufficient scope",
        "Use a key that has the scope which `detail` names. The operator of this API issues keys.",
    );

    /// 403: the merchant may not.
    pub const MERCHANT_SUSPENDED: ProblemType = kind(
        403,
        "merchant_suspended",
        "Merchant suspended",
        "Ask the operator of this API. Until then you may read, but start nothing new.",
    );

    /// 404: missing or another merchant's.
    pub const NOT_FOUND: ProblemType = kind(
        404,
        "not_found",
        "Not found",
        "Check the id and the path, and that the key is of the same merchant and mode. Do not send it again.",
    );

    /// 409: this mode has no processor.
    pub const PROCESSOR_NOT_CONFIGURED: ProblemType =
        kind(409, "processor_not_configured", "Processor not configured", "Use a test key.");

    /// 409: too many endpoints that are enabled.
    pub const TOO_MANY_ENABLED_WEBHOOK_ENDPOINTS: ProblemType = kind(
        409,
        "too_many_enabled_webhook_endpoints",
        "Too many enabled webhook endpoints",
        "Disable or delete an endpoint that is no longer needed.",
    );

    /// 409: too many endpoints.
    pub const TOO_MANY_WEBHOOK_ENDPOINTS: ProblemType = kind(
        409,
        "too_many_webhook_endpoints",
        "Too many webhook endpoints",
        "Delete an endpoint that is no longer needed.",
    );

    /// 412: the object has another version by now.
    pub const PRECONDITION_FAILED: ProblemType = kind(
        412,
        "precondition_failed",
        "Precondition failed",
        "Get the object again and repeat the change on its new version.",
    );

    /// 413: longer than 64 KiB.
    pub const BODY_TOO_LARGE: ProblemType = kind(413, "body_too_large", "Body too large", "Send at most 65,536 bytes.");

    /// 415: not JSON by its header.
    pub const UNSUPPORTED_MEDIA_TYPE: ProblemType = kind(
        415,
        "unsupported_media_type",
        "Unsupported media type",
        "Send `Content-Type: application/json`, and no other `Content-Encoding` than gzip or deflate.",
    );

    /// 422: the body alone is wrong.
    pub const INVALID_REQUEST: ProblemType =
        kind(422, "invalid_request", "Invalid request", "Correct what `errors` names. It names every fault.");

    /// 422: a known currency that this merchant does not take.
    pub const CURRENCY_NOT_ENABLED: ProblemType = kind(
        422,
        "currency_not_enabled",
        "Currency not enabled",
        "Use a currency of your balance, or ask the operator of this API for this one.",
    );

    /// 422: the key belongs to another request.
    pub const IDEMPOTENCY_KEY_REUSED: ProblemType = kind(
        422,
        "idempotency_key_reused",
        "Idempotency key reused",
        "Use a new key for a new request. To repeat a request, send the same body.",
    );

    /// 428: a change needs the version that it is based on.
    pub const PRECONDITION_REQUIRED: ProblemType =
        kind(428, "precondition_required", "Precondition required", "Send the object's `ETag` as `If-Match`.");

    /// 500: a fault of ours.
    pub const INTERNAL_ERROR: ProblemType = kind(
        500,
        "internal_error",
        "Internal error",
        "Send the same request again, with the same `Idempotency-Key`. If it stays, tell the operator the `request_id`.",
    );

    /// 503: not now.
    pub const UNAVAILABLE: ProblemType = kind(
        503,
        "unavailable",
        "Unavailable",
        "Send the same request again after the seconds in `Retry-After`, or after one, with the same `Idempotency-Key`.",
    );

    /// Of every endpoint that takes a body.
    pub(crate) const OF_BODIES: [ProblemType; 4] =
        [MALFORMED_REQUEST, BODY_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, INVALID_REQUEST];

    /// What the gateway before the endpoints answers by itself to any request. (`infra/template.yaml` has the texts.)
    pub const OF_THE_GATEWAY: [ProblemType; 8] = [
        MALFORMED_REQUEST,
        UNAUTHORIZED,
        kind(
            403,
            "forbidden",
            "Forbidden",
            "Ask the operator of this API: the firewall refuses the request, or the merchant is in no usage plan.",
        ),
        NOT_FOUND,
        kind(405, "method_not_allowed", "Method not allowed", "Use a method that the header `Allow` names."),
        BODY_TOO_LARGE,
        UNSUPPORTED_MEDIA_TYPE,
        kind(
            429,
            "rate_limited",
            "Too many requests",
            "Send the same request again after the seconds in `Retry-After`, with the same `Idempotency-Key`.",
        ),
    ];

    /// The statuses besides their own with which the gateway answers [`INTERNAL_ERROR`] and [`UNAVAILABLE`].
    pub const OTHER_STATUSES: [(u16, ProblemType); 3] = [(500, UNAVAILABLE), (502, INTERNAL_ERROR), (504, UNAVAILABLE)];
}
