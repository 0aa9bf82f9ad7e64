//! What calling a function does: a reviewed deny-list, and the functions of `pg_catalog` that only read. What is in
//! neither is unknown, never harmless.

use super::word_list::holds;
use crate::model::{Class, Effect};

/// The functions of PostgreSQL 12 to 18's `pg_catalog` that are not volatile or were reviewed, without those below.
static CATALOG: &str = include_str!("catalog_functions.txt");

/// Functions of the extensions PostgreSQL ships that only read; they may be in any schema.
const EXTENSIONS: &[&str] = &[
    "autoprewarm_dump_now",
    "bt_index_check",
    "bt_metap",
    "bt_multi_page_stats",
    "bt_page_items",
    "bt_page_stats",
    "brin_metapage_info",
    "brin_page_items",
    "brin_page_type",
    "brin_revmap_data",
    "fsm_page_contents",
    "get_raw_page",
    "gin_index_check",
    "gin_leafpage_items",
    "gin_metapage_info",
    "gin_page_opaque_info",
    "gist_page_items",
    "gist_page_items_bytea",
    "gist_page_opaque_info",
    "hash_bitmap_info",
    "hash_metapage_info",
    "hash_page_items",
    "hash_page_stats",
    "hash_page_type",
    "heap_page_item_attrs",
    "heap_page_items",
    "heap_tuple_infomask_flags",
    "page_checksum",
    "page_header",
    "pg_buffercache_numa_pages",
    "pg_buffercache_pages",
    "pg_buffercache_summary",
    "pg_buffercache_usage_counts",
    "pg_check_frozen",
    "pg_check_visible",
    "pg_freespace",
    "pg_get_wal_record_info",
    "pg_get_wal_records_info",
    "pg_get_wal_stats",
    "pg_relpages",
    "pg_stat_statements",
    "pg_stat_statements_info",
    "pg_visibility",
    "pg_visibility_map",
    "pg_visibility_map_summary",
    "pgrowlocks",
    "pgstatginindex",
    "pgstathashindex",
    "pgstatindex",
    "pgstattuple",
    "pgstattuple_approx",
    "similarity",
    "tuple_data_split",
    "unaccent",
    "uuid_generate_v4",
    "verify_heapam",
];

type Rule = (&'static str, Effect, &'static str);

/// A trailing `*` stands for any ending; the first match counts.
const DENIED: &[Rule] = &[
    ("pg_terminate_backend", Effect::Disrupt, "ends another session"),
    ("pg_cancel_backend", Effect::Disrupt, "cancels the statement of another session"),
    ("pg_reload_conf", Effect::Change, "reloads the server's configuration"),
    ("pg_rotate_logfile*", Effect::Change, "starts a new log file"),
    ("pg_promote", Effect::Destroy, "promotes a standby, which cannot be taken back"),
    ("pg_switch_wal", Effect::Change, "ends the current WAL segment"),
    ("pg_create_restore_point", Effect::Change, "writes a restore point to the WAL"),
    ("pg_drop_replication_slot", Effect::Destroy, "drops a replication slot, whose position is lost"),
    ("pg_replication_slot_advance", Effect::Destroy, "moves a replication slot, which cannot go back"),
    ("pg_logical_slot_get_*", Effect::Destroy, "consumes changes from a replication slot"),
    ("pg_create_*replication_slot", Effect::Change, "creates a replication slot"),
    ("pg_copy_*replication_slot", Effect::Change, "creates a replication slot"),
    ("pg_sync_replication_slots", Effect::Change, "changes replication slots"),
    ("pg_replication_origin_drop", Effect::Destroy, "drops a replication origin, whose position is lost"),
    ("pg_replication_origin_advance", Effect::Destroy, "moves a replication origin"),
    ("pg_replication_origin_create", Effect::Change, "creates a replication origin"),
    ("pg_replication_origin_session_setup", Effect::Change, "sets the session's replication origin"),
    ("pg_replication_origin_session_reset", Effect::Change, "resets the session's replication origin"),
    ("pg_replication_origin_xact_*", Effect::Change, "sets the transaction's replication origin"),
    ("pg_stat_reset*", Effect::Destroy, "resets statistics, which are lost"),
    ("pg_stat_statements_reset", Effect::Destroy, "resets statement statistics, which are lost"),
    ("setval", Effect::Change, "sets a sequence"),
    ("nextval", Effect::Change, "advances a sequence"),
    ("lo_get", Effect::Read, ""),
    ("lo_unlink", Effect::Destroy, "deletes a large object"),
    ("lo_truncate*", Effect::Destroy, "cuts a large object"),
    ("lo_*", Effect::Change, "works on large objects or server files"),
    ("lowrite", Effect::Change, "writes a large object"),
    ("loread", Effect::Change, "works on an open large object"),
    ("pg_file_unlink", Effect::Destroy, "deletes a file of the server"),
    ("pg_file_*", Effect::Change, "changes files of the server"),
    ("pg_write_*", Effect::Change, "writes on the server"),
    ("pg_backup_*", Effect::Change, "starts or stops a base backup"),
    ("pg_start_backup", Effect::Change, "starts a base backup"),
    ("pg_stop_backup", Effect::Change, "stops a base backup"),
    ("pg_wal_replay_*", Effect::Change, "pauses or resumes replay on a standby"),
    ("pg_try_advisory_*", Effect::Change, "takes an advisory lock"),
    ("pg_advisory_unlock*", Effect::Change, "releases advisory locks"),
    ("pg_advisory_*", Effect::Change, "takes an advisory lock"),
    ("set_config", Effect::Change, "sets a parameter of the session"),
    ("pg_notify", Effect::Change, "notifies listeners"),
    ("pg_logical_emit_message", Effect::Change, "writes a message to the WAL"),
    ("pg_import_system_collations", Effect::Change, "creates collations"),
    ("pg_clear_*", Effect::Destroy, "deletes planner statistics"),
    ("pg_restore_*", Effect::Change, "overwrites planner statistics"),
    ("pg_log_backend_memory_contexts", Effect::Change, "writes to the server's log"),
    ("pg_prewarm", Effect::Change, "fills the server's cache"),
    ("pg_buffercache_evict*", Effect::Disrupt, "empties the server's cache"),
    ("brin_summarize_*", Effect::Change, "updates an index"),
    ("brin_desummarize_range", Effect::Change, "updates an index"),
    ("gin_clean_pending_list", Effect::Change, "updates an index"),
    ("bt_index_parent_check", Effect::Disrupt, "blocks writes to the table while it checks the index"),
    ("pg_truncate_visibility_map", Effect::Change, "truncates a visibility map"),
    ("heap_force_*", Effect::Destroy, "damages rows on purpose"),
];

/// Functions that run SQL handed to them, or talk to other servers.
const OPAQUE: &[&str] =
    &["dblink*", "query_to_xml*", "cursor_to_xml*", "ts_stat", "ts_rewrite", "crosstab*", "connectby"];

/// What calling the function does, given its name as the server knows it, with or without a schema.
pub(super) fn class(name: &[String]) -> Class {
    let Some((function, schema)) = name.split_last() else { return Class::default() };
    if let Some((_, effect, reason)) = DENIED.iter().find(|(pattern, ..)| matches(pattern, function)) {
        let known = Class::because(*effect, format!("`{function}` {reason}"));
        return if *effect == Effect::Read { Class::default() } else { known };
    }
    if is_opaque(function) {
        return Class::assumed(format!("`{function}` runs what its arguments say"));
    }
    let in_catalog = schema.is_empty() || schema == ["pg_catalog"];
    if (in_catalog && holds(CATALOG, function)) || EXTENSIONS.contains(&function.as_str()) {
        return Class::default();
    }
    Class::assumed(format!("calls function `{}`, whose effect is unknown", name.join(".")))
}

/// Whether the function runs SQL that its arguments hold.
pub(super) fn is_opaque(function: &str) -> bool {
    OPAQUE.iter().any(|pattern| matches(pattern, function))
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, end)) => {
            name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Certainty;

    #[track_caller]
    fn check(name: &str, effect: Effect, certainty: Certainty) {
        let parts: Vec<_> = name.split('.').map(str::to_owned).collect();
        let found = class(&parts);
        assert_eq!((found.effect, found.certainty), (effect, certainty), "{name}: {:?}", found.reasons);
    }

    #[test]
    fn functions_are_judged_by_name_and_schema() {
        for name in [
            "count",
            "pg_catalog.count",
            "now",
            "pg_blocking_pids",
            "public.pgstatindex",
            "pg_sleep",
            "lo_get",
        ] {
            check(name, Effect::Read, Certainty::Known);
        }
        for name in
            ["public.count", "mine", "app.pg_blocking_pids", "dblink_exec", "query_to_xml", "pg_catalog.mine"]
        {
            check(name, Effect::Change, Certainty::Assumed);
        }
        check("pg_terminate_backend", Effect::Disrupt, Certainty::Known);
        check("pg_create_logical_replication_slot", Effect::Change, Certainty::Known);
        check("pg_stat_reset_shared", Effect::Destroy, Certainty::Known);
        check("public.pg_stat_statements_reset", Effect::Destroy, Certainty::Known);
        check("nextval", Effect::Change, Certainty::Known);
    }

    #[test]
    fn the_list_is_sorted_and_holds_nothing_denied() {
        assert!(CATALOG.lines().is_sorted());
        for name in CATALOG.lines() {
            check(name, Effect::Read, Certainty::Known);
        }
    }
}
