//! `POST /v1/payments`.

mod card_testing;
mod create;
