//! The parts of `make capacity`.

use std::time::Duration;

use serde_json::Value;
use spillway_bench::cost::Known;
use spillway_bench::cost::figures::Run;
use spillway_bench::cost::load::{Batches, Load as DailyLoad};
use spillway_limits::Limits;

use crate::goals::{Figure, Goal};
use crate::plan::Plan;
use crate::report::{Row, first_limit};
use crate::scenarios::payments::{self, Load};
use crate::scenarios::{balance, folds, lists, patience, sweep};
use crate::template::Template;

/// Units a second of a table that is warmed, and whose quota is raised, beyond all loads.
const FAR_UNITS: u64 = 2_000_000;
/// Requests a day of the cost that has a goal.
const DAILY_REQUESTS: u64 = 500_000;

/// What a part has measured.
pub struct Measured {
    /// Rows of "what breaks first".
    pub rows: Vec<Row>,
    /// Figures with goals.
    pub figures: Vec<Figure>,
}

/// A part.
pub type Part = fn(&Plan) -> Measured;

/// The parts by name.
pub const ALL: [(&str, Part); 9] = [
    ("merchant", of_merchant),
    ("payments", of_payments),
    ("folds", of_folds),
    ("balance", of_balance),
    ("sweep", of_sweep),
    ("patience", of_patience),
    ("lists", of_lists),
    ("cost", of_cost),
    ("wall_clock", of_wall_clock),
];

/// A ladder of rates on one setting.
struct Climb {
    load: &'static str,
    settings: &'static str,
    template: Template,
    limits: Limits,
    merchants: u32,
    shards: u16,
    ladder: &'static [u32],
    moved_by: &'static str,
}

impl Climb {
    /// The highest rate that is carried, and its row.
    fn up(self, seconds: u32) -> (u32, Row) {
        let load = Load { merchants: self.merchants, shards: self.shards, per_s: 0, seconds };
        let (carried, beyond) = payments::highest(&self.template, &self.limits, &load, self.ladder);
        let tried = self.ladder.last().copied().unwrap_or_default();
        let row = Row {
            load: format!("{}, {} shards", self.load, self.shards),
            settings: self.settings.to_owned(),
            carried: format!("{carried} payments/s"),
            first_limit: beyond.map_or_else(|| format!("none up to {tried}"), |outcome| first_limit(&outcome.refusals)),
            moved_by: self.moved_by,
        };
        (carried, row)
    }
}

fn of_payments(plan: &Plan) -> Measured {
    let many = |settings, limits, ladder, moved_by| Climb {
        load: "50 merchants",
        settings,
        template: Template::read(),
        limits,
        merchants: 50,
        shards: 4,
        ladder,
        moved_by,
    };
    let climbs = [
        many("defaults, a new table", Limits::new_table(), plan.new_table, "WarmWriteUnits"),
        many(
            "WarmWriteUnits=40000",
            Limits::warmed(40_000),
            plan.warmed,
            "the quota of the table, ProcessorConcurrency",
        ),
    ];
    Measured { rows: climbs.into_iter().map(|climb| climb.up(plan.seconds).1).collect(), figures: Vec::new() }
}

fn of_merchant(plan: &Plan) -> Measured {
    // The consumers work on as many messages as AWS lets a trigger.
    let raised = ["ProcessorConcurrency", "FoldConcurrency", "WebhookConcurrency"]
        .into_iter()
        .fold(Template::read(), |template, parameter| template.with(parameter, 1_000));
    let one = |settings, template, (shards, ladder)| Climb {
        load: "one merchant",
        settings,
        template,
        limits: Limits::warmed(FAR_UNITS),
        merchants: 1,
        shards,
        ladder,
        moved_by: "shards of the merchant",
    };
    let climbs = [
        (one("defaults, a warm table", Template::read(), (4, plan.one_merchant)), plan.seconds),
        (one("concurrency 1,000, a warm table", raised, plan.raised), plan.raised_seconds),
    ];
    let (carried, rows): (Vec<u32>, Vec<Row>) = climbs.into_iter().map(|(climb, seconds)| climb.up(seconds)).unzip();
    let measured = carried.into_iter().max().map(u64::from);
    let (goal, unit) = (Goal::AtLeast(10_000), "payments/s, virtual");
    Measured { rows, figures: vec![Figure { name: "hot_merchant_payments_per_s", goal, unit, measured }] }
}

fn of_folds(plan: &Plan) -> Measured {
    let template = Template::read();
    let row = |shards: u16| {
        let movements = plan.movements * u32::from(shards.div_ceil(4));
        let per_s = folds::per_s(template.clone(), Limits::warmed(FAR_UNITS), shards, movements);
        Row {
            load: format!("folds of one merchant, {shards} shards"),
            settings: format!("{movements} movements at once"),
            carried: format!(
                "{per_s} movements/s: 1,000,000 in {} s",
                1_000_000_u64.checked_div(per_s).unwrap_or_default()
            ),
            first_limit: "not tried".to_owned(),
            moved_by: "shards of the merchant, MemorySize of fold-balance",
        }
    };
    Measured { rows: [4, 16].into_iter().map(row).collect(), figures: Vec::new() }
}

fn of_balance(plan: &Plan) -> Measured {
    let (status, took) = balance::read(Template::read(), Limits::warmed(FAR_UNITS), 4, plan.unfolded);
    let ms = u64::try_from(took.as_millis()).unwrap();
    let rows = vec![Row {
        load: format!("GET /v1/balance, {} unfolded movements", plan.unfolded),
        settings: "4 shards, the CPU of its MemorySize as modelled".to_owned(),
        carried: format!("{status} after {ms} ms"),
        first_limit: "not tried".to_owned(),
        moved_by: "MemorySize of get-balance",
    }];
    // A refusal is no balance. It counts as the function's time-out.
    let timeout_ms = u64::try_from(Template::read().function("GetBalance").timeout.as_millis()).unwrap();
    let measured = Some(if status == 200 { ms } else { timeout_ms });
    let figures =
        vec![Figure { name: "balance_100k_unfolded_ms", goal: Goal::AtMost(2_000), unit: "ms, virtual", measured }];
    Measured { rows, figures }
}

fn of_sweep(plan: &Plan) -> Measured {
    let limits = Limits::warmed(FAR_UNITS);
    let per_minute = sweep::per_minute(Template::read(), limits.clone(), plan.overdue);
    let late = sweep::neighbour_late(Template::read(), limits, plan.dead);
    let row = |load: String, carried: String, moved_by| Row {
        load,
        settings: "defaults, a warm table".to_owned(),
        carried,
        first_limit: "not tried".to_owned(),
        moved_by,
    };
    let rows = vec![
        row(
            format!("{} overdue payments", plan.overdue),
            format!("{per_minute} a minute in its fastest second"),
            "MemorySize of enqueue-due",
        ),
        row(
            format!("{} dead deliveries, a neighbour's retry", plan.dead),
            format!("{} s late", late.as_secs()),
            "MemorySize of enqueue-due",
        ),
    ];
    let figures = vec![
        Figure {
            name: "swept_items_per_minute",
            goal: Goal::AtLeast(600_000),
            unit: "items a minute, virtual",
            measured: Some(per_minute),
        },
        Figure {
            name: "neighbour_retry_late_s",
            goal: Goal::AtMost(60),
            unit: "s, virtual",
            measured: Some(late.as_secs()),
        },
    ];
    Measured { rows, figures }
}

fn of_patience(_: &Plan) -> Measured {
    let survived = patience::survived(&Template::read(), &Limits::new_table());
    let minutes = survived.as_secs() / 60;
    let rows = vec![Row {
        load: "a table that refuses everything".to_owned(),
        settings: "defaults".to_owned(),
        carried: format!("{} s until the first dead letter", survived.min(Duration::from_secs(7_200)).as_secs()),
        first_limit: "maxReceiveCount".to_owned(),
        moved_by: "maxReceiveCount and the waits of a failed message",
    }];
    let figures = vec![Figure {
        name: "trouble_survived_minutes",
        goal: Goal::AtLeast(20),
        unit: "minutes, virtual",
        measured: Some(minutes),
    }];
    Measured { rows, figures }
}

fn of_lists(_: &Plan) -> Measured {
    let units = lists::dearest_page_halves(Template::read(), Limits::warmed(FAR_UNITS)).div_ceil(2);
    let rows = vec![Row {
        load: "a page of failed payments among many others, items of almost 4 KB".to_owned(),
        settings: "limit 1, 10 and 100".to_owned(),
        carried: format!("at most {units} read units"),
        first_limit: "a new table's 12,000 read units/s".to_owned(),
        moved_by: "the plans' rates",
    }];
    let figures = vec![Figure {
        name: "list_page_read_units_max",
        goal: Goal::AtMost(120),
        unit: "read units",
        measured: Some(units),
    }];
    Measured { rows, figures }
}

/// The cost of a month with each payment alone, as `make cost` computes it.
fn of_cost(_: &Plan) -> Measured {
    let dollars = || -> Result<u64, String> {
        let load = DailyLoad::of(DAILY_REQUESTS).with(Batches::Alone);
        let known = Known::by(Run::committed()?)?;
        Ok(known.serverless(&load).total().micros().div_ceil(1_000_000))
    };
    let measured = dollars().map_err(|error| eprintln!("  cost: {error}")).ok();
    let goal = Goal::AtMost(275);
    let figures = vec![Figure { name: "dollars_at_500k_a_day", goal, unit: "dollars a month", measured }];
    Measured { rows: Vec::new(), figures }
}

/// What `make bench` has measured by the clock on the wall: these figures need real connections.
fn of_wall_clock(_: &Plan) -> Measured {
    let path = std::env::var("BENCH_JSON").unwrap_or_else(|_| ".local/bench.json".to_owned());
    let bench: Value = std::fs::read(path).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
    let p99 = |of: &str| bench["receivers"][of]["p99_us"].as_u64();
    let measured = p99("alone").zip(p99("beside_hangs")).and_then(|(alone, beside)| (beside * 100).checked_div(alone));
    let (goal, unit) = (Goal::AtMost(200), "hundredths, wall clock, make bench");
    let figures = vec![Figure { name: "neighbour_webhook_p99_ratio", goal, unit, measured }];
    Measured { rows: Vec::new(), figures }
}
