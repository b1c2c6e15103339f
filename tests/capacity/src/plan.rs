//! How large the loads are.

/// The sizes of a run.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Seconds of requests in each load of payments.
    pub seconds: u32,
    /// Rates that are tried for one merchant with the default shards.
    pub one_merchant: &'static [u32],
    /// The number of shards of the raised merchant, and the rates that are tried for it.
    pub raised: (u16, &'static [u32]),
    /// Seconds of requests for it.
    pub raised_seconds: u32,
    /// Rates that are tried for many merchants on a new table.
    pub new_table: &'static [u32],
    /// Rates that are tried for many merchants on a warmed table.
    pub warmed: &'static [u32],
    /// Movements that are folded, for each part.
    pub movements: u32,
    /// Movements that a balance is read with.
    pub unfolded: u32,
    /// Payments that are overdue after an outage.
    pub overdue: u32,
    /// Overdue deliveries of a merchant with a dead server.
    pub dead: u32,
    /// What must be said of the run.
    pub note: &'static str,
}

impl Plan {
    /// The run of `make capacity`.
    pub const FULL: Plan = Plan {
        seconds: 4,
        one_merchant: &[1_200, 1_800, 2_400],
        raised: (64, &[10_000]),
        raised_seconds: 2,
        new_table: &[250, 400, 600],
        warmed: &[2_000, 2_500, 3_000],
        movements: 10_000,
        unfolded: 100_000,
        overdue: 90_000,
        dead: 100_000,
        note: "Loads last some virtual seconds, so a slower growth is not seen.",
    };

    /// The same with small loads: not for figures.
    pub const QUICK: Plan = Plan {
        seconds: 1,
        one_merchant: &[200, 2_000],
        raised: (16, &[500]),
        raised_seconds: 1,
        new_table: &[100],
        warmed: &[300],
        movements: 2_000,
        unfolded: 2_000,
        overdue: 2_000,
        dead: 1_000,
        note: "QUICK=1: the loads are too small for figures.",
    };
}
