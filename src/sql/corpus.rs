//! What maintenance statements are classed as: one line per statement, over everything [`super::Script`] tells.

use super::{LockMode, ProgressView, Script, SqlProblem, Statement, Transaction, UndoNature};
use crate::model::{Certainty, Effect};

fn only(sql: &str) -> Statement {
    let script = Script::plain(sql).unwrap_or_else(|errors| panic!("{sql}: {errors:?}"));
    assert_eq!(script.statements.len(), 1, "{sql}");
    script.statements.into_iter().next().unwrap()
}

/// `effect [?] [no-transaction] [lock relation]… : statement`
#[track_caller]
fn check(line: &str) {
    let (expected, sql) = line.split_once(" : ").unwrap();
    let statement = only(sql);
    let mut found = vec![statement.class.effect.as_str().to_owned()];
    if statement.class.certainty == Certainty::Assumed {
        found.push("?".into());
    }
    match statement.transaction {
        Transaction::Forbidden(_) => found.push("alone".into()),
        Transaction::Bare(_) => found.push("bare".into()),
        Transaction::Allowed => {}
    }
    found.extend(statement.locks.iter().map(|lock| format!("{}={}", short(lock.mode), lock.relation)));
    assert_eq!(
        found.join(" "),
        expected.split_whitespace().collect::<Vec<_>>().join(" "),
        "{sql}: {:?}",
        statement.class.reasons
    );
}

fn short(mode: LockMode) -> &'static str {
    ["AS", "RS", "RX", "SUX", "S", "SRX", "X", "AX"][mode as usize]
}

#[test]
fn queries() {
    for line in [
        "read AS=t : select * from t",
        "read AS=public.t AS=b : SELECT count(*), pg_catalog.lower(a) FROM public.t JOIN b USING (id)",
        "read AS=t : table t",
        "read : values (1), (2)",
        "read AS=a AS=b : (select 1 from a) union all (select 2 from b)",
        "read AS=t : with x as (select * from t) select * from x",
        "change ? : select f(1)",
        "change ? : select app.count(1)",
        "change ? : select * from app.report(1) r",
        "change RS=t : select * from t where a = 1 for update skip locked",
        "change AS=t : select a into x from t",
        "change AS=t : create table x as select a from t",
        "change : select nextval('s')",
        "change : select pg_reload_conf()",
        "change : select pg_switch_wal()",
        "change : select set_config('a.b', 'c', false)",
        "change : select pg_advisory_lock(1)",
        "change : select pg_create_physical_replication_slot('s')",
        "change : select pg_notify('a', 'b')",
        "disrupt AS=pg_stat_activity : select pg_terminate_backend(pid) from pg_stat_activity",
        "disrupt : select pg_cancel_backend(1)",
        "destroy : select pg_drop_replication_slot('s')",
        "destroy : select pg_stat_reset()",
        "destroy : select public.pg_stat_statements_reset()",
        "destroy : select pg_promote()",
        "read : select current_user, coalesce(1, 2), extract(year from now()), cast(1 as text), array(select 1)",
        "read : select * from generate_series(1, 10) g, lateral pg_ls_waldir() w",
        "read : select * from public.pgstattuple('t')",
        "read : select \"count\"(*)",
        "change ? : select \"Count\"(*)",
        "change ? : select query_to_xml('delete from t', false, true, '')",
        "change ? : select query_to_xml(format('select 1 from %s', $1), false, true, '')",
        "read : select query_to_xml(format('select 1 from %I where a = %L and 5 %% 2 = 1', $1, $2), false, true, '')",
        "change ? : select query_to_xml(format('select f(%L)', 1), false, true, '')",
        "change ? : select dblink_exec('', 'delete from t')",
    ] {
        check(line);
    }
}

#[test]
fn writes() {
    for line in [
        "change RX=t : insert into t values (1)",
        "change RX=t AS=s : insert into t select * from s",
        "change RX=t : update t set a = 1 where b = 2",
        "change RX=t : delete from only t where a = 1",
        "destroy RX=t : update t set a = 1",
        "destroy RX=t : delete from t",
        "change RX=t AS=s : merge into t using s on t.a = s.a when matched then delete",
        "change RX=t : with d as (delete from t where a = 1 returning *) select * from d",
        "destroy RX=t : with d as (delete from t returning *) select * from d",
        "change RX=archive RX=t : with t2 as (delete from t where a = 1 returning *) insert into archive select * from t2",
        "read AS=t : copy t to stdout",
        "read AS=t : copy (select * from t) to stdout (format csv)",
        "change RX=t : copy t (a) from stdin",
        "change RX=t : copy t from '/data/x'",
        "change AS=t : copy t to '/data/x'",
        "change ? AS=t : copy t to program 'gzip'",
        "change RX=t : copy (delete from t where a = 1 returning *) to stdout",
    ] {
        check(line);
    }
}

#[test]
fn explain() {
    for line in [
        "read RX=t : explain delete from t",
        "read RX=t : explain (analyze off) delete from t",
        "read RX=t : explain (analyze false, verbose) delete from t",
        "destroy RX=t : explain analyze delete from t",
        "change RX=t : explain (buffers, analyze) delete from t where a = 1",
        "destroy RX=t : explain (analyze true) delete from t",
        "read AS=t : explain (analyze, format json) select * from t",
        "change ? AS=t : explain select f(a) from t",
        "read : explain select nextval('s')",
        "change : explain analyze select nextval('s')",
    ] {
        check(line);
    }
}

#[test]
fn maintenance() {
    for line in [
        "change alone : vacuum",
        "change alone SUX=t : vacuum t",
        "change alone SUX=public.t SUX=b : vacuum (verbose, analyze, skip_locked, parallel 2) public.t, b (a)",
        "change alone SUX=t : vacuum freeze analyze t",
        "disrupt alone AX=t : vacuum full t",
        "disrupt alone AX=t : vacuum (full) t",
        "disrupt alone AX=t : vacuum (full true, verbose) t",
        "change alone SUX=t : vacuum (full off) t",
        "change : analyze",
        "change SUX=t SUX=u : analyze (verbose, skip_locked) t (a), u",
        "disrupt AX=i : reindex index i",
        "disrupt S=public.t : reindex table public.t",
        "disrupt alone : reindex database d",
        "disrupt alone : reindex schema s",
        "change alone SUX=i : reindex index concurrently i",
        "change alone SUX=i : reindex (verbose, concurrently) index i",
        "change alone SUX=t : reindex table concurrently t",
        "disrupt AX=t : cluster t using i",
        "disrupt alone : cluster",
        "disrupt AX=mv : refresh materialized view mv",
        "change X=mv : refresh materialized view concurrently mv",
        "disrupt S=t : create index i on t (a)",
        "disrupt S=t : create unique index on t (lower(a))",
        "change alone SUX=t : create index concurrently if not exists i on t using btree (a)",
        "disrupt AX=i : drop index i",
        "change alone SUX=i : drop index concurrently if exists i",
        "destroy AX=i : drop index i cascade",
        "change : checkpoint",
        "destroy AX=a AX=b : truncate a, b cascade",
        "change SUX=i : alter index i rename to j",
    ] {
        check(line);
    }
}

#[test]
fn definitions() {
    for line in [
        "change AX=t : alter table t add column a int",
        "change AX=t : alter table t add column a timestamptz default now()",
        "disrupt AX=t : alter table t add column a uuid default gen_random_uuid()",
        "disrupt AX=t : alter table t add column a bigserial",
        "destroy AX=t : alter table t drop column a",
        "disrupt AX=t : alter table t alter a type bigint",
        "change AX=t : alter table t alter a set default 1, alter b drop not null",
        "disrupt AX=t : alter table t alter a set not null",
        "change SUX=t : alter table t alter column a set statistics 500",
        "change SUX=t : alter table t set (fillfactor = 70)",
        "change SUX=t : alter table t reset (autovacuum_enabled)",
        "change SUX=public.t : alter table only public.t validate constraint c",
        "disrupt AX=t : alter table t add check (a > 0)",
        "change AX=t : alter table t add constraint c check (a > 0) not valid",
        "disrupt SRX=t SRX=c : alter table t add foreign key (a) references c (d)",
        "change SRX=t SRX=c : alter table t add constraint f foreign key (a) references c (d) not valid",
        "disrupt AX=t : alter table t add unique (a)",
        "change AX=t : alter table t add primary key using index i",
        "change AX=t : alter table t drop constraint c",
        "change SRX=t : alter table t disable trigger all",
        "disrupt AX=t : alter table t set unlogged",
        "disrupt AX=t : alter table t set tablespace fast",
        "change AX=t : alter table t rename column a to b",
        "change AX=t : alter table t owner to bob",
        "change SUX=t AX=p : alter table t attach partition p for values in (1)",
        "change AX=t AX=p : alter table t detach partition p",
        "change alone SUX=t SUX=p : alter table t detach partition p concurrently",
        "change AX=t : create table p partition of t for values in (1)",
        "change SRX=b : create table t (a int references b)",
        "change SRX=t : create trigger x before insert on t for each row execute function f()",
        "change SUX=t : comment on table t is 'x'",
        "change SUX=t : create statistics s on a, b from t",
        "change AS=t : create view v as select * from t",
        "change : create role r login",
        "change : grant select on all tables in schema s to r",
        "change : alter role r set work_mem = '64MB'",
        "change : create function f() returns int language sql as 'select 1'",
        "destroy AX=a AX=s.b : drop table a, s.b",
        "destroy : drop schema s cascade",
        "destroy : drop role r",
        "destroy : drop owned by r",
        "destroy alone : drop database if exists d with (force)",
        "change alone : create database d template template0",
        "disrupt : alter database d rename to e",
        "disrupt alone : alter database d set tablespace s",
        "change : alter database d set work_mem = '1GB'",
        "change alone : create tablespace s location '/x'",
        "change ? : create extension pgstattuple",
        "change alone : alter system set work_mem = '1GB'",
        "change alone : alter system reset all",
        "change SRX=s : alter sequence s restart",
    ] {
        check(line);
    }
}

#[test]
fn sessions_and_the_unknown() {
    for line in [
        "read : set statement_timeout = '5s'",
        "read : set local lock_timeout to '1s'",
        "read : reset all",
        "read : show server_version",
        "read : set role bob",
        "read : set constraints all immediate",
        "read : listen x",
        "change : notify x",
        "change alone : discard all",
        "change : set default_transaction_read_only = off",
        "change : set transaction read write",
        "read : set transaction isolation level repeatable read",
        "change AS=t : lock table t in access share mode",
        "change SUX=t : lock table t in share update exclusive mode",
        "disrupt AX=t : lock t",
        "disrupt S=t : lock table t in share mode nowait",
        "read AS=t : declare c cursor for select * from t",
        "change ? bare : call p(1)",
        "change ? : do $$ begin perform 1; end $$",
        "change ? bare : do $$ begin commit; end $$",
        "change ? : execute x",
        "change ? : load 'x'",
        "destroy alone : commit prepared 'x'",
        "destroy alone : rollback prepared 'x'",
    ] {
        check(line);
    }
}

#[test]
fn the_queries_of_the_shipped_runbooks_read() {
    let sql = include_str!("testdata/catalog_queries.sql");
    let script = Script::plain(sql).unwrap_or_else(|errors| panic!("{errors:?}"));
    assert_eq!(script.statements.len(), 32);
    for statement in &script.statements {
        let class = &statement.class;
        let found = (class.effect, class.certainty);
        assert_eq!(found, (Effect::Read, Certainty::Known), "{}: {:?}", statement.text, class.reasons);
        assert!(statement.prepared, "{}", statement.text);
    }
}

#[test]
fn what_a_statement_tells_about_itself() {
    let vacuum = only("-- nightly\nvacuum (full) t");
    assert_eq!((vacuum.verb.as_str(), vacuum.progress), ("VACUUM FULL", Some(ProgressView::Cluster)));
    assert!(vacuum.text.starts_with("-- nightly"));
    assert!(matches!(vacuum.undo_note, UndoNature::Nothing(_)));
    let index = only("create index concurrently i on t (a)");
    assert_eq!(
        (index.verb.as_str(), index.progress),
        ("CREATE INDEX CONCURRENTLY", Some(ProgressView::CreateIndex))
    );
    let query = only("select pg_catalog.Count(*), \"F\"($2) from public.\"T\", t where a = $1");
    assert_eq!(query.functions, ["pg_catalog.count", "F"]);
    assert_eq!(query.relations, ["public.\"T\"", "t"]);
    assert_eq!((query.parameters, query.prepared), (2, true));
    assert!(matches!(only("drop table t").undo_note, UndoNature::Impossible(_)));
    assert!(only("drop database d").closes_database_sessions);
    assert!(only("create database d template e").closes_database_sessions);
    assert!(!only("create database d").closes_database_sessions);
    let settings = |sql: &str| only(sql).settings.into_iter().map(|setting| setting.name).collect::<Vec<_>>();
    assert_eq!(settings("set Work_Mem = '1GB'"), ["work_mem"]);
    assert_eq!(settings("set time zone 'UTC'"), ["timezone"]);
    assert_eq!(settings("set session authorization default"), ["session_authorization"]);
    assert_eq!(settings("reset all"), ["all"]);
    assert!(settings("set local work_mem = '1GB'").is_empty());
    assert!(settings("show work_mem").is_empty());
}

#[test]
fn problems_say_where_and_what_to_do() {
    use SqlProblem::{CopyInline, Empty, MetaCommand, SecretLiteral, Syntax, TransactionControl};
    #[track_caller]
    fn check(sql: &str, problem: SqlProblem, place: &str, words: &str) {
        let error = Script::plain(sql).unwrap_err().swap_remove(0);
        assert_eq!(error.problem, problem, "{sql}: {error:?}");
        assert_eq!(&sql[error.range.clone().unwrap()], place, "{sql}: {error:?}");
        let all = format!("{} {}", error.message, error.help.clone().unwrap());
        assert!(all.contains(words), "{sql}: {all}");
    }
    check("SELEC 1", Syntax, "SELEC", "Did you mean `SELECT`?");
    check("select 1;\nvacum t", Syntax, "vacum", "`VACUUM`");
    check("vacuum (analyze t", Syntax, "t", "expected `)`");
    check("select from where", Syntax, "where", "from item");
    check("select 'a", Syntax, "'a", "");
    check("select 1;\n\\d orders", MetaCommand, "\\d", "catalog");
    check("\\copy t from 'x'", MetaCommand, "\\copy", "stdin_file");
    check("select * from t where a = :id", MetaCommand, ":id", "params");
    check("select :'id'", MetaCommand, ":'id'", "params");
    check("copy t from stdin;\n1\t2\n\\.\n", CopyInline, "\\.", "stdin_file");
    check(" -- nothing\n;", Empty, " -- nothing\n;", "at least one");
    check("alter role r password 'geheim'", SecretLiteral, "'geheim'", "scram_verifier");
    for control in [
        "begin",
        "start transaction",
        "commit",
        "end",
        "rollback",
        "abort",
        "savepoint a",
        "release a",
        "rollback to a",
        "prepare transaction 'x'",
    ] {
        check(control, TransactionControl, control, "transaction");
    }
    assert!(Script::plain("alter role r password 'SCRAM-SHA-256$4096:abc'").is_ok());
    assert_eq!(Script::plain("selec 1; vacum; select 1").unwrap_err().len(), 2);
}
