//! PostgreSQL sessions against a real server: ways in, ways out, and everything between.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use runbook::connect::postgres::{
    Address, ConnectError, ProgressView, QueryError, QueryErrorKind, ResultLimits, Session, SessionOptions,
    Stage, StatementResult, Target, TransactionStatus, blockers, extensions, identity, missing_roles,
    progress, resolve,
};
use runbook::model::{ProcessEnvironment, Secret};
use serde_json::{Value, json};

use crate::support::postgres::{PASSWORD, Server, binary, server};

fn environment(variables: &[(&str, &str)], home: Option<&Path>) -> ProcessEnvironment {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    ProcessEnvironment {
        variables: variables.collect(),
        home: home.map(Path::to_owned),
        user: "postgres".to_owned(),
        directory: "/".into(),
    }
}

fn target(dsn: &str) -> Result<Target, ConnectError> {
    let address = Address { dsn: Some(dsn.to_owned()), ..Address::default() };
    resolve(&address, &environment(&[], None))
}

async fn connect(dsn: &str) -> Result<Session, ConnectError> {
    let options = SessionOptions { connect_timeout: Duration::from_secs(10), ..SessionOptions::default() };
    Session::open(&target(dsn)?, &options).await
}

fn socket(server: &Server, database: &str) -> String {
    format!("host={} port={} user=postgres dbname={database}", server.directory.display(), server.port)
}

fn tcp(server: &Server, rest: &str) -> String {
    format!("host=localhost hostaddr=127.0.0.1 port={} dbname=postgres {rest}", server.port)
}

pub(crate) async fn local() -> Session {
    let server = server();
    connect(&socket(server, &server.database())).await.unwrap()
}

pub(crate) async fn run(session: &mut Session, sql: &str) -> Result<StatementResult, QueryError> {
    session.run(sql, &ResultLimits::default()).await
}

pub(crate) async fn value(session: &mut Session, sql: &str) -> Value {
    run(session, sql).await.unwrap().rows[0][0].clone()
}

#[tokio::test]
async fn every_sslmode_encrypts_and_checks_as_libpq_does() {
    let server = server();
    let root = server.file("root.crt");
    let stranger = server.file("stranger.crt");
    let encrypted = async |rest: &str| -> Result<bool, String> {
        let mut session = connect(&tcp(server, rest)).await.map_err(|error| error.to_string())?;
        let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        Ok(value(&mut session, sql).await == json!(true))
    };
    for (rest, expected) in [
        ("user=postgres sslmode=disable", false),
        ("user=postgres sslmode=allow", false),
        ("user=tls_only sslmode=allow", true),
        ("user=postgres sslmode=prefer", true),
        ("user=plain_only sslmode=prefer", false),
        ("user=postgres sslmode=require", true),
        (&format!("user=postgres sslmode=require sslrootcert={root}"), true),
        (&format!("user=postgres sslmode=prefer sslrootcert={stranger}"), false),
        (&format!("user=postgres sslmode=verify-ca sslrootcert={root}"), true),
        (&format!("user=postgres sslmode=verify-full sslrootcert={root}"), true),
        (&format!("host=other user=postgres sslmode=verify-ca sslrootcert={root}"), true),
        (&format!("user=postgres sslmode=verify-full sslrootcert={}", server.file("server.crt")), true),
    ] {
        assert_eq!(encrypted(rest).await, Ok(expected), "{rest}");
    }
    for (rest, expected) in [
        ("user=tls_only sslmode=disable", "pg_hba.conf rejects connection"),
        ("user=plain_only sslmode=require", "pg_hba.conf rejects connection"),
        (&format!("user=postgres sslmode=require sslrootcert={stranger}"), "not signed by a trusted root"),
        (&format!("user=postgres sslmode=verify-ca sslrootcert={stranger}"), "not signed by a trusted root"),
        (&format!("host=other user=postgres sslmode=verify-full sslrootcert={root}"), "for another host"),
        ("user=postgres sslmode=verify-ca", "root certificate file"),
        ("user=postgres sslmode=verify-ca sslrootcert=system", "needs `sslmode=verify-full`"),
        ("user=postgres sslmode=sometimes", "`sometimes` is not a value of `sslmode`"),
    ] {
        let error = encrypted(rest).await.unwrap_err();
        assert!(error.contains(expected), "{rest}: {error}");
    }
}

#[tokio::test]
async fn a_client_certificate_logs_in() {
    let server = server();
    let dsn = tcp(server, "user=cert_user sslmode=require");
    let with = format!("{dsn} sslcert={} sslkey={}", server.file("client.crt"), server.file("client.key"));
    let mut session = connect(&with).await.unwrap();
    assert_eq!(value(&mut session, "SELECT current_user").await, json!("cert_user"));
    assert!(connect(&dsn).await.is_err());
}

#[tokio::test]
async fn passwords_come_from_where_libpq_finds_them() {
    let server = server();
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join(".pgpass");
    std::fs::write(&file, format!("localhost:{}:*:scram_user:{PASSWORD}\n", server.port)).unwrap();
    let open = async |variables: &[(&str, &str)], ambient: bool, password: Option<&str>| {
        let dsn = Some(tcp(server, "user=scram_user"));
        let password = password.map(Secret::new);
        let address = Address { dsn, fields: BTreeMap::new(), password, ambient };
        let target = resolve(&address, &environment(variables, Some(home.path()))).unwrap();
        (Session::open(&target, &SessionOptions::default()).await, target.notes)
    };
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let (refused, notes) = open(&[], true, None).await;
    assert!(matches!(refused, Err(ConnectError::NoPassword { .. })), "{refused:?}");
    assert!(notes[0].contains("0600"), "{notes:?}");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert!(open(&[], true, None).await.0.is_ok());
    assert!(open(&[], false, None).await.0.is_err(), "nothing ambient is used");
    assert!(open(&[("PGPASSWORD", PASSWORD)], true, None).await.0.is_ok());
    assert!(open(&[], false, Some(PASSWORD)).await.0.is_ok());
    let wrong = open(&[], true, Some("wrong")).await.0.unwrap_err();
    assert_eq!(wrong.sqlstate(), Some("28P01"));
    assert!(wrong.to_string().contains("the password given with the address"), "{wrong}");
    assert!(!format!("{wrong:?}").contains("wrong\""));
}

#[tokio::test]
async fn authentication_can_be_required() {
    let server = server();
    let open = async |rest: &str| connect(&tcp(server, &format!("{rest} password='{PASSWORD}'"))).await;
    for rest in [
        "user=scram_user require_auth=scram-sha-256",
        "user=scram_user require_auth=!md5,!password",
        "user=md5_user require_auth=md5,scram-sha-256",
        "user=postgres require_auth=none",
        "user=scram_user channel_binding=require sslmode=require",
        "user=scram_user channel_binding=disable sslmode=require",
    ] {
        assert!(open(rest).await.is_ok(), "{rest}: {:?}", open(rest).await);
    }
    for rest in ["user=md5_user require_auth=scram-sha-256", "user=postgres require_auth=!none"] {
        let error = open(rest).await.unwrap_err();
        assert!(matches!(error, ConnectError::Method { .. }), "{rest}: {error}");
    }
    assert!(open("user=scram_user channel_binding=require sslmode=disable").await.is_err());
    assert!(open("user=scram_user require_auth=magic").await.is_err());
}

#[tokio::test]
async fn a_service_beats_the_environment_and_an_explicit_setting_beats_both() {
    let server = server();
    let home = tempfile::tempdir().unwrap();
    let text = format!(
        "[wms]\nhost={}\nport={}\nuser=postgres\ndbname=template1\napplication_name=from_service\n",
        server.directory.display(),
        server.port
    );
    std::fs::write(home.path().join(".pg_service.conf"), text).unwrap();
    let variables = [("PGDATABASE", "nowhere"), ("PGAPPNAME", "from_env"), ("PGSERVICE", "wms")];
    let open = async |dsn: Option<&str>, ambient| {
        let address = Address { dsn: dsn.map(str::to_owned), ambient, ..Address::default() };
        let target = resolve(&address, &environment(&variables, Some(home.path()))).unwrap();
        let mut session = Session::open(&target, &SessionOptions::default()).await.unwrap();
        value(&mut session, "SELECT current_database() || ' ' || current_setting('application_name')").await
    };
    assert_eq!(open(None, true).await, json!("template1 from_service"));
    assert_eq!(open(Some("dbname=postgres"), true).await, json!("postgres from_service"));
    assert_eq!(open(Some("service=wms application_name=x"), false).await, json!("template1 x"));
}

#[tokio::test]
async fn several_hosts_and_kinds_of_server() {
    let server = server();
    let hosts = format!(
        "host=/nowhere,{0} port=1,{1} user=postgres dbname=postgres",
        server.directory.display(),
        server.port
    );
    for (wanted, works) in [
        ("any", true),
        ("read-write", true),
        ("primary", true),
        ("prefer-standby", true),
        ("read-only", false),
        ("standby", false),
    ] {
        let outcome = connect(&format!("{hosts} target_session_attrs={wanted}")).await;
        assert_eq!(outcome.is_ok(), works, "{wanted}: {outcome:?}");
    }
    let error = connect(&format!("{hosts} target_session_attrs=standby")).await.unwrap_err();
    assert!(matches!(&error, ConnectError::AllFailed { attempts } if attempts.len() == 2), "{error}");
    assert!(connect(&format!("{hosts} load_balance_hosts=random")).await.is_ok());
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    let server = server();
    let check = async |dsn: String, message: &str, help: &str| {
        let error = connect(&dsn).await.unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
        assert!(error.help().contains(help), "{error}: {}", error.help());
    };
    check(socket(server, "nowhere"), "database \"nowhere\" does not exist", "psql -l").await;
    check(tcp(server, "user=nobody sslmode=disable"), "no pg_hba.conf entry", "pg_hba.conf").await;
    check("host=/nowhere".to_owned(), "No such file", "unix_socket_directories").await;
    check("host=127.0.0.1 port=1".to_owned(), "refused", "listen_addresses").await;
    check("host=no.such.host.invalid".to_owned(), "has no address", "spelling").await;
    check("host=h sslmod=require".to_owned(), "unknown setting `sslmod`", "`sslmode`").await;
    check("service=nope".to_owned(), "service `nope` is not defined", "[nope]").await;
    check("host=h gssencmode=require".to_owned(), "`gssencmode` is not supported", "Leave").await;
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let error = connect(&format!("host=127.0.0.1 port={port} connect_timeout=1")).await.unwrap_err();
    assert!(matches!(error, ConnectError::Timeout { .. }), "{error}");
}

#[tokio::test]
async fn values_have_their_types() {
    let mut session = local().await;
    run(&mut session, "CREATE TYPE mood AS ENUM ('ok', 'bad')").await.unwrap();
    run(&mut session, "CREATE DOMAIN small AS int CHECK (VALUE < 100)").await.unwrap();
    for (sql, expected) in [
        ("1::int2", json!(1)),
        ("9223372036854775807", json!(9_223_372_036_854_775_807_i64)),
        ("4294967295::oid", json!(4_294_967_295_u32)),
        ("12.00::numeric", json!(12)),
        ("0.25::numeric", json!(0.25)),
        ("'NaN'::float8", json!("NaN")),
        ("5::float8", json!(5.0)),
        ("true", json!(true)),
        ("interval '1 month 2 days 03:04:05.5'", json!(2_775_845.5)),
        ("interval '5 min'", json!(300)),
        ("'2026-01-02 03:04:05+02'::timestamptz", json!("2026-01-02T01:04:05.000000Z")),
        ("'infinity'::timestamptz", json!("infinity")),
        ("'2026-01-02'::date", json!("2026-01-02")),
        ("'{\"a\": [1, null]}'::jsonb", json!({"a": [1, null]})),
        ("ARRAY[1, NULL, 3]", json!([1, null, 3])),
        ("ARRAY['a,b', 'NULL', NULL, '\"']", json!(["a,b", "NULL", null, "\""])),
        ("ARRAY[[1, 2], [3, 4]]", json!([[1, 2], [3, 4]])),
        ("'[0:1]={7,8}'::int[]", json!([7, 8])),
        ("NULL::int", Value::Null),
        ("'x'::bytea", json!("\\x78")),
        ("'pg_class'::regclass", json!("pg_class")),
        ("'ok'::mood", json!("ok")),
        ("ARRAY['ok', 'bad']::mood[]", json!(["ok", "bad"])),
        ("7::small", json!(7)),
        ("ARRAY[7]::small[]", json!([7])),
        ("'1 2'::int2vector", json!([1, 2])),
        ("row(1, 'a')", json!("(1,a)")),
    ] {
        assert_eq!(value(&mut session, &format!("SELECT {sql}")).await, expected, "{sql}");
    }
    let result = run(&mut session, "SELECT 1 AS a, 'ok'::mood AS b, ARRAY['ok']::mood[] AS c").await.unwrap();
    let columns: Vec<(&str, &str)> = result.columns.iter().map(|c| (&*c.name, &*c.type_name)).collect();
    assert_eq!(columns, [("a", "int4"), ("b", "mood"), ("c", "_mood")]);
    let shown = run(&mut session, "SHOW server_version_num").await.unwrap();
    assert_eq!(shown.rows[0][0], json!(server().version.to_string()));
}

#[tokio::test]
async fn arguments_are_values_never_text() {
    let mut session = local().await;
    let limits = ResultLimits::default();
    let sql = "SELECT $1::int, $2::text, $3::text[], $4::jsonb, $5::bool, $6::interval, $7::int[]";
    let arguments = [
        json!(7),
        json!("it's \\ \"x\"; DROP"),
        json!(["a", null, "b,\"c\\"]),
        json!({"k": "v'"}),
        json!(null),
        json!("1h"),
        json!([]),
    ];
    let result = session.run_with(sql, &arguments, &limits).await.unwrap();
    let expected = [
        json!(7),
        arguments[1].clone(),
        arguments[2].clone(),
        arguments[3].clone(),
        json!(null),
        json!(3600),
        json!([]),
    ];
    assert_eq!(result.rows, [expected]);
    let error = session.run_with("SELECT $1::int + nope", &[json!(1)], &limits).await.unwrap_err();
    assert_eq!((error.sqlstate(), error.server().unwrap().position), (Some("42703"), Some(17)));
    let error = session.run_with("SELECT $1::int", &[json!("x")], &limits).await.unwrap_err();
    assert_eq!(error.sqlstate(), Some("22P02"));
    run(&mut session, "CREATE TABLE t(a int)").await.unwrap();
    let written = session.run_with("INSERT INTO t VALUES ($1), ($1)", &[json!(1)], &limits).await.unwrap();
    assert_eq!((written.affected, &*written.tag), (Some(2), "INSERT 0 2"));
    assert_eq!(value(&mut session, "SELECT count(*) FROM pg_prepared_statements").await, json!(0));
}

#[tokio::test]
async fn errors_point_into_the_statement() {
    let mut session = local().await;
    let error = run(&mut session, "SELECT 'é', nope").await.unwrap_err();
    assert_eq!(error.server().unwrap().position, Some("SELECT 'é', ".len()));
    assert!(!error.is_connection_lost());
    assert_eq!(value(&mut session, "SELECT 1").await, json!(1));
    assert!(run(&mut session, "COPY pg_class TO STDOUT").await.is_err());
    assert!(run(&mut session, "SELECT '\0'").await.is_err());
    assert_eq!(value(&mut session, "SELECT 2").await, json!(2));
}

#[tokio::test]
async fn long_results_are_counted_not_kept() {
    let mut session = local().await;
    let limits = ResultLimits { max_rows: 3, ..ResultLimits::default() };
    let result = session.run("SELECT generate_series(1, 500000)", &limits).await.unwrap();
    assert_eq!((result.rows.len(), result.row_count, result.truncated), (3, 500_000, true));
    let limits = ResultLimits { max_bytes: 1000, ..ResultLimits::default() };
    let result = session.run("SELECT repeat('x', 400) FROM generate_series(1, 10)", &limits).await.unwrap();
    assert_eq!((result.rows.len(), result.row_count, result.truncated), (2, 10, true));
}

#[tokio::test]
async fn pipelines_stop_at_the_first_failure() {
    let mut session = local().await;
    let limits = ResultLimits::default();
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    run(&mut session, "CREATE TABLE t(a int UNIQUE DEFERRABLE INITIALLY DEFERRED)").await.unwrap();
    let wrapped = (texts(&["BEGIN", "SET LOCAL lock_timeout = '1s'"]), texts(&["COMMIT"]));
    let result =
        session.pipeline(&wrapped.0, "INSERT INTO t VALUES (1) RETURNING a", None, &wrapped.1, &limits).await;
    assert_eq!(result.unwrap().rows, [[json!(1)]]);
    let error = session.pipeline(&wrapped.0, "INSERT INTO t VALUES (1)", None, &wrapped.1, &limits).await;
    let error = error.unwrap_err();
    assert_eq!((error.stage, error.sqlstate()), (Stage::After(0), Some("23505")), "deferred to COMMIT");
    assert_eq!(session.transaction_status(), TransactionStatus::Idle, "a failed COMMIT ends the transaction");
    let before = texts(&["SET lock_timeout = 'nonsense'"]);
    let error = session.pipeline(&before, "INSERT INTO t VALUES (2)", None, &[], &limits).await.unwrap_err();
    assert_eq!(error.stage, Stage::Before(0));
    assert_eq!(value(&mut session, "SELECT count(*) FROM t").await, json!(1), "nothing ran behind a failure");
    let error = session.pipeline(&wrapped.0, "SELECT nope", None, &wrapped.1, &limits).await.unwrap_err();
    assert_eq!((error.stage, error.sqlstate()), (Stage::Statement, Some("42703")));
    assert_eq!(session.transaction_status(), TransactionStatus::Idle);
}

#[tokio::test]
async fn a_commit_that_rolled_back_is_an_error() {
    let mut session = local().await;
    run(&mut session, "BEGIN").await.unwrap();
    assert_eq!(session.transaction_status(), TransactionStatus::Open);
    run(&mut session, "SELECT nope").await.unwrap_err();
    assert_eq!(session.transaction_status(), TransactionStatus::Failed);
    assert!(matches!(run(&mut session, "COMMIT").await.unwrap_err().kind, QueryErrorKind::Protocol(_)));
    assert_eq!(session.transaction_status(), TransactionStatus::Idle);
}

#[tokio::test]
async fn notices_come_with_the_result() {
    let mut session = local().await;
    let sql = "DO $$ BEGIN RAISE WARNING 'careful' USING HINT = 'slow'; RAISE NOTICE 'fyi'; END $$";
    for _ in 0..50 {
        let notices = run(&mut session, sql).await.unwrap().notices;
        assert_eq!(notices.len(), 2);
        assert!(notices[0].is_warning() && notices[0].hint.as_deref() == Some("slow"));
    }
    let quiet = run(&mut session, "SELECT 1").await.unwrap();
    assert_eq!(quiet.notices, []);
    let flood = "DO $$ BEGIN FOR i IN 1..5000 LOOP RAISE NOTICE '%', i; END LOOP; END $$";
    assert_eq!(run(&mut session, flood).await.unwrap().notices.len(), 1001);
}

#[tokio::test]
async fn cancelling_ends_the_statement_only() {
    let server = server();
    let dsns = [
        socket(server, "postgres"),
        tcp(server, "user=postgres sslmode=require"),
        tcp(server, "user=postgres sslmode=disable"),
    ];
    for dsn in dsns {
        let mut session = connect(&dsn).await.unwrap();
        let handle = session.canceller();
        let (outcome, cancelled) = tokio::join!(run(&mut session, "SELECT pg_sleep(30)"), async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            handle.cancel().await
        });
        cancelled.unwrap();
        assert_eq!(outcome.unwrap_err().kind, QueryErrorKind::Cancelled, "{dsn}");
        assert_eq!(value(&mut session, "SELECT 1").await, json!(1));
        run(&mut session, "SET statement_timeout = 50").await.unwrap();
        let late = run(&mut session, "SELECT pg_sleep(30)").await.unwrap_err();
        assert!(matches!(late.kind, QueryErrorKind::Server(_)), "a timeout is not a cancellation: {late}");
    }
}

#[tokio::test]
async fn a_lost_connection_says_why() {
    let mut session = local().await;
    let kill = format!("SELECT pg_terminate_backend({})", session.server().backend_pid);
    let (outcome, _) = tokio::join!(run(&mut session, "SELECT pg_sleep(30)"), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        server().psql("postgres", &kill)
    });
    let error = outcome.unwrap_err();
    assert!(error.is_connection_lost(), "{error}");
    assert_eq!(error.sqlstate(), Some("57P01"));

    let mut idle = local().await;
    server().psql("postgres", &format!("SELECT pg_terminate_backend({})", idle.server().backend_pid));
    tokio::time::sleep(Duration::from_millis(300)).await;
    let error = run(&mut idle, "SELECT 1").await.unwrap_err();
    assert!(error.is_connection_lost() && error.to_string().contains("57P01"), "{error}");
    assert!(idle.is_closed());
}

#[tokio::test]
async fn a_read_only_session_refuses_writes() {
    let server = server();
    let options = SessionOptions {
        application_name: "runbook:weekly-vacuum:0123456789abcdef0123456789abcdef0123456789abcdef".to_owned(),
        read_only: true,
        lock_timeout: Some(Duration::from_secs(5)),
        search_path: Some("pg_catalog, public".to_owned()),
        ..SessionOptions::default()
    };
    let target = target(&socket(server, &server.database())).unwrap();
    let mut session = Session::open(&target, &options).await.unwrap();
    assert_eq!(run(&mut session, "CREATE TABLE t()").await.unwrap_err().sqlstate(), Some("25006"));
    for (setting, expected) in [
        ("lock_timeout", "5s"),
        ("search_path", "pg_catalog, public"),
        ("TimeZone", "UTC"),
        ("IntervalStyle", "iso_8601"),
    ] {
        assert_eq!(value(&mut session, &format!("SHOW {setting}")).await, json!(expected));
    }
    let name = value(&mut session, "SHOW application_name").await;
    assert_eq!(name.as_str().map(str::len), Some(63));
    assert_eq!(session.server().version_num.to_string(), server.version.to_string());
    assert_eq!(value(&mut session, "SELECT pg_backend_pid()").await, json!(session.server().backend_pid));
    session.close().await;
}

#[tokio::test]
async fn blockers_and_progress_are_seen_from_beside() {
    let server = server();
    let database = server.database();
    let dsn = socket(server, &database);
    let (mut holder, mut waiter, mut watcher) =
        (connect(&dsn).await.unwrap(), connect(&dsn).await.unwrap(), connect(&dsn).await.unwrap());
    run(&mut holder, "CREATE TABLE t AS SELECT g AS a FROM generate_series(1, 1000) g").await.unwrap();
    run(&mut holder, "BEGIN").await.unwrap();
    run(&mut holder, "LOCK TABLE t").await.unwrap();
    let pid = waiter.server().backend_pid;
    let canceller = waiter.canceller();
    let (_, seen) = tokio::join!(run(&mut waiter, "SELECT * FROM t"), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let seen = blockers(&mut watcher, pid).await;
        canceller.cancel().await.unwrap();
        seen
    });
    let seen = seen.unwrap();
    assert_eq!(seen.len(), 1);
    assert_eq!(
        (seen[0].pid, seen[0].state.as_deref()),
        (holder.server().backend_pid, Some("idle in transaction"))
    );
    assert!(seen[0].xact_age_seconds.is_some());
    for view in [
        ProgressView::Vacuum,
        ProgressView::Analyze,
        ProgressView::CreateIndex,
        ProgressView::Cluster,
        ProgressView::Copy,
    ] {
        assert_eq!(progress(&mut watcher, pid, view).await.unwrap(), None, "{view:?}");
    }
    // An index build that waits for the lock holder is a build whose progress stands still.
    let pid = waiter.server().backend_pid;
    run(&mut holder, "COMMIT").await.unwrap();
    run(&mut holder, "BEGIN").await.unwrap();
    run(&mut holder, "INSERT INTO t VALUES (0)").await.unwrap();
    let canceller = waiter.canceller();
    let (_, seen) = tokio::join!(run(&mut waiter, "CREATE INDEX CONCURRENTLY ON t(a)"), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let seen = progress(&mut watcher, pid, ProgressView::CreateIndex).await;
        canceller.cancel().await.unwrap();
        seen
    });
    let seen = seen.unwrap().unwrap();
    assert_eq!(
        (seen.phase.as_str(), seen.relation.as_deref()),
        ("waiting for writers before build", Some("t"))
    );
    assert!(seen.detail.unwrap().contains(&holder.server().backend_pid.to_string()));
}

#[tokio::test]
async fn a_session_knows_where_it_is() {
    let mut session = local().await;
    let found = identity(&mut session).await.unwrap();
    assert!(
        found.system_identifier.is_some() && found.superuser && found.sees_all_sessions && !found.standby
    );
    assert_eq!((found.user.as_str(), found.host), ("postgres", None));
    let server = server();
    let mut limited = connect(&tcp(server, "user=tls_only")).await.unwrap();
    let found = identity(&mut limited).await.unwrap();
    assert!(found.system_identifier.is_none() || server.version >= 100_000);
    assert!(!found.superuser && found.predefined_roles.is_empty());
    assert_eq!(found.host.as_deref(), Some("127.0.0.1"));
    let asked = ["pg_monitor".to_owned(), "tls_only".to_owned(), "no_such_role".to_owned()];
    let missing = missing_roles(&mut limited, &asked).await.unwrap();
    assert_eq!(missing, ["pg_monitor", "no_such_role"]);
    let installed = extensions(&mut limited).await.unwrap();
    assert_eq!(installed.iter().map(|e| e.name.as_str()).collect::<Vec<_>>(), ["plpgsql"]);
}

/// Not a benchmark: notices only if a statement costs more than one round trip or waits for a delayed acknowledgement.
#[tokio::test]
async fn a_thousand_statements_are_quick() {
    let mut session = local().await;
    let start = tokio::time::Instant::now();
    for _ in 0..1000 {
        run(&mut session, "SELECT 1").await.unwrap();
    }
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

/// The same address and environment must lead psql and this program to the same place.
#[tokio::test]
async fn addresses_lead_where_psql_goes() {
    let server = server();
    let directory = server.directory.display();
    let (port, escaped) = (server.port, server.file("").replace('/', "%2F"));
    let asked =
        "SELECT concat_ws(' ', current_user, current_database(), current_setting('application_name'))";
    let home = tempfile::tempdir().unwrap();
    let service = format!("[s]\nhost={directory}\nport={port}\nuser=tls_only\napplication_name=s\n");
    std::fs::write(home.path().join("services"), service).unwrap();
    let services = home.path().join("services").display().to_string();
    for (dsn, variables) in [
        (
            format!("host={directory} port={port} user=postgres dbname=template1 application_name='a b'"),
            vec![],
        ),
        (format!("postgresql://postgres@{escaped}:{port}/template1?application_name=a%20b"), vec![]),
        (
            format!("postgresql:///template1?host={directory}&port={port}&user=postgres"),
            vec![("PGAPPNAME", "e")],
        ),
        (
            "dbname=postgres".to_owned(),
            vec![("PGSERVICE", "s"), ("PGUSER", "scram_user"), ("PGAPPNAME", "e")],
        ),
        ("service=s user=md5_user dbname=postgres".to_owned(), vec![("PGDATABASE", "template1")]),
        (
            format!("host=/nowhere,{directory} port={port} user=postgres dbname=postgres"),
            vec![("PGAPPNAME", "e")],
        ),
        (
            format!("host=localhost port={port} sslmode=require user=scram_user dbname=postgres"),
            vec![("PGPASSWORD", PASSWORD)],
        ),
    ] {
        let mut variables = variables;
        variables.push(("PGSERVICEFILE", &services));
        let mut psql = std::process::Command::new(binary("psql"));
        psql.env_clear().envs(variables.iter().copied()).args([&dsn, "-XAtqc", asked]);
        let output = psql.output().unwrap();
        assert!(output.status.success(), "{dsn}: {}", String::from_utf8_lossy(&output.stderr));
        let address = Address { dsn: Some(dsn.clone()), ambient: true, ..Address::default() };
        let target = resolve(&address, &environment(&variables, None)).unwrap();
        // psql's own name stands where ours does when neither address nor environment gives one.
        let options = SessionOptions { application_name: "psql".to_owned(), ..SessionOptions::default() };
        let mut session = Session::open(&target, &options).await.unwrap();
        let theirs = String::from_utf8(output.stdout).unwrap();
        assert_eq!(value(&mut session, asked).await, json!(theirs.trim_end()), "{dsn} {variables:?}");
    }
}
