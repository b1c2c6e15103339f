//! What the same payments cost on containers with a database that run all day, as many teams build it.
//!
//! At least two tasks in two zones serve requests and work off a queue in the database. Beside them: a load balancer, a
//! NAT gateway in each zone for traffic to card processors and merchants, PostgreSQL with a standby. All is sized for
//! the peak, because it can't grow within a second. The sizes are assumptions; nothing of it was built or measured.

use super::bill::Bill;
use super::deployed::Deployed;
use super::figures::Figures;
use super::load::{HOURS, Load};
use super::money::Quantity;
use super::prices::Prices;
use super::serverless::{BYTES_OF_A_LINE, GB, PROCESSOR_BYTES};

/// Load of the busiest minute as a multiple of the day's mean.
pub const PEAK: u64 = 4;
/// Requests a second that a task of one vCPU and 2 GB serves, including the webhooks and calls that follow.
pub const TASK_CARRIES: u64 = 150;
/// The same for a task of a quarter vCPU and half a GB.
pub const SMALL_TASK_CARRIES: u64 = 30;
/// Payments a second for each vCPU of the database: four transactions each, with entries, events and a queue.
pub const DATABASE_CARRIES: u64 = 50;
/// Payments a second that the smallest database serves: its two vCPUs are shared.
pub const SMALL_DATABASE_CARRIES: u64 = 20;
/// vCPUs of the sizes of db.m7g.
const DATABASE_CPUS: [u64; 7] = [2, 4, 8, 16, 32, 48, 64];
/// Smallest sensible size of the database.
const DATABASE_GB: u64 = 20;
const ZONES: u64 = 2;
/// Bytes of a client's request.
const REQUEST_BYTES: u64 = 1000;
/// Requests of a client on one connection.
const REQUESTS_OF_A_CONNECTION: u128 = 10;
/// New connections a second in one capacity unit of the load balancer.
const CONNECTIONS_OF_A_UNIT: u128 = 25;

/// Size of the container stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Tasks.
    pub tasks: u64,
    /// Size of each task, in quarters of a vCPU with half a GB.
    pub quarters: u64,
    /// vCPUs of the database; `None`: the smallest.
    pub database_cpus: Option<u64>,
}

impl Size {
    /// Size for the peak of this load.
    pub fn of(load: &Load) -> Size {
        let peak = (load.requests_a_day * PEAK).div_ceil(86_400);
        let payments = (load.requests_a_day * load.payments_percent * PEAK).div_ceil(86_400 * 100);
        let (tasks, quarters) =
            if peak <= SMALL_TASK_CARRIES { (ZONES, 1) } else { (peak.div_ceil(TASK_CARRIES).max(ZONES), 4) };
        let cpus = payments.div_ceil(DATABASE_CARRIES);
        let most = DATABASE_CPUS[DATABASE_CPUS.len() - 1];
        // Beyond the largest size, several databases share the merchants.
        let fitting = DATABASE_CPUS.into_iter().find(|size| *size >= cpus).unwrap_or(cpus.div_ceil(most) * most);
        Size { tasks, quarters, database_cpus: (payments > SMALL_DATABASE_CARRIES).then_some(fitting) }
    }

    /// The size in words.
    pub fn shown(&self) -> String {
        let task = if self.quarters == 1 { "0.25 vCPU" } else { "1 vCPU" };
        let database = match self.database_cpus {
            None => "db.t4g.medium".to_owned(),
            Some(cpus) => format!("db.m7g with {cpus} vCPU"),
        };
        format!("{} tasks of {task}, {database}", self.tasks)
    }
}

/// The bill for a month of this load.
pub fn bill(load: &Load, figures: &Figures, deployed: &Deployed, prices: &Prices) -> Bill {
    let size = Size::of(load);
    let hours = Quantity::whole(HOURS);
    let quarters = hours * (size.tasks * size.quarters);
    let of_payments = |each: u64| load.payments().share(u128::from(each), u128::from(figures.alone.count));
    // Answers, webhooks and log lines have the same size as with functions. Incoming traffic is smaller than outgoing.
    let all = figures.alone.all();
    let gets: Quantity =
        ["get-payment", "list-payments", "get-balance"].iter().map(|name| answers(load, figures, name)).sum();
    let out = of_payments(all.bytes_out) + load.payments() * PROCESSOR_BYTES + gets;
    let webhooks = figures.alone.functions.get("deliver-webhook").copied().unwrap_or_default().bytes_out;
    let through_nat = of_payments(webhooks) + load.payments() * PROCESSOR_BYTES;
    let served = load.requests() * REQUEST_BYTES + out;
    // One line for each request, charge, fold and webhook; forwarding is within the database.
    let lines = ["create-payment", "call-processor", "fold-balance", "deliver-webhook"];
    let lines = lines.iter().filter_map(|name| figures.alone.functions.get(*name));
    let log_bytes = of_payments(lines.map(|used| used.log_bytes + used.log_lines * BYTES_OF_A_LINE).sum());
    let kept_gb = load.stored_gb(figures, deployed.retention_days);
    let connections = load.requests().share(1, REQUESTS_OF_A_CONNECTION * CONNECTIONS_OF_A_UNIT * 3600);

    let mut bill = Bill::default();
    let mut add = |price: &str, quantity: Quantity| bill.add(prices.get(price), quantity);
    add("task_cpu_hour", quarters.share(1, 4));
    add("task_gb_hour", quarters.share(1, 2));
    add("balancer_hour", hours);
    // The largest of the three dimensions counts.
    add("balancer_unit_hour", served.share(1, GB).max(connections));
    add("nat_hour", hours * ZONES);
    add("nat_gb", (through_nat * 2).share(1, GB));
    match size.database_cpus {
        None => add("database_medium_hour", hours),
        Some(cpus) => add("database_large_hour", hours * cpus),
    }
    add("database_gb", kept_gb.max(Quantity::whole(DATABASE_GB)));
    add("log_gb", log_bytes.share(1, GB));
    add("log_kept_gb", log_bytes.share(15, 100 * GB));
    add("metric", Quantity::whole(deployed.metrics));
    add("alarm_metric", Quantity::whole(deployed.alarm_metrics));
    add("composite_alarm", Quantity::whole(deployed.composite_alarms));
    add("dashboard", Quantity::whole(deployed.dashboards));
    add("out_gb", out.share(1, GB));
    bill
}

fn answers(load: &Load, figures: &Figures, name: &str) -> Quantity {
    let percent = match name {
        "get-payment" => load.gets_percent(),
        "list-payments" => load.lists_percent,
        _ => load.balances_percent,
    };
    let Some(measured) = figures.requests.get(name) else { return Quantity::default() };
    load.of_requests(percent).share(u128::from(measured.all().bytes_out), u128::from(measured.count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_sized_for_the_peak() {
        let size = |requests| Size::of(&Load::of(requests)).shown();
        // 5,000 a day are 1 a second at the peak, 500,000 are 24, of which 12 pay.
        assert_eq!(size(5_000), "2 tasks of 0.25 vCPU, db.t4g.medium");
        assert_eq!(size(500_000), "2 tasks of 0.25 vCPU, db.t4g.medium");
        // 5 million: 232 a second, of which 116 pay: two tasks of 150, three vCPUs.
        assert_eq!(size(5_000_000), "2 tasks of 1 vCPU, db.m7g with 4 vCPU");
        // 50 million: 2,315 a second, of which 1,158 pay: 16 tasks, 24 vCPUs.
        assert_eq!(size(50_000_000), "16 tasks of 1 vCPU, db.m7g with 32 vCPU");
        // A billion: 46,297 a second, of which 23,149 pay: 309 tasks, 463 vCPUs, eight times the largest.
        assert_eq!(size(1_000_000_000), "309 tasks of 1 vCPU, db.m7g with 512 vCPU");
    }

    #[test]
    fn a_small_stack_costs_the_sum_of_its_parts() {
        let bill = bill(&Load::of(5_000), &Figures::default(), &Deployed::read(), &Prices::read().unwrap());
        let is = |what: &str, dollars: &str| assert_eq!(bill.dollars(what).shown(), dollars, "{what}");
        // Two tasks, 730 hours: 365 vCPU-hours at 0.03238, 730 GB-hours at 0.00356.
        is("Fargate, arm64: vCPU", "11.82");
        is("Fargate, arm64: memory", "2.60");
        // 730 hours at 0.0225, twice as many at 0.045, 730 at 0.13; 20 GB at 0.23.
        is("Application Load Balancer", "16.43");
        is("NAT gateways", "65.70");
        is("RDS PostgreSQL, Multi-AZ, db.t4g.medium", "94.90");
        is("RDS PostgreSQL, Multi-AZ: gp3 storage", "4.60");
    }
}
