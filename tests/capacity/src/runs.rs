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
pub const ALL: [(&str, Part); 8] = [
    ("payments", of_payments),
    ("folds", of_folds),
    ("balance", of_balance),
    ("sweep", of_sweep),
    ("patience", of_patience),
    ("lists", of_lists),
    ("cost", of_cost),
    ("wall_clock", of_wall_clock),
];

fn of_payments(plan: &Plan) -> Measured {
    let template = Template::read();
    // Processor and webhooks work on as many messages as AWS lets a trigger.
    let raised = ["ProcessorConcurrency", "FoldConcurrency", "WebhookConcurrency"]
        .into_iter()
        .fold(template.clone(), |template, parameter| template.with(parameter, 1_000));
    let far = Limits::warmed(FAR_UNITS);
    let load = |merchants, shards| Load { merchants, shards, per_s: 0, seconds: plan.seconds };
    let (shards, rates) = plan.raised;
    let runs = [
        (
            "many merchants",
            "defaults, a new table",
            &template,
            Limits::new_table(),
            load(50, 4),
            plan.new_table,
            "WarmWriteUnits",
        ),
        (
            "many merchants",
            "WarmWriteUnits=40000",
            &template,
            Limits::warmed(40_000),
            load(50, 4),
            plan.warmed,
            "the account's quota of table units, then ProcessorConcurrency",
        ),
        (
            "one merchant, 4 shards",
            "defaults, a warm table",
            &template,
            far.clone(),
            load(1, 4),
            plan.one_merchant,
            "shards of the merchant",
        ),
        (
            "one merchant, raised shards",
            "concurrency 1,000, a warm table",
            &raised,
            far,
            load(1, shards),
            rates,
            "shards of the merchant",
        ),
    ];
    let (mut rows, mut hot) = (Vec::new(), 0);
    for (who, settings, template, limits, load, ladder, moved_by) in runs {
        let (carried, beyond) = payments::highest(template, &limits, &load, ladder);
        if load.merchants == 1 {
            hot = hot.max(carried);
        }
        let tried = ladder.last().copied().unwrap_or_default();
        rows.push(Row {
            load: if who.contains("raised") { format!("one merchant, {} shards", load.shards) } else { who.to_owned() },
            settings: settings.to_owned(),
            carried: format!("{carried} payments/s"),
            first_limit: beyond.map_or_else(|| format!("none up to {tried}"), |outcome| first_limit(&outcome.refusals)),
            moved_by,
        });
    }
    let figures = vec![Figure {
        name: "hot_merchant_payments_per_s",
        goal: Goal::AtLeast(10_000),
        unit: "payments/s, virtual",
        measured: Some(hot.into()),
    }];
    Measured { rows, figures }
}

fn of_folds(plan: &Plan) -> Measured {
    let template = Template::read();
    let row = |shards: u16| {
        let movements = plan.movements * u32::from(shards.div_ceil(4));
        let per_s = folds::per_s(template.clone(), Limits::warmed(FAR_UNITS), shards, movements);
        Row {
            load: format!("folds of one merchant, {shards} shards"),
            settings: format!("{movements} movements at once"),
            carried: format!("{per_s} movements/s"),
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
    // A refusal is no balance.
    let measured = (status == 200).then_some(ms).or(Some(u64::MAX));
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
            format!("{per_minute} a minute"),
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
