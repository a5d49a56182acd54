-- Revision 0001, edition 4: answers, grades, deployments, causes of swaps.
-- The statements that the migration ran; never edit this file.

CREATE TABLE incident (
    incident_id TEXT NOT NULL,
    dedup_key TEXT NOT NULL,
    target TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    status TEXT NOT NULL,
    severity TEXT NOT NULL,
    verdict_name TEXT NOT NULL,
    policy TEXT NOT NULL,
    summary TEXT NOT NULL,
    n_paging INTEGER NOT NULL,
    recovering JSONB NOT NULL,
    axes JSONB NOT NULL,
    baseline_run_ids JSONB NOT NULL,
    reopened INTEGER NOT NULL,
    opened_at TIMESTAMP WITH TIME ZONE NOT NULL,
    fired_at TIMESTAMP WITH TIME ZONE,
    acknowledged_at TIMESTAMP WITH TIME ZONE,
    acknowledged_by TEXT NOT NULL,
    resolved_at TIMESTAMP WITH TIME ZONE,
    resolution TEXT NOT NULL,
    reason TEXT NOT NULL,
    revision INTEGER NOT NULL,
    CONSTRAINT incident_pkey PRIMARY KEY (incident_id)
);

CREATE UNIQUE INDEX incident_lasting_idx ON incident (kind, subject) WHERE status IN ('suspected', 'open', 'acknowledged');

CREATE INDEX incident_dedup_key_idx ON incident (dedup_key);

CREATE TABLE suite (
    digest TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    axis TEXT NOT NULL,
    controls JSONB NOT NULL,
    CONSTRAINT suite_pkey PRIMARY KEY (digest)
);

CREATE TABLE verdict (
    verdict_id TEXT NOT NULL,
    cycle_id TEXT NOT NULL,
    target TEXT NOT NULL,
    name TEXT NOT NULL,
    summary TEXT NOT NULL,
    advice TEXT NOT NULL,
    evidence JSONB NOT NULL,
    run_ids JSONB NOT NULL,
    baseline_run_ids JSONB NOT NULL,
    policy JSONB NOT NULL,
    policy_digest TEXT NOT NULL,
    seed BIGINT NOT NULL,
    method TEXT NOT NULL,
    look INTEGER NOT NULL,
    look_reason TEXT NOT NULL,
    lost_queries JSONB NOT NULL,
    insights JSONB NOT NULL,
    decided_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT verdict_pkey PRIMARY KEY (verdict_id)
);

CREATE INDEX verdict_target_idx ON verdict (target, decided_at);

CREATE TABLE alert (
    alert_id TEXT NOT NULL,
    incident_id TEXT NOT NULL,
    dedup_key TEXT NOT NULL,
    state TEXT NOT NULL,
    payload JSONB NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    notifiers JSONB NOT NULL,
    silenced_until TIMESTAMP WITH TIME ZONE,
    silence TEXT NOT NULL,
    CONSTRAINT alert_pkey PRIMARY KEY (alert_id),
    CONSTRAINT alert_incident_id_fkey FOREIGN KEY(incident_id) REFERENCES incident (incident_id)
);

CREATE INDEX alert_incident_id_idx ON alert (incident_id);

CREATE TABLE run (
    run_id TEXT NOT NULL,
    cycle_id TEXT NOT NULL,
    target TEXT NOT NULL,
    suite_name TEXT NOT NULL,
    suite_digest TEXT NOT NULL,
    axis TEXT NOT NULL,
    depth INTEGER NOT NULL,
    status TEXT NOT NULL,
    owner TEXT NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE NOT NULL,
    finished_at TIMESTAMP WITH TIME ZONE,
    fingerprint TEXT DEFAULT '' NOT NULL,
    deployment TEXT DEFAULT '' NOT NULL,
    corpus TEXT DEFAULT '' NOT NULL,
    answers TEXT DEFAULT '' NOT NULL,
    answerer TEXT DEFAULT '' NOT NULL,
    judge TEXT DEFAULT '' NOT NULL,
    anchors JSONB DEFAULT '[]' NOT NULL,
    CONSTRAINT run_pkey PRIMARY KEY (run_id),
    CONSTRAINT run_suite_digest_fkey FOREIGN KEY(suite_digest) REFERENCES suite (digest)
);

CREATE INDEX run_running_idx ON run (owner) WHERE status = 'running';

CREATE INDEX run_target_suite_idx ON run (target, suite_name, started_at);

CREATE TABLE suite_query (
    digest TEXT NOT NULL,
    query_id TEXT NOT NULL,
    ordinal INTEGER NOT NULL,
    text TEXT NOT NULL,
    stratum TEXT NOT NULL,
    cluster TEXT NOT NULL,
    grades JSONB NOT NULL,
    answers JSONB NOT NULL,
    pair JSONB,
    passages JSONB NOT NULL,
    follows TEXT NOT NULL,
    CONSTRAINT suite_query_pkey PRIMARY KEY (digest, query_id),
    CONSTRAINT suite_query_digest_fkey FOREIGN KEY(digest) REFERENCES suite (digest)
);

CREATE TABLE baseline (
    baseline_id BIGINT GENERATED ALWAYS AS IDENTITY,
    target TEXT NOT NULL,
    suite_name TEXT NOT NULL,
    run_id TEXT NOT NULL,
    promoted_by TEXT NOT NULL,
    reason TEXT NOT NULL,
    promoted_at TIMESTAMP WITH TIME ZONE NOT NULL,
    retired_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT baseline_pkey PRIMARY KEY (baseline_id),
    CONSTRAINT baseline_run_id_fkey FOREIGN KEY(run_id) REFERENCES run (run_id)
);

CREATE UNIQUE INDEX baseline_current_idx ON baseline (target, suite_name) WHERE retired_at IS NULL;

CREATE TABLE delivery (
    delivery_id BIGINT GENERATED ALWAYS AS IDENTITY,
    alert_id TEXT NOT NULL,
    notifier TEXT NOT NULL,
    dedup_key TEXT NOT NULL,
    state TEXT DEFAULT 'pending' NOT NULL,
    attempts INTEGER DEFAULT '0' NOT NULL,
    next_attempt_at TIMESTAMP WITH TIME ZONE,
    leased_until TIMESTAMP WITH TIME ZONE,
    delivered_at TIMESTAMP WITH TIME ZONE,
    reason TEXT,
    detail TEXT,
    CONSTRAINT delivery_pkey PRIMARY KEY (delivery_id),
    CONSTRAINT delivery_alert_id_fkey FOREIGN KEY(alert_id) REFERENCES alert (alert_id),
    CONSTRAINT delivery_alert_id_key UNIQUE (alert_id, notifier)
);

CREATE INDEX delivery_pending_idx ON delivery (notifier, delivery_id) WHERE state = 'pending';

CREATE INDEX delivery_lane_idx ON delivery (notifier, dedup_key, delivery_id) WHERE state = 'pending';

CREATE TABLE measurement (
    run_id TEXT COLLATE "C" NOT NULL,
    measure TEXT COLLATE "C" NOT NULL,
    query_id TEXT COLLATE "C" NOT NULL,
    value DOUBLE PRECISION NOT NULL,
    CONSTRAINT measurement_pkey PRIMARY KEY (run_id, measure, query_id)
);

CREATE TABLE outcome (
    run_id TEXT COLLATE "C" NOT NULL,
    query_id TEXT COLLATE "C" NOT NULL,
    duration_s DOUBLE PRECISION NOT NULL,
    reason TEXT,
    detail TEXT,
    doc_ids JSON,
    scores JSON,
    deployment TEXT,
    sources JSON,
    CONSTRAINT outcome_pkey PRIMARY KEY (run_id, query_id)
);

CREATE TABLE answer (
    run_id TEXT COLLATE "C" NOT NULL,
    query_id TEXT COLLATE "C" NOT NULL,
    text TEXT,
    doc_ids JSON,
    citations JSON,
    model TEXT,
    deployment TEXT,
    tokens JSON,
    reason TEXT,
    detail TEXT,
    duration_s DOUBLE PRECISION NOT NULL,
    scores JSON,
    CONSTRAINT answer_pkey PRIMARY KEY (run_id, query_id)
);

CREATE TABLE grade (
    judge TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    scores JSONB NOT NULL,
    requests INTEGER NOT NULL,
    graded_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT grade_pkey PRIMARY KEY (judge, key)
);

CREATE INDEX grade_graded_at_idx ON grade (graded_at);

CREATE TABLE vigil (
    target TEXT NOT NULL,
    suite_name TEXT NOT NULL,
    state JSONB NOT NULL,
    CONSTRAINT vigil_pkey PRIMARY KEY (target, suite_name)
);

CREATE TABLE deployment (
    deployment_id BIGINT GENERATED ALWAYS AS IDENTITY,
    target TEXT NOT NULL,
    name TEXT NOT NULL,
    declared_by TEXT NOT NULL,
    declared_at TIMESTAMP WITH TIME ZONE NOT NULL,
    detail JSONB NOT NULL,
    CONSTRAINT deployment_pkey PRIMARY KEY (deployment_id)
);

CREATE INDEX deployment_target_idx ON deployment (target, declared_at);

CREATE TABLE swap (
    run_id TEXT NOT NULL,
    previous_run_id TEXT NOT NULL,
    target TEXT NOT NULL,
    suite_name TEXT NOT NULL,
    declared BOOLEAN NOT NULL,
    share_changed DOUBLE PRECISION NOT NULL,
    detected_at TIMESTAMP WITH TIME ZONE NOT NULL,
    answers_changed DOUBLE PRECISION NOT NULL,
    cause TEXT NOT NULL,
    evidence TEXT NOT NULL,
    CONSTRAINT swap_pkey PRIMARY KEY (run_id),
    CONSTRAINT swap_previous_run_id_fkey FOREIGN KEY(previous_run_id) REFERENCES run (run_id),
    CONSTRAINT swap_run_id_fkey FOREIGN KEY(run_id) REFERENCES run (run_id)
);

CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

INSERT INTO alembic_version VALUES ('0001');
