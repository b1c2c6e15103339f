//! `POST /v1/payments/{payment_id}/refunds`: refunds all or a part of a payment. It makes one read and one write. A
//! guard of the write prevents refunds of more than the captured amount.

use std::sync::Arc;

use lambda_http::Request;
use spillway_domain::api_key::Scope;
use spillway_domain::id::{PaymentKind, RefundKind};
use spillway_domain::money::{AMOUNT_MAX, Minor};
use spillway_domain::payment::Payment;
use spillway_domain::refund::{ExceedsRefundable, NewRefund, NotBegun, Refund};
use spillway_domain::resource::{Cause, Resource as _};
use spillway_store::StoreWithEvents;
use spillway_wire::contract::{Access, Endpoint, Field, Integer, Metadata, PathId, ProblemType, Success, Text};
use spillway_wire::view::RefundView;
use spillway_wire::{ApiRequestExt as _, Caller, Json, Problem, Response};

const PAYMENT: PathId<PaymentKind> = PathId::new("payment_id", "payment");
const AMOUNT: Field<Integer> =
    Field::integer("amount", 1, AMOUNT_MAX, "The amount to refund, in minor units of the payment's currency.", "400");
const REASON: Field<Text> = Field::text("reason", 255, "A text for people.", "\"Returned\"").optional();
const METADATA: Field<Metadata> = Field::METADATA;

const PAYMENT_NOT_REFUNDABLE: ProblemType = ProblemType {
    status: 409,
    code: "payment_not_refundable",
    title: "Payment not refundable",
    remedy: "Only a payment that has succeeded can be refunded. While a payment is `processing`, wait for its event.",
};
const AMOUNT_EXCEEDS_REFUNDABLE: ProblemType = ProblemType {
    status: 409,
    code: "amount_exceeds_refundable",
    title: "Amount exceeds the refundable amount",
    remedy: "Refund at most `amount_captured` less `amount_refunded` and `amount_disputed` of the payment. Pending \
             refunds count. The amount of a failed refund can be refunded again.",
};

/// The declaration of the endpoint.
pub const ENDPOINT: Endpoint<RefundView<'static>> = Endpoint {
    summary: "Refund a payment",
    description: "Refunds all or a part of a payment. The amount leaves the balance at once. Fees are not refunded. \
                  The answer has the status `pending`. A webhook event, or `GET`, has the result.",
    path_ids: &[PAYMENT.spec()],
    body: &[AMOUNT.spec(), REASON.spec(), METADATA.spec()],
    problems: &[PAYMENT_NOT_REFUNDABLE, AMOUNT_EXCEEDS_REFUNDABLE],
    ..Endpoint::post(
        "/v1/payments/{payment_id}/refunds",
        Access::Starts(Scope::RefundsWrite),
        Success::accepted("The refund is stored. The processor will be called for it.").with_etag(),
    )
};

type Context = spillway_runtime::Context<StoreWithEvents>;

/// Stores the refund and answers 202. A repeated request with the same idempotency key gets the first answer.
pub async fn handle(context: Arc<Context>, caller: Caller, request: Request) -> Result<Response, Problem> {
    let key = request.idempotency_key()?;
    let body = request.json()?;
    let fingerprint = body.fingerprint();
    let new = parse(body)?;
    let payment_id = PAYMENT.read(&request)?;
    let payment: Option<Payment> = context.store.resource(&caller.tenant, &payment_id).await?;
    let payment = payment.ok_or_else(|| PAYMENT.not_found())?;

    let id = key.id_for::<RefundKind>(&caller.tenant, Refund::NAME, payment_id.as_str());
    let cause =
        Cause { request_id: request.request_id().to_owned(), trace: request.trace(), fingerprint, at: context.now() };
    let change = Refund::begin(&payment, id, new, cause).map_err(|error| match error {
        NotBegun::NotCaptured => {
            Problem::new(&PAYMENT_NOT_REFUNDABLE, &format!("The payment is {}: no money was captured.", payment.status))
        }
        NotBegun::Change(error) => Problem::internal_error(error.to_string()),
    })?;

    let creation = context.store.create(&change).await;
    spillway_wire::creation(&request, &change, creation, |ExceedsRefundable| {
        let detail = format!("Less than {} of this payment is left to refund.", change.after.asked.amount.units());
        Problem::new(&AMOUNT_EXCEEDS_REFUNDABLE, &detail)
    })
}

fn parse(body: Json) -> Result<NewRefund, Problem> {
    let mut fields = ENDPOINT.fields(body);
    let amount = AMOUNT.read(&mut fields);
    let reason = REASON.read(&mut fields);
    let metadata = METADATA.read(&mut fields);
    let faults = fields.finish();
    match amount {
        Some(amount) if faults.is_empty() => Ok(NewRefund { amount: Minor::new(amount), reason, metadata }),
        _ => Err(Problem::invalid_request(faults)),
    }
}
