//! Events, and their deliveries to webhook endpoints.

mod redeliver;
