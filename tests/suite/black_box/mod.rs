//! What clients and operators see, on a stack of each test's own or on a deployed one. These tests use only HTTP and
//! the operator's functions: see `spillway_tests::target`.

mod fees;
mod keys;
mod limits;
mod lists;
mod merchants;
mod outcomes;
mod panics;
mod payments;
mod refunds;
mod smoke;
mod sweep;
mod tenants;
mod webhooks;
