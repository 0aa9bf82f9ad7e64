//! A real server: started, filled, looked at through psql, stopped.

use std::collections::HashMap;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{ChildStdin, ChildStdout};

use super::*;
use crate::demo::{DATABASE, DEFAULT_SCALE, find, live_sessions, setup};
use crate::model::ProcessEnvironment;

/// A psql that stays open, so that several sessions can wait for each other.
struct Psql {
    _child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Psql {
    fn open(dsn: &str) -> Self {
        let mut command = Command::new("psql");
        command
            .args(["-X", "-q", "-A", "-t", dsn])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.kill_on_drop(true).spawn().expect("psql is installed");
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { _child: child, input, output: BufReader::new(output).lines() }
    }

    async fn send(&mut self, sql: &str) {
        self.input.write_all(format!("{sql}\n;\n\\echo done: :SQLSTATE\n").as_bytes()).await.unwrap();
    }

    /// The SQLSTATE and the rows.
    async fn run(&mut self, sql: &str) -> (String, Vec<String>) {
        self.send(sql).await;
        let mut rows = Vec::new();
        while let Some(line) = self.output.next_line().await.unwrap() {
            match line.strip_prefix("done: ") {
                Some(state) => return (state.to_owned(), rows),
                None => rows.push(line),
            }
        }
        panic!("psql ended in: {sql}");
    }
}

fn environment() -> ProcessEnvironment {
    let variables = [("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned())].into();
    ProcessEnvironment { variables, ..ProcessEnvironment::default() }
}

async fn start() -> DemoServer {
    let binaries =
        find(&environment()).await.expect("a PostgreSQL server is installed: try the package `postgresql`");
    DemoServer::start(&binaries, &mut |_| ()).await.unwrap()
}

async fn fill(server: &DemoServer) {
    let mut sessions: HashMap<_, Psql> = HashMap::new();
    for statement in setup(DEFAULT_SCALE) {
        let key = (statement.database, statement.role);
        let session = sessions.entry(key).or_insert_with(|| Psql::open(&server.dsn(key.1, key.0)));
        let (state, _) = session.run(&statement.sql).await;
        assert_eq!(state, statement.expect_error.unwrap_or("00000"), "{}", statement.sql);
    }
}

async fn check(session: &mut Psql, sql: &str, expected: &[&str]) {
    assert_eq!(
        session.run(sql).await,
        ("00000".to_owned(), expected.iter().map(|&row| row.to_owned()).collect()),
        "{sql}"
    );
}

#[test]
fn values_of_connection_strings_are_quoted() {
    assert_eq!(quote("a'b\\c d"), "'a\\'b\\\\c d'");
}

#[tokio::test]
async fn a_dropped_server_leaves_nothing() {
    let server = start().await;
    let directory = server.socket_dir.parent().unwrap().to_path_buf();
    let pid = server.running.as_ref().and_then(|(child, _)| child.id()).unwrap();
    drop(server);
    assert!(!directory.exists());
    assert!(!PathBuf::from(format!("/proc/{pid}")).exists());
}

#[tokio::test]
async fn every_planted_problem_is_there() {
    let server = start().await;
    fill(&server).await;
    let mut psql = Psql::open(&server.dsn(&server.superuser, DATABASE));
    for (sql, expected) in LASTING {
        check(&mut psql, sql, expected).await;
    }
    let live = open_live_sessions(&server).await;
    for (sql, expected) in LIVE {
        check(&mut psql, sql, expected).await;
    }
    drop(live);
    let directory = server.socket_dir.parent().unwrap().to_path_buf();
    server.stop().await.unwrap();
    assert!(!directory.exists());
}

async fn open_live_sessions(server: &DemoServer) -> Vec<Psql> {
    let mut open = Vec::new();
    for session in live_sessions() {
        let dsn =
            format!("{} application_name={}", server.dsn(session.user, DATABASE), session.application_name);
        let mut psql = Psql::open(&dsn);
        let (last, first) = session.statements.split_last().unwrap();
        for statement in first {
            psql.run(statement).await;
        }
        if session.hold {
            psql.send(last).await;
            tokio::time::sleep(Duration::from_millis(200)).await;
        } else {
            psql.run(last).await;
        }
        open.push(psql);
    }
    open
}

/// Problems that last, as questions with their answers; the numbers are those of the list of problems.
const LASTING: &[(&str, &[&str])] = &[
    ("SELECT approx_free_percent > 60 FROM pgstattuple_approx('audit_log')", &["t"]), // 1
    ("SELECT avg_leaf_density < 20 FROM pgstatindex('audit_log_pkey')", &["t"]),      // 2
    ("SELECT n_dead_tup > 10000, 3 * n_dead_tup >= n_live_tup FROM pg_stat_user_tables WHERE relname = 'inventory'", &["t|t"]), // 3
    (
        "SELECT indexrelid::regclass FROM pg_stat_user_indexes JOIN pg_index USING (indexrelid)
         WHERE idx_scan = 0 AND NOT indisunique AND indisvalid AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = indexrelid) ORDER BY indexrelid::regclass::text COLLATE \"C\"",
        &["idx_order_lines_order", "idx_order_lines_order_id", "idx_orders_legacy_ref"], // 4, 5
    ),
    (
        "SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid ORDER BY indexrelid::regclass::text COLLATE \"C\"",
        &["idx_orders_status_ccnew", "idx_products_barcode"], // 6, 7
    ),
    ("SELECT calls FROM pg_stat_statements WHERE query LIKE 'SELECT sum(qty), count(*) FROM order_lines%'", &["60"]), // 8
    ("SELECT seq_scan > 50 AND seq_tup_read / seq_scan > 10000 FROM pg_stat_user_tables WHERE relname = 'order_lines'", &["t"]), // 8
    // Nothing is stale that was not meant to be.
    ("SELECT relname FROM pg_stat_user_tables WHERE 10 * n_mod_since_analyze > n_live_tup AND n_mod_since_analyze > 0 ORDER BY 1", &["carrier_rates", "inventory"]),
    ("SELECT n_mod_since_analyze FROM pg_stat_user_tables WHERE relname = 'carrier_rates'", &["50000"]), // 9
    ("SELECT pg_total_relation_size('audit_log') > 5000000", &["t"]), // 14
    ("SELECT round(100.0 * last_value / max_value) FROM pg_sequences WHERE sequencename = 'audit_log_id_seq'", &["95"]), // 15
    ("SELECT conname FROM pg_constraint WHERE NOT convalidated", &["orders_total_nonneg"]), // 16
    ("SELECT slot_name FROM pg_replication_slots WHERE NOT active", &["demo_orphan"]),      // 17
    ("SELECT count(*) > 0 FROM stock_movements_default", &["t"]),
];

/// Problems that sessions cause.
const LIVE: &[(&str, &[&str])] = &[
    ("SELECT application_name FROM pg_stat_activity WHERE state = 'idle in transaction'", &["wms-batch"]), // 10
    ("SELECT application_name FROM pg_stat_activity WHERE wait_event = 'PgSleep'", &["wms-report"]),       // 11
    (
        "SELECT count(*), count(DISTINCT pg_blocking_pids(pid)::text) FROM pg_stat_activity WHERE cardinality(pg_blocking_pids(pid)) > 0",
        &["3|3"], // 12
    ),
    (
        "SELECT 100 * count(*) > 80 * (current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int)
         FROM pg_stat_activity WHERE usename = 'wms_user'",
        &["t"], // 13
    ),
];

#[tokio::test]
async fn a_closed_session_ends_what_it_waited_for() {
    let server = start().await;
    let mut psql = Psql::open(&server.dsn(&server.superuser, "postgres"));
    let mut sleeper = Psql::open(&server.dsn(&server.superuser, "postgres"));
    sleeper.send("SELECT pg_sleep(600)").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    check(&mut psql, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'", &["1"]).await;
    drop(sleeper);
    tokio::time::sleep(Duration::from_secs(3)).await;
    check(&mut psql, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'", &["0"]).await;
    server.stop().await.unwrap();
}
