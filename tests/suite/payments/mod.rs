//! `POST /v1/payments`.

mod create;
