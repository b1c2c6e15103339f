//! `make cost`: what so many requests a day cost a month, and what the same costs with containers and a database.

pub mod bill;
pub mod containers;
pub mod deployed;
pub mod figures;
pub mod load;
pub mod money;
pub mod prices;
pub mod report;
pub mod serverless;

use bill::Bill;
use deployed::Deployed;
use figures::Run;
use load::Load;
use prices::Prices;

/// All that a bill is made of but the load.
#[derive(Debug, Clone)]
pub struct Known {
    /// What was measured.
    pub run: Run,
    /// What is deployed.
    pub deployed: Deployed,
    /// What AWS asks.
    pub prices: Prices,
}

impl Known {
    /// By this run; `Err` is a sentence.
    pub fn by(run: Run) -> Result<Known, String> {
        Ok(Known { run, deployed: Deployed::read(), prices: Prices::read()? })
    }

    /// A month of Spillway.
    pub fn serverless(&self, load: &Load) -> Bill {
        serverless::bill(load, &self.run.resources, &self.deployed, &self.prices)
    }

    /// A month of containers and a database.
    pub fn containers(&self, load: &Load) -> Bill {
        containers::bill(load, &self.run.resources, &self.deployed, &self.prices)
    }
}
