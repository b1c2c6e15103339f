//! `make cost`: the monthly cost of a daily load, and of the same load on containers with a database.

pub mod bill;
pub mod containers;
pub mod deployed;
pub mod extras;
pub mod figures;
pub mod load;
pub mod money;
pub mod prices;
pub mod report;
pub mod serverless;

use bill::Bill;
use deployed::Deployed;
use extras::Extras;
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
    /// Parts that are off by default.
    pub extras: Extras,
}

impl Known {
    /// Uses the figures of this run, and prices and extras that environment variables name; `Err` is a sentence.
    pub fn by(run: Run) -> Result<Known, String> {
        let prices = Prices::from_environment()?;
        Ok(Known { run, deployed: Deployed::read(), prices, extras: Extras::from_environment()? })
    }

    /// A month of Spillway.
    pub fn serverless(&self, load: &Load) -> Bill {
        let mut bill = serverless::bill(load, &self.run.resources, &self.deployed, &self.prices);
        self.extras.add_to(&mut bill, load, &self.prices);
        bill
    }

    /// A month of containers and a database.
    pub fn containers(&self, load: &Load) -> Bill {
        containers::bill(load, &self.run.resources, &self.deployed, &self.prices)
    }
}
