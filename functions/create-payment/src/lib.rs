//! `POST /v1/payments`: accepts a payment. One store call and no other; what follows, follows from the stored item.

use std::sync::Arc;

use lambda_http::Request;
use spillway_domain::api_key::Scope;
use spillway_domain::change::Change;
use spillway_domain::currency::Currency;
use spillway_domain::id::{PaymentKind, shard_of};
use spillway_domain::money::{AMOUNT_MAX, Minor};
use spillway_domain::payment::{CaptureMethod, NewPayment, Payment};
use spillway_domain::resource::{Cause, Meta, Resource as _};
use spillway_platform::api::{self, ApiRequestExt as _, Caller, Fields, Json, Problem, Response};
use spillway_platform::processor;
use spillway_platform::runtime::{self, SettingError, Start};
use spillway_platform::store::Store;

const TOKEN_LENGTH_MAX: usize = 255;
const DESCRIPTION_LENGTH_MAX: usize = 500;
const REFERENCE_LENGTH_MAX: usize = 255;

/// The store, for payments that are due.
pub struct Parts {
    store: Store,
}

impl runtime::Parts for Parts {
    fn new(start: &Start<'_>) -> Result<Parts, SettingError> {
        Ok(Parts { store: Store::with_due_times(start)? })
    }
}

type Context = runtime::Context<Parts>;

/// Stores the payment and answers 202, or answers as the first request with this idempotency key was answered.
pub async fn handle(context: Arc<Context>, request: Request) -> Result<Response, Problem> {
    let now = context.now();
    let caller = Caller::of(&request, now)?;
    caller.may(Scope::PaymentsWrite)?;
    let key = request.idempotency_key()?;
    let body = request.json()?;
    let fingerprint = body.fingerprint();
    let asked = parse(body, &caller)?;
    let processor = processor::for_mode(caller.tenant.mode).ok_or_else(Problem::processor_not_configured)?;

    let id = key.id_for::<PaymentKind>(&caller.tenant, Payment::NAME, "");
    let shard = shard_of(id.as_str(), caller.shards.in_force(now));
    let cause = Cause { request_id: request.request_id().to_owned(), fingerprint, at: now };
    let change =
        Change::creation(Payment::accept(Meta::new(id, caller.tenant, shard, cause), asked, processor.to_owned()));

    let creation = context.store.create(&change).await?;
    api::creation(&request, &change.after, creation, |never| match never {})
}

fn parse(body: Json, caller: &Caller) -> Result<NewPayment, Problem> {
    let mut fields = Fields::of(body);
    let amount = fields.integer("amount", 1..=AMOUNT_MAX);
    let (currency, enabled) = match fields.text("currency", 3).as_deref().map(Currency::parse) {
        Some(Ok(currency)) if caller.currencies.contains(&currency) => (Some(currency), true),
        Some(Ok(_)) => (fields.fault("currency", "is not enabled for this merchant"), false),
        Some(Err(unknown)) => (fields.fault("currency", format!("is {unknown}")), true),
        None => (None, true),
    };
    let token = match fields.text("token", TOKEN_LENGTH_MAX) {
        Some(token) if !processor::knows_token(caller.tenant.mode, &token) => {
            fields.fault("token", "is no token that the processor knows")
        }
        token => token,
    };
    let capture_method = match fields.optional_text("capture_method", 20).as_deref() {
        None | Some("automatic") => Some(CaptureMethod::Automatic),
        Some(_) => fields.fault("capture_method", "must be \"automatic\""),
    };
    let description = fields.optional_text("description", DESCRIPTION_LENGTH_MAX);
    let reference = fields.optional_text("reference", REFERENCE_LENGTH_MAX);
    let customer = fields.optional_text("customer", REFERENCE_LENGTH_MAX);
    let metadata = fields.metadata();
    let faults = fields.finish();
    match (amount, currency, token, capture_method) {
        (Some(amount), Some(currency), Some(token), Some(capture_method)) if faults.is_empty() => Ok(NewPayment {
            amount: Minor::new(amount),
            currency,
            token,
            capture_method,
            description,
            reference,
            customer,
            metadata,
        }),
        _ if !enabled && faults.len() == 1 => Err(Problem::currency_not_enabled(faults)),
        _ => Err(Problem::invalid_request(faults)),
    }
}
