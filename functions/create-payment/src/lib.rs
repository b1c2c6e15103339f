//! `POST /v1/payments`: accepts a payment. It makes one write call, after it has read whether too many payments of the
//! card or the customer have failed. The stream of the stored item starts everything else.

use std::sync::Arc;

use lambda_http::Request;
use spillway_domain::api_key::Scope;
use spillway_domain::change::Change;
use spillway_domain::currency::Currency;
use spillway_domain::id::{PaymentKind, shard_of};
use spillway_domain::money::{AMOUNT_MAX, Minor};
use spillway_domain::payment::{CUSTOMER_LENGTH_MAX, CaptureMethod, NewPayment, Payment, REFERENCE_LENGTH_MAX};
use spillway_domain::resource::{Cause, Meta, Resource as _};
use spillway_runtime::{Metric, SettingError, Start};
use spillway_store::Store;
use spillway_wire::contract::{Access, Endpoint, Field, Integer, Metadata, OneOf, ProblemType, Success, Text};
use spillway_wire::view::PaymentView;
use spillway_wire::{ApiRequestExt as _, Caller, Json, Problem, Response};

const AMOUNT: Field<Integer> = Field::integer(
    "amount",
    1,
    AMOUNT_MAX,
    "The amount to charge, in minor units of the currency, such as cents for USD.",
    "1250",
);
const CURRENCY: Field<Text> = Field::text(
    "currency",
    3,
    "The three-letter upper-case ISO 4217 code of one of the merchant's currencies.",
    "\"USD\"",
)
.of_pattern("^[A-Z]{3}$");
const TOKEN: Field<Text> = Field::text(
    "token",
    255,
    "The processor's token for the card. The sandbox decides by the token: `tok_visa`, `tok_mastercard` are approved; \
     `tok_declined`, `tok_insufficient_funds`, `tok_expired_card` are declined; `tok_slow` is approved after 2 s; \
     `tok_timeout_then_ok` is charged, but the first answer is lost; `tok_timeout_unknown` and `tok_unavailable` get \
     no answer three times without a charge, then are approved; `tok_refund_fails` is approved, and its refunds fail; \
     `tok_dispute_won`, `tok_dispute_lost` are approved. A token with `_` and digits at its end is another card that \
     behaves in the same way, such as `tok_declined_2`. Never send a card number: it is refused in every field.",
    "\"tok_visa\"",
);
const CAPTURE_METHOD: Field<OneOf<CaptureMethod>> = Field::one_of(
    "capture_method",
    "When the money is captured. `automatic`: together with the authorization.",
    "\"automatic\"",
);
const DESCRIPTION: Field<Text> = Field::text("description", 500, "A text for people.", "\"Order 1001\"").optional();
const REFERENCE: Field<Text> = Field::text(
    "reference",
    REFERENCE_LENGTH_MAX,
    "Your own id of the order. Begin it with a letter, because digits alone can look like a card number.",
    "\"order-1001\"",
)
.optional();
const CUSTOMER: Field<Text> =
    Field::text("customer", CUSTOMER_LENGTH_MAX, "Your own id of the customer.", "\"cus_77\"").optional();
const METADATA: Field<Metadata> = Field::METADATA;

const CURRENCY_NOT_ENABLED: ProblemType = ProblemType {
    status: 422,
    code: "currency_not_enabled",
    title: "Currency not enabled",
    remedy: "Use a currency of your balance, or ask the operator of this API to add this one.",
};
const PROCESSOR_NOT_CONFIGURED: ProblemType = ProblemType {
    status: 409,
    code: "processor_not_configured",
    title: "Processor not configured",
    remedy: "Use a test key.",
};
const TOO_MANY_FAILED_PAYMENTS: ProblemType = ProblemType {
    status: 429,
    code: "too_many_failed_payments",
    title: "Too many failed payments",
    remedy: "Wait for the seconds in `Retry-After`. Somebody may be trying stolen cards.",
};

/// The declaration of the endpoint.
pub const ENDPOINT: Endpoint<PaymentView<'static>> = Endpoint {
    summary: "Create a payment",
    description: "Starts a payment. The answer has the status `processing`. A webhook event, or `GET`, has the \
                  result.\n\nIf you send the request again with the same `Idempotency-Key` and the same body, you get \
                  the first answer again, so its status is always `processing`.",
    body: &[
        AMOUNT.spec(),
        CURRENCY.spec(),
        TOKEN.spec(),
        CAPTURE_METHOD.spec(),
        DESCRIPTION.spec(),
        REFERENCE.spec(),
        CUSTOMER.spec(),
        METADATA.spec(),
    ],
    problems: &[CURRENCY_NOT_ENABLED, PROCESSOR_NOT_CONFIGURED, TOO_MANY_FAILED_PAYMENTS],
    ..Endpoint::post(
        "/v1/payments",
        Access::Starts(Scope::PaymentsWrite),
        Success::accepted("The payment is stored. The card will be charged.").with_etag(),
    )
};

/// The store. It sets a due time on each payment that it stores.
pub struct Parts {
    store: Store,
}

impl spillway_runtime::Parts for Parts {
    fn new(start: &Start<'_>) -> Result<Parts, SettingError> {
        Ok(Parts { store: Store::with_due_times(start)?.with_failure_limit(start)? })
    }
}

type Context = spillway_runtime::Context<Parts>;

/// Stores the payment and answers 202. A repeated request with the same idempotency key gets the first answer.
pub async fn handle(context: Arc<Context>, caller: Caller, request: Request) -> Result<Response, Problem> {
    let now = context.now();
    let key = request.idempotency_key()?;
    let body = request.json()?;
    let fingerprint = body.fingerprint();
    let new = parse(body, &caller)?;
    let processor = spillway_processors::for_mode(caller.tenant.mode).ok_or_else(|| {
        Problem::new(&PROCESSOR_NOT_CONFIGURED, "No processor is configured for live payments. Use a test key.")
    })?;

    let id = key.id_for::<PaymentKind>(&caller.tenant, Payment::NAME, "");
    let shard = shard_of(id.as_str(), caller.shards.in_force(now));
    let cause = Cause { request_id: request.request_id().to_owned(), trace: request.trace(), fingerprint, at: now };
    let change =
        Change::creation(Payment::accept(Meta::new(id, caller.tenant, shard, cause), new, processor.to_owned()));

    let payment = &change.after;
    if let Some(until) = context.store.refused_until(&payment.meta.owner, &payment.payers()).await?
        && context.store.resource::<Payment>(&payment.meta.owner, &payment.meta.id).await?.is_none()
    {
        context.metrics.add(Metric::PaymentsRefused, 1);
        return Err(Problem::after(
            &TOO_MANY_FAILED_PAYMENTS,
            until.since(now),
            "Too many payments of this card or customer failed.",
        ));
    }
    let creation = context.store.create(&change).await;
    spillway_wire::creation(&request, &change, creation, |never| match never {})
}

fn parse(body: Json, caller: &Caller) -> Result<NewPayment, Problem> {
    let mut fields = ENDPOINT.fields(body);
    let amount = AMOUNT.read(&mut fields);
    let (currency, is_disabled_currency) = match CURRENCY.read(&mut fields).as_deref().map(Currency::parse) {
        Some(Ok(currency)) if caller.currencies.contains(&currency) => (Some(currency), false),
        Some(Ok(_)) => (fields.fault(CURRENCY.name, "is not enabled for this merchant"), true),
        Some(Err(unknown)) => (fields.fault(CURRENCY.name, format!("is {unknown}")), false),
        None => (None, false),
    };
    let token = match TOKEN.read(&mut fields) {
        Some(token) if !spillway_processors::knows_token(caller.tenant.mode, &token) => {
            fields.fault(TOKEN.name, "is not a token that the processor knows")
        }
        token => token,
    };
    let capture_method = CAPTURE_METHOD.read(&mut fields).unwrap_or(CaptureMethod::Automatic);
    let description = DESCRIPTION.read(&mut fields);
    let reference = REFERENCE.read(&mut fields);
    let customer = CUSTOMER.read(&mut fields);
    let metadata = METADATA.read(&mut fields);
    let faults = fields.finish();
    match (amount, currency, token) {
        (Some(amount), Some(currency), Some(token)) if faults.is_empty() => Ok(NewPayment {
            amount: Minor::new(amount),
            currency,
            token,
            capture_method,
            description,
            reference,
            customer,
            metadata,
        }),
        _ if is_disabled_currency && faults.len() == 1 => {
            let problem = Problem::new(&CURRENCY_NOT_ENABLED, "This merchant does not accept this currency.");
            Err(problem.with_errors(faults))
        }
        _ => Err(Problem::invalid_request(faults)),
    }
}
