-- P1 VACUUM 12-18; monotonic even with several index passes (scanned and vacuumed never go back)
SELECT pid, relid::regclass, phase, index_vacuum_count,
       round((70.0*heap_blks_scanned + 25.0*heap_blks_vacuumed)/nullif(heap_blks_total,0),1) AS pct
FROM pg_stat_progress_vacuum WHERE pid = $1;
-- P2 ANALYZE 13+ : partitioned parents restart sample_blks per child
SELECT pid, relid::regclass, phase,
       CASE WHEN child_tables_total > 0 THEN round(100.0*least(child_tables_total, child_tables_done + coalesce(sample_blks_scanned::numeric/nullif(sample_blks_total,0),0))/child_tables_total,1)
            ELSE round(100.0*sample_blks_scanned/nullif(sample_blks_total,0),1) END AS pct
FROM pg_stat_progress_analyze WHERE pid = $1;
-- P3 CREATE INDEX / REINDEX: percentage of the current phase; show the phase, it is the useful part
SELECT pid, relid::regclass, index_relid::regclass, command, phase, current_locker_pid, partitions_done, partitions_total,
       round(100.0 * CASE WHEN phase LIKE 'waiting for%' THEN lockers_done::numeric/nullif(lockers_total,0)
                          WHEN tuples_total > 0 THEN tuples_done::numeric/tuples_total
                          ELSE blocks_done::numeric/nullif(blocks_total,0) END, 1) AS phase_pct
FROM pg_stat_progress_create_index WHERE pid = $1;
-- P4 CLUSTER / VACUUM FULL
SELECT pid, relid::regclass, command, phase, index_rebuild_count,
       round(CASE WHEN heap_blks_total > 0 THEN 100.0*heap_blks_scanned/heap_blks_total
                  ELSE 100.0*heap_tuples_scanned/(SELECT nullif(greatest(reltuples,0),0)::numeric FROM pg_class WHERE oid = relid) END, 1) AS heap_pct
FROM pg_stat_progress_cluster WHERE pid = $1;
-- P5 COPY 14+ (pg_dump = COPY TO, PIPE; pg_restore = COPY FROM, PIPE)
SELECT pid, relid::regclass, command, type, bytes_processed, tuples_processed,
       round(CASE WHEN bytes_total > 0 THEN 100.0*bytes_processed/bytes_total
                  WHEN command='COPY TO' THEN 100.0*tuples_processed/(SELECT nullif(greatest(reltuples,0),0)::numeric FROM pg_class WHERE oid = relid) END, 1) AS pct
FROM pg_stat_progress_copy;
-- P6 base backup 13+
SELECT pid, phase, tablespaces_streamed, tablespaces_total, round(100.0*backup_streamed/nullif(backup_total,0),1) AS pct FROM pg_stat_progress_basebackup;
-- Q1 connection headroom (16+ setting read safely)
WITH u AS (SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int - coalesce(current_setting('reserved_connections', true)::int, 0) AS usable)
SELECT u.usable, count(*) FILTER (WHERE backend_type = 'client backend') AS used,
       round(100.0 * count(*) FILTER (WHERE backend_type = 'client backend') / u.usable, 1) AS pct,
       count(*) FILTER (WHERE state = 'active') AS active, count(*) FILTER (WHERE state = 'idle') AS idle,
       count(*) FILTER (WHERE state LIKE 'idle in transaction%') AS idle_in_txn, count(*) FILTER (WHERE wait_event_type = 'Lock') AS lock_waiting
FROM u, pg_stat_activity GROUP BY u.usable;
-- Q2 can I see and do what this runbook needs? hidden_sessions must be 0
SELECT (SELECT count(*) FROM pg_stat_activity WHERE backend_type IS NULL AND pid <> pg_backend_pid()) AS hidden_sessions,
       pg_is_in_recovery() AS standby, current_setting('server_version_num')::int AS v,
       (SELECT array_agg(rolname ORDER BY rolname) FROM pg_roles WHERE rolname LIKE 'pg\_%' AND pg_has_role(oid, 'USAGE')) AS member_of,
       (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS superuser;
-- Q3 exact rows per table in one statement (server built with libxml)
SELECT c.oid::regclass::text AS table_name,
       (xpath('/row/n/text()', query_to_xml(format('SELECT count(*) AS n FROM ONLY %s', c.oid::regclass), false, true, '')))[1]::text::bigint AS rows
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog','information_schema') AND n.nspname NOT LIKE 'pg\_%' ORDER BY 1;
-- Q4 order-independent checksum. Same major: hash (0.55 s / 600 k rows); across majors: md5 (1.6 s). Fix DateStyle, TimeZone, IntervalStyle, extra_float_digits, bytea_output on both sides
SELECT count(*), sum(hashtextextended(t::text, 0)::numeric) FROM public.order_lines t;
SELECT count(*), sum(('x' || substr(md5(t::text), 1, 16))::bit(64)::bigint::numeric) FROM public.order_lines t;
-- Q5 object inventory (the casts matter: "operator is not unique" without)
SELECT 'relkind ' || relkind::text AS what, count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = ANY($1) GROUP BY 1
UNION ALL SELECT 'constraint ' || contype::text, count(*) FROM pg_constraint c JOIN pg_namespace n ON n.oid = connamespace WHERE nspname = ANY($1) GROUP BY 1
UNION ALL SELECT 'triggers', count(*) FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT 'functions', count(*) FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace WHERE nspname = ANY($1) AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
UNION ALL SELECT 'extensions', count(*) FROM pg_extension UNION ALL SELECT 'invalid indexes', count(*) FROM pg_index WHERE NOT indisvalid;
-- Q6 dead rows            $1 min rows (10000), $2 ratio (0.2)
SELECT s.relid::regclass AS table_name, s.n_live_tup, s.n_dead_tup, round(100.0*s.n_dead_tup/nullif(s.n_live_tup+s.n_dead_tup,0),1) AS dead_pct,
       greatest(s.last_vacuum, s.last_autovacuum) AS last_any_vacuum, c.reloptions
FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid
WHERE s.n_dead_tup > $1 AND s.n_dead_tup > $2 * (s.n_live_tup + s.n_dead_tup) ORDER BY s.n_dead_tup DESC;
-- Q7 freeze age: warn at 0.6 * autovacuum_freeze_max_age (200 M), alarm at 1 000 M; server warns with 40 M left and stops assigning xids with 3 M left (14+)
SELECT c.oid::regclass, age(c.relfrozenxid) AS xid_age, mxid_age(c.relminmxid) AS mxid_age, pg_total_relation_size(c.oid) AS bytes,
       round(100.0 * age(c.relfrozenxid) / current_setting('autovacuum_freeze_max_age')::int, 1) AS pct_of_forced_vacuum
FROM pg_class c WHERE relkind IN ('r','m','t') ORDER BY 2 DESC LIMIT 20;
-- Q8 bloat estimate from statistics (needs SELECT on the tables; heap only; treat < 20 % as noise). Q8b exact: SELECT * FROM pgstattuple_approx($1::regclass)
WITH cols AS (
  SELECT c.oid, c.reltuples, c.relpages, coalesce((SELECT option_value::int FROM pg_options_to_table(c.reloptions) WHERE option_name = 'fillfactor'), 100) AS ff,
         sum((1 - st.null_frac) * st.avg_width) AS data_w, bool_or(st.null_frac > 0) AS nulls, count(*) AS stat_cols,
         (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS ncols
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_stats st ON st.schemaname = n.nspname AND st.tablename = c.relname AND NOT st.inherited
  WHERE c.relkind IN ('r','m') AND c.reltuples > 0 AND c.relpages > 0 AND n.nspname NOT IN ('pg_catalog','information_schema') AND n.nspname NOT LIKE 'pg\_toast%'
  GROUP BY c.oid, c.reltuples, c.relpages, c.reloptions),
est AS (SELECT *, 4 + 8*ceil((23 + CASE WHEN nulls THEN (ncols+7)/8 ELSE 0 END)::numeric/8) + 8*ceil(data_w::numeric/8) AS tuple_bytes FROM cols),
calc AS (SELECT *, greatest(relpages - ceil(reltuples / nullif(floor((8192-24)*ff/100/tuple_bytes),0)), 0) AS bloat_pages FROM est)
SELECT oid::regclass AS table_name, pg_relation_size(oid) AS heap_bytes, bloat_pages::bigint*8192 AS est_bloat_bytes,
       round((100*bloat_pages/relpages)::numeric,1) AS est_bloat_pct, stat_cols < ncols AS incomplete_stats
FROM calc ORDER BY bloat_pages DESC NULLS LAST;
-- Q9 index leaf density (pgstattuple; reads the whole index; invalid indexes raise an error, tiny ones mislead)
SELECT i.indexrelid::regclass, s.index_size, round(s.avg_leaf_density::numeric,1) AS leaf_density
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam AND a.amname = 'btree'
     CROSS JOIN LATERAL public.pgstatindex(i.indexrelid) s
WHERE c.relkind = 'i' AND i.indisvalid AND pg_relation_size(c.oid) >= $1 ORDER BY 3;
-- Q10 what keeps dead rows alive
SELECT 'session' AS holder, pid::text AS who, coalesce(application_name,'') AS detail, age(backend_xmin) AS xmin_age, now()-xact_start AS held FROM pg_stat_activity WHERE backend_xmin IS NOT NULL AND pid <> pg_backend_pid()
UNION ALL SELECT 'slot', slot_name, coalesce(database,''), greatest(age(xmin), age(catalog_xmin)), NULL FROM pg_replication_slots WHERE xmin IS NOT NULL OR catalog_xmin IS NOT NULL
UNION ALL SELECT 'prepared xact', gid, owner, age(transaction), now()-prepared FROM pg_prepared_xacts
UNION ALL SELECT 'standby feedback', pid::text, application_name, age(backend_xmin), NULL FROM pg_stat_replication WHERE backend_xmin IS NOT NULL
ORDER BY xmin_age DESC NULLS LAST;
-- Q11 stale statistics (parents of partitions included on 14+)
SELECT c.oid::regclass AS table_name, s.n_live_tup, s.n_mod_since_analyze, greatest(s.last_analyze, s.last_autoanalyze) AS last_any_analyze, c.reltuples::bigint AS planner_rows
FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid
WHERE (s.n_mod_since_analyze > $1 AND s.n_mod_since_analyze > $2 * greatest(s.n_live_tup,1))
   OR (greatest(s.last_analyze, s.last_autoanalyze) IS NULL AND (s.n_live_tup > 0 OR c.relkind = 'p')) ORDER BY s.n_mod_since_analyze DESC;
-- Q12 who would block a lock of mode $1 on table $2 now (waiting stronger requests count too, so no "granted" filter)
WITH m(mode, ord) AS (VALUES ('AccessShareLock',1),('RowShareLock',2),('RowExclusiveLock',3),('ShareUpdateExclusiveLock',4),('ShareLock',5),('ShareRowExclusiveLock',6),('ExclusiveLock',7),('AccessExclusiveLock',8)),
conflict AS (SELECT a.mode AS req, b.mode AS held FROM m a, m b
  WHERE (a.ord, b.ord) IN ((1,8),(2,7),(2,8),(3,5),(3,6),(3,7),(3,8),(4,4),(4,5),(4,6),(4,7),(4,8),(5,3),(5,4),(5,6),(5,7),(5,8),(6,3),(6,4),(6,5),(6,6),(6,7),(6,8),
                           (7,2),(7,3),(7,4),(7,5),(7,6),(7,7),(7,8),(8,1),(8,2),(8,3),(8,4),(8,5),(8,6),(8,7),(8,8)))
SELECT l.pid, l.mode, l.granted, a.backend_type, a.usename, a.application_name, a.state, now()-a.xact_start AS xact_age, left(a.query, 80) AS query
FROM pg_locks l JOIN pg_stat_activity a USING (pid) JOIN conflict c ON c.req = $1 AND c.held = l.mode
WHERE l.locktype = 'relation' AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND l.relation = $2::regclass AND l.pid <> pg_backend_pid()
ORDER BY l.granted DESC, a.xact_start;
-- Q13 snapshots a CONCURRENTLY build would wait for
SELECT pid, usename, application_name, state, now()-xact_start AS xact_age FROM pg_stat_activity
WHERE backend_xmin IS NOT NULL AND pid <> pg_backend_pid() AND datname = current_database() AND backend_type <> 'autovacuum worker' ORDER BY xact_start;
-- Q14 invalid indexes and reindex leftovers
SELECT i.indrelid::regclass AS table_name, i.indexrelid::regclass AS index_name, i.indisvalid, i.indisready, pg_relation_size(i.indexrelid) AS bytes,
       CASE WHEN c.relname ~ '_ccnew[0-9]*$' THEN 'reindex failed before swap' WHEN c.relname ~ '_ccold[0-9]*$' THEN 'reindex failed after swap' ELSE 'create concurrently failed' END AS cause,
       EXISTS (SELECT 1 FROM pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid) AS build_in_progress   -- never drop while true
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relkind = 'i' AND (NOT i.indisvalid OR NOT i.indisready OR NOT i.indislive);
-- Q15 long-running statements (13+; drop leader_pid on 12)   $1 = interval
SELECT a.pid, a.backend_start, a.usename, a.application_name, a.client_addr, now()-a.query_start AS query_age, now()-a.xact_start AS xact_age,
       a.wait_event_type, a.wait_event, cardinality(pg_blocking_pids(a.pid)) AS blocked_by, a.backend_xid IS NOT NULL AS has_written, r.rolsuper, r.rolreplication, left(a.query,200) AS query
FROM pg_stat_activity a LEFT JOIN pg_roles r ON r.oid = a.usesysid
WHERE a.backend_type = 'client backend' AND a.state IN ('active','fastpath function call') AND a.leader_pid IS NULL AND a.pid <> pg_backend_pid() AND a.query_start < now() - $1::interval
ORDER BY a.query_start;
-- Q16 sizes per table, partitions rolled up      $1 = bytes
SELECT coalesce(pg_partition_root(c.oid), c.oid)::regclass AS table_name, sum(pg_total_relation_size(c.oid)) AS total_bytes, sum(pg_relation_size(c.oid)) AS heap_bytes,
       sum(pg_indexes_size(c.oid)) AS index_bytes, sum(coalesce(pg_total_relation_size(nullif(c.reltoastrelid,0)),0)) AS toast_bytes, count(*) AS parts
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r','m') AND n.nspname NOT IN ('pg_catalog','information_schema') AND n.nspname NOT LIKE 'pg\_toast%' AND n.nspname NOT LIKE 'pg\_temp%'
GROUP BY 1 HAVING sum(pg_total_relation_size(c.oid)) > $1 ORDER BY 2 DESC;
-- Q17 unused indexes (repeat on every replica and intersect)     $1 = min bytes
SELECT s.indexrelid::regclass AS index_name, s.relid::regclass AS table_name, pg_relation_size(s.indexrelid) AS bytes, s.idx_scan,
       (SELECT coalesce(d.stats_reset, pg_postmaster_start_time()) FROM pg_stat_database d WHERE d.datname = current_database()) AS counted_since_at_least, pg_get_indexdef(s.indexrelid) AS definition
FROM pg_stat_user_indexes s JOIN pg_index i USING (indexrelid)
WHERE s.idx_scan = 0 AND i.indisvalid AND i.indislive AND NOT i.indisunique AND NOT i.indisprimary AND NOT i.indisexclusion AND NOT i.indisreplident AND NOT i.indisclustered
  AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = i.indexrelid) AND NOT EXISTS (SELECT 1 FROM pg_inherits h WHERE h.inhrelid = i.indexrelid)
  AND 0 <> ALL (i.indkey::int2[]) AND pg_relation_size(s.indexrelid) >= $1 ORDER BY bytes DESC;
-- Q18 duplicate (exact) and redundant (prefix) indexes
SELECT a.indrelid::regclass AS table_name, a.indexrelid::regclass AS keep_index, b.indexrelid::regclass AS drop_candidate,
       CASE WHEN a.indkey::text = b.indkey::text THEN 'exact' ELSE 'prefix' END AS kind, pg_relation_size(b.indexrelid) AS reclaim_bytes,
       EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = b.indexrelid) AS backs_constraint
FROM pg_index a JOIN pg_index b ON b.indrelid = a.indrelid AND b.indexrelid <> a.indexrelid
JOIN pg_class ca ON ca.oid = a.indexrelid JOIN pg_class cb ON cb.oid = b.indexrelid AND cb.relam = ca.relam
JOIN pg_namespace n ON n.oid = ca.relnamespace AND n.nspname NOT IN ('pg_catalog','pg_toast')
WHERE a.indisvalid AND b.indisvalid AND NOT b.indisprimary AND NOT b.indisexclusion
  AND coalesce(pg_get_expr(a.indexprs,a.indrelid),'') = coalesce(pg_get_expr(b.indexprs,b.indrelid),'') AND coalesce(pg_get_expr(a.indpred,a.indrelid),'') = coalesce(pg_get_expr(b.indpred,b.indrelid),'')
  AND ( (a.indkey::text = b.indkey::text AND a.indclass::text = b.indclass::text AND a.indcollation::text = b.indcollation::text AND a.indoption::text = b.indoption::text
         AND (NOT b.indisunique OR a.indisunique) AND (a.indisprimary OR (a.indisunique AND NOT b.indisunique) OR (a.indisunique = b.indisunique AND a.indexrelid < b.indexrelid)))
     OR (NOT b.indisunique AND b.indnkeyatts < a.indnkeyatts AND b.indnatts = b.indnkeyatts AND a.indkey::text LIKE b.indkey::text||' %' AND a.indclass::text LIKE b.indclass::text||' %'
         AND a.indcollation::text LIKE b.indcollation::text||' %' AND a.indoption::text LIKE b.indoption::text||' %') )
ORDER BY reclaim_bytes DESC;
-- Q19 foreign keys whose referencing side has no usable index
SELECT c.conrelid::regclass AS table_name, c.conname, c.confrelid::regclass AS referenced, pg_relation_size(c.conrelid) AS bytes FROM pg_constraint c
WHERE c.contype = 'f' AND NOT EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = c.conrelid AND i.indisvalid AND i.indpred IS NULL
  AND (SELECT array_agg(k) FROM (SELECT unnest((i.indkey::int2[])[0:cardinality(c.conkey)-1]) k ORDER BY 1) z) = (SELECT array_agg(k) FROM (SELECT unnest(c.conkey) k ORDER BY 1) z))
ORDER BY bytes DESC;                          -- indkey is a zero-based array
-- Q20 idle in transaction           $1 = interval
SELECT a.pid, a.backend_start, a.usename, a.application_name, now()-a.xact_start AS xact_age, now()-a.state_change AS idle_for, a.backend_xid IS NOT NULL AS holds_xid,
       (SELECT count(*) FROM pg_locks l WHERE l.pid = a.pid AND l.locktype = 'relation') AS rel_locks, left(a.query,100) AS last_query
FROM pg_stat_activity a WHERE a.state IN ('idle in transaction','idle in transaction (aborted)') AND a.xact_start < now() - $1::interval ORDER BY a.xact_start;
-- Q21 lock tree
WITH RECURSIVE b AS (SELECT pid, pg_blocking_pids(pid) AS blockers FROM pg_stat_activity WHERE cardinality(pg_blocking_pids(pid)) > 0),
roots AS (SELECT DISTINCT unnest(blockers) AS pid FROM b EXCEPT SELECT pid FROM b),
t AS (SELECT pid, 0 AS depth, ARRAY[pid] AS path FROM roots UNION ALL SELECT b.pid, t.depth+1, t.path||b.pid FROM t JOIN b ON t.pid = ANY(b.blockers) WHERE NOT b.pid = ANY(t.path) AND t.depth < 10)
SELECT repeat('  ', t.depth)||t.pid AS pid, a.application_name, a.state, now()-a.xact_start AS xact_age, left(a.query,80) AS query FROM t JOIN pg_stat_activity a ON a.pid = t.pid ORDER BY t.path;
-- pid 0 among the blockers = a prepared transaction: look in pg_prepared_xacts
-- Q22 top statements (13+; on 12 use total_time, mean_time)
SELECT s.queryid, s.calls, round(s.total_exec_time::numeric,0) AS total_ms, round(s.mean_exec_time::numeric,1) AS mean_ms, s.rows, s.shared_blks_hit + s.shared_blks_read AS blocks, s.temp_blks_written, left(s.query,200) AS query
FROM public.pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid WHERE d.datname = current_database() AND s.calls >= 20 ORDER BY s.total_exec_time DESC LIMIT 20;
-- Q23 where the disk went (pg_monitor)
SELECT 'database '||datname AS what, pg_database_size(oid) AS bytes FROM pg_database
UNION ALL SELECT 'wal files', sum(size) FROM pg_ls_waldir() UNION ALL SELECT 'temp files', sum(size) FROM pg_ls_tmpdir()
UNION ALL SELECT 'slot '||slot_name||CASE WHEN active THEN '' ELSE ' (inactive)' END, pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END, restart_lsn)::bigint FROM pg_replication_slots
ORDER BY 2 DESC NULLS LAST;
-- Q24 sequential scans over big tables
SELECT relid::regclass, seq_scan, seq_tup_read, idx_scan, seq_tup_read/nullif(seq_scan,0) AS rows_per_scan FROM pg_stat_user_tables WHERE seq_scan > 50 AND seq_tup_read/nullif(seq_scan,0) > 10000 ORDER BY seq_tup_read DESC;
-- Q25 sequences near the end (needs rights on the sequence; NULL = not visible)
SELECT schemaname, sequencename, data_type, last_value, round(100.0*last_value/max_value,1) AS pct, last_value IS NULL AS not_visible_or_unused FROM pg_sequences ORDER BY 5 DESC NULLS LAST;
