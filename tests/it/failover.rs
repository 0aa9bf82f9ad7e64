//! Servers that go away in the middle of COMMIT, and come back: as they were, or as somebody else.

use crate::support::instance::Instance;
use crate::support::live::Live;

/// COMMIT takes long until the server has been started again: the transaction's id is on disk, and its fate is open.
const SLOW: &str = "CREATE TABLE t (a int); CREATE TABLE began AS SELECT pg_postmaster_start_time() AS at; \
    CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF pg_postmaster_start_time() = \
    (SELECT at FROM began) THEN PERFORM pg_sleep(60); END IF; RETURN NULL; END'; \
    CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slow()";

const COMMITTING: &str =
    "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE state = 'active' AND query = 'COMMIT')";

/// A sandbox that finds whichever of the servers takes writes.
fn live(servers: &[&Instance]) -> Live {
    let ports: Vec<String> = servers.iter().map(|server| server.port.to_string()).collect();
    let hosts = vec!["127.0.0.1"; servers.len()].join(",");
    Live::new()
        .variable("PGHOST", &hosts)
        .variable("PGPORT", &ports.join(","))
        .variable("PGDATABASE", "postgres")
        .variable("PGTARGETSESSIONATTRS", "read-write")
}

#[test]
fn a_server_that_crashed_during_commit_is_asked_when_it_is_back() {
    let mut primary = Instance::primary();
    primary.psql(SLOW);
    let live = live(&[&primary]);
    let body = r"
steps:
  - id: change
    retry: { attempts: 2 }
    sql: INSERT INTO t VALUES (1)
    rollback: { none: a trial }
";
    let mut running = live.start(body, &[]);
    running.wait_for("step_traced", "change");
    primary.wait(COMMITTING);
    primary.crash();
    primary.start();
    // Nothing was committed, which the server itself says, so the second attempt is the only one that counts.
    let ran = running.finish();
    assert_eq!(ran.exit, Some(0), "{ran:?}");
    assert!(ran.stdout.contains("the other side says so"), "{}", ran.stdout);
    assert_eq!(primary.psql("SELECT count(*) FROM t"), "1");
}

#[test]
fn a_promoted_standby_is_not_asked_for_a_transaction_of_the_old_primary() {
    let mut primary = Instance::primary();
    primary.psql(SLOW);
    let standby = Instance::standby_of(&primary);
    standby.wait("SELECT to_regclass('t') IS NOT NULL");
    let live = live(&[&primary, &standby]);
    let mut running = live.start(
        "steps:\n  - { id: change, sql: INSERT INTO t VALUES (1), rollback: [{ id: back, sql: DELETE FROM t }] }\n",
        &[],
    );
    running.wait_for("step_traced", "change");
    primary.wait(COMMITTING);
    primary.crash();
    standby.promote();
    // Other transactions get the numbers that the lost one had.
    for _ in 0..20 {
        standby.psql("CREATE TABLE IF NOT EXISTS other (a int); INSERT INTO other VALUES (1)");
    }
    let ran = running.finish().exits(4);
    let transaction = ran.events("step_traced", "change").next().unwrap()["trace"]["transaction_id"].clone();
    let word = standby.psql(&format!("SELECT txid_status({})", transaction.as_str().unwrap()));
    assert_eq!(word, "committed", "the standby would have lied");
    assert_eq!(ran.state("change"), "uncertain");
    assert!(ran.failure("change").contains("timeline"), "{}", ran.failure("change"));
    assert_eq!(ran.events.last().unwrap()["event"], "run_paused");
    assert_eq!(standby.psql("SELECT count(*) FROM t"), "0");
    // Nobody undoes what nobody knows.
    let back = live.rollback(&[]).exits(4);
    assert_eq!(back.undone("change"), "stuck");
}
