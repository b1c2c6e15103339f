//! `make cost`: the monthly cost of a daily load, and of the same load on containers with a database.

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

/// Everything that a bill needs except the load.
#[derive(Debug, Clone)]
pub struct Known {
    /// Measured resources.
    pub run: Run,
    /// The deployment.
    pub deployed: Deployed,
    /// AWS's prices.
    pub prices: Prices,
}

impl Known {
    /// Uses the figures of this run; `Err` is a sentence.
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
