//! Chooses the visible messages that are received next.
//!
//! SQS's fair queues keep one tenant's backlog from delaying the others: the tenant (message group)
//! with the fewest messages in flight is served first. Messages without a group share one turn.

use rusqlite::{Transaction, params};

use super::errors::QueueError;

struct Tenant {
    in_flight: usize,
    /// Its visible messages, the oldest last.
    waiting: Vec<i64>,
}

/// Rows of up to `limit` visible messages, tenants in turn.
pub(super) fn in_turn(read: &Transaction, queue: &str, limit: usize, now: i64) -> Result<Vec<i64>, QueueError> {
    let mut tenants = Vec::new();
    for name in tenant_names(read, queue)? {
        let mut waiting = visible(read, queue, &name, limit, now)?;
        if waiting.is_empty() {
            continue;
        }
        waiting.reverse();
        let in_flight = in_flight(read, queue, &name, now)?;
        tenants.push(Tenant { in_flight, waiting });
    }
    let mut rows = Vec::new();
    while rows.len() < limit {
        let next = tenants.iter_mut().filter(|tenant| !tenant.waiting.is_empty()).min_by_key(|tenant| tenant.in_flight);
        let Some(tenant) = next else { break };
        rows.extend(tenant.waiting.pop());
        tenant.in_flight += 1;
    }
    Ok(rows)
}

/// Rows of up to `limit` visible messages in random order.
pub(super) fn shuffled(read: &Transaction, queue: &str, limit: usize, now: i64) -> Result<Vec<i64>, QueueError> {
    let mut statement =
        read.prepare_cached("SELECT id FROM message WHERE queue = ?1 AND visible_at <= ?2 ORDER BY random() LIMIT ?3")?;
    let rows = statement.query_map(params![queue, now, sql(limit)], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The queue's tenants, one index seek each: a plain DISTINCT would read the whole backlog.
fn tenant_names(read: &Transaction, queue: &str) -> Result<Vec<String>, QueueError> {
    let mut statement = read.prepare_cached(
        "WITH RECURSIVE seek (tenant) AS (
             SELECT MIN(tenant) FROM message WHERE queue = ?1
             UNION ALL
             SELECT (SELECT MIN(tenant) FROM message WHERE queue = ?1 AND tenant > seek.tenant)
             FROM seek WHERE seek.tenant IS NOT NULL
         )
         SELECT tenant FROM seek WHERE tenant IS NOT NULL",
    )?;
    let names = statement.query_map([queue], |row| row.get(0))?;
    Ok(names.collect::<Result<_, _>>()?)
}

fn visible(read: &Transaction, queue: &str, tenant: &str, limit: usize, now: i64) -> Result<Vec<i64>, QueueError> {
    let mut statement = read.prepare_cached(
        "SELECT id FROM message WHERE queue = ?1 AND tenant = ?2 AND visible_at <= ?3
         ORDER BY visible_at, id LIMIT ?4",
    )?;
    let rows = statement.query_map(params![queue, tenant, now, sql(limit)], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn in_flight(read: &Transaction, queue: &str, tenant: &str, now: i64) -> Result<usize, QueueError> {
    let mut statement = read.prepare_cached(
        "SELECT COUNT(*) FROM message
         WHERE queue = ?1 AND tenant = ?2 AND visible_at > ?3 AND receive_count > 0",
    )?;
    Ok(statement.query_row(params![queue, tenant, now], |row| row.get::<_, i64>(0))? as usize)
}

fn sql(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
