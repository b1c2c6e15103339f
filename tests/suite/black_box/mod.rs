//! What is promised to those outside, held against a stack of each test's own or against one that is deployed: these
//! tests know HTTP, and the functions that an operator may invoke, and nothing else. See `spillway_tests::target`.

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
