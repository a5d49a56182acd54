-- A read-only role for Grafana, and the views that it can read. Run this as the owner of the database, after each
-- `recallwatch migrate`. If a view blocks a migration, run `DROP SCHEMA dashboard CASCADE` first.
--
--   psql "$DATABASE_URL" --single-transaction --file dashboards/read-only.sql
--   psql "$DATABASE_URL" --command '\password recallwatch_reader'
--
-- The views show query texts. If users of Grafana must not see them, replace suite_query.text by NULL.

DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'recallwatch_reader') THEN
    CREATE ROLE recallwatch_reader LOGIN;
  END IF;
END $$;
ALTER ROLE recallwatch_reader SET default_transaction_read_only = on;
ALTER ROLE recallwatch_reader SET statement_timeout = '30s';

DROP SCHEMA IF EXISTS dashboard CASCADE;
CREATE SCHEMA dashboard;

CREATE VIEW dashboard.run AS
SELECT run_id, cycle_id, target, suite_name AS suite, suite_digest, axis, deployment, status, started_at, finished_at,
  coalesce((SELECT sum(cardinality(ordinals)) FROM outcome_block AS block WHERE block.run_key = run.run_key), 0)
    AS attempted,
  (SELECT count(*) FROM outcome_block AS block, jsonb_object_keys(block.failures)
    WHERE block.run_key = run.run_key) AS failed
FROM run;

CREATE VIEW dashboard.baseline AS
SELECT target, suite_name AS suite, run_id, promoted_by, reason, promoted_at, retired_at FROM baseline;

CREATE VIEW dashboard.swap AS
SELECT target, suite_name AS suite, run_id, previous_run_id, declared, share_changed, detected_at FROM swap;

CREATE VIEW dashboard.measurement AS
SELECT run_id, measure, query_id, value FROM measurement;

CREATE VIEW dashboard.verdict AS
SELECT verdict_id, cycle_id, target, name AS verdict, summary, advice, decided_at FROM verdict;

CREATE VIEW dashboard.evidence AS
SELECT verdict.verdict_id, verdict.target, verdict.decided_at, evidence.*
FROM verdict, jsonb_to_recordset(verdict.evidence) AS evidence(
  suite text, axis text, stratum text, measure text, gating boolean, n_queries integer, n_clusters integer,
  baseline_mean double precision, candidate_mean double precision, difference double precision,
  lower double precision, upper double precision, p_worse_adjusted double precision, mde double precision
);

CREATE FUNCTION dashboard.listed(ids jsonb) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT string_agg(id, ', ' ORDER BY place) FROM jsonb_array_elements_text(ids) WITH ORDINALITY AS each(id, place)
$$;

CREATE VIEW dashboard.lost_query AS
SELECT verdict.verdict_id, verdict.target, lost ->> 'suite' AS suite, lost ->> 'stratum' AS stratum,
  lost ->> 'query_id' AS query_id, lost ->> 'query' AS query, lost ->> 'measure' AS measure,
  (lost ->> 'difference')::double precision AS difference,
  dashboard.listed(lost -> 'expected') AS expected,
  dashboard.listed(lost -> 'retrieved_before') AS retrieved_before,
  dashboard.listed(lost -> 'retrieved_now') AS retrieved_now
FROM verdict, jsonb_array_elements(verdict.lost_queries) AS lost;

-- One row per query of a run: the rank of its first relevant document, and the relevant documents that are missing.
CREATE VIEW dashboard.outcome AS
SELECT outcome.run_id, outcome.query_id, query.stratum, query.text AS query, outcome.reason, outcome.duration_s,
  (SELECT min(place) FROM jsonb_array_elements_text(doc_ids::jsonb) WITH ORDINALITY AS hit(doc_id, place)
    WHERE (query.grades ->> doc_id)::numeric > 0) AS rank,
  (SELECT string_agg(doc_id, ', ' ORDER BY doc_id) FROM jsonb_each_text(query.grades) AS relevant(doc_id, grade)
    WHERE grade::numeric > 0 AND NOT doc_ids::jsonb ? doc_id) AS missing,
  dashboard.listed(jsonb_path_query_array(doc_ids::jsonb, '$[0 to 2]')) AS retrieved
FROM outcome
JOIN run ON run.run_id = outcome.run_id
JOIN suite_query AS query ON query.digest = run.suite_digest AND query.query_id = outcome.query_id;

-- Two runs query by query, for the queries that both runs scored.
CREATE FUNCTION dashboard.compare(before_run text, now_run text, of_measure text) RETURNS TABLE (
  stratum text, query_id text, query text, value_before double precision, value_now double precision,
  rank_before bigint, rank_now bigint, missing_now text, retrieved_now text
) LANGUAGE sql STABLE AS $$
  -- Each run is read once; the planner cannot know how few rows that is.
  WITH now AS MATERIALIZED (SELECT * FROM dashboard.outcome WHERE run_id = now_run),
  before AS MATERIALIZED (SELECT * FROM dashboard.outcome WHERE run_id = before_run),
  value_now AS MATERIALIZED (SELECT * FROM dashboard.measurement WHERE run_id = now_run AND measure = of_measure),
  value_before AS MATERIALIZED (SELECT * FROM dashboard.measurement WHERE run_id = before_run AND measure = of_measure)
  SELECT now.stratum, query_id, now.query, value_before.value, value_now.value, before.rank, now.rank, now.missing,
    now.retrieved
  FROM now JOIN before USING (query_id) JOIN value_now USING (query_id) JOIN value_before USING (query_id)
$$;

GRANT USAGE ON SCHEMA dashboard TO recallwatch_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA dashboard TO recallwatch_reader;
