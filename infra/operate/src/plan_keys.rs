//! Gives every merchant of a table its plan key in the stack's usage plans.
//!
//! A new stack has new usage plans, and no plan key is in them. The key's value is in the merchant's item. So a key that
//! is still in API Gateway joins the new plan, and a missing one is made again with the same value.

use spillway_domain::page::{Limit, PageRequest};
use spillway_plan_keys::{PlanKeyError, PlanKeys};
use spillway_runtime::{Parts, SettingError, Start};
use spillway_store::{Store, StoreError};

use crate::ToolError;
use crate::tool::{context, required};

/// Seconds for the plan key of one merchant, with all tries while API Gateway is busy.
const SECONDS_EACH: u32 = 50;

struct Tool {
    store: Store,
    plan_keys: PlanKeys,
}

impl Parts for Tool {
    fn new(start: &Start<'_>) -> Result<Tool, SettingError> {
        let store = Store::new(start)?;
        Ok(Tool { plan_keys: PlanKeys::new(start, &store)?, store })
    }
}

impl AsRef<PlanKeys> for Tool {
    fn as_ref(&self) -> &PlanKeys {
        &self.plan_keys
    }
}

/// Why not every merchant has its plan key. Another run continues.
#[derive(Debug, thiserror::Error)]
pub enum PlanKeysError {
    /// The tool can't start.
    #[error(transparent)]
    Tool(#[from] ToolError),
    /// The merchants can't be read.
    #[error("The merchants can't be read: {0}.")]
    Store(#[from] StoreError),
    /// One merchant's key is missing.
    #[error("{merchant}: {error}")]
    Key {
        /// The merchant.
        merchant: String,
        /// The reason.
        error: PlanKeyError,
    },
}

/// Provides the plan keys of all merchants, one after the other: API Gateway adds one key at a time. `TABLE` names the
/// table, `STANDARD_PLAN_ID` and `HIGH_PLAN_ID` the plans. Returns a sentence with their number.
pub async fn run() -> Result<String, PlanKeysError> {
    let context = context::<Tool>(&required("TABLE")?).await?;
    let mut page = PageRequest { limit: Limit::DEFAULT, created_from: None, created_before: None, position: None };
    let mut provided = 0_u32;
    loop {
        let merchants = context.store.merchants(&page).await?;
        for merchant in &merchants.items {
            let deadline = context.now().plus_seconds(SECONDS_EACH);
            let key = spillway_plan_keys::provide(&context, merchant, deadline).await;
            key.map_err(|error| PlanKeysError::Key { merchant: merchant.id.to_string(), error })?;
            provided += 1;
        }
        match merchants.next {
            Some(position) => page.position = Some(position),
            None => return Ok(format!("{provided} merchants have their plan keys in the usage plans of the stack.")),
        }
    }
}
