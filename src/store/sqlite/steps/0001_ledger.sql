-- Instants and lengths are nanoseconds. Words are those of the API.

CREATE TABLE jobs (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    first_seen INTEGER NOT NULL,
    mark INTEGER NOT NULL,
    gone_at INTEGER,
    previous_success_at INTEGER,
    last_startup_at INTEGER,
    last_success INTEGER,
    last_failure INTEGER,
    last_run INTEGER,
    last_duration INTEGER,
    -- How many ended rows there are of each class, so that pruning need not count them.
    started_rows INTEGER NOT NULL DEFAULT 0,
    quiet_rows INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX jobs_gone ON jobs (gone_at) WHERE gone_at IS NOT NULL;

CREATE TABLE runs (
    id TEXT NOT NULL PRIMARY KEY,
    job INTEGER NOT NULL,
    scheduled_at INTEGER NOT NULL,
    scheduled_until INTEGER,
    count INTEGER NOT NULL,
    trigger TEXT NOT NULL,
    request TEXT,
    state TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    started_at INTEGER,
    finished_at INTEGER,
    next_attempt_at INTEGER,
    outcome TEXT,
    reason TEXT,
    detail TEXT,
    exit_code INTEGER,
    signal INTEGER,
    http_status INTEGER,
    duration INTEGER,
    revision TEXT,
    source TEXT,
    output_bytes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One row per fire and one per request: what "never started twice" stands on. A burst of fires on
-- one instant lands on neighbouring pages, in the table by its identity and here by its instant.
CREATE UNIQUE INDEX runs_fire ON runs (scheduled_at, job) WHERE request IS NULL;
CREATE UNIQUE INDEX runs_request ON runs (job, request) WHERE request IS NOT NULL;

-- Everything by time; what went amiss, by time, rare among many successes; what is open, by job.
CREATE INDEX runs_time ON runs (scheduled_at, id);
CREATE INDEX runs_amiss ON runs (scheduled_at, id) WHERE outcome <> 'success';
CREATE INDEX runs_open ON runs (job) WHERE state <> 'done';

-- A job's history. Its pages lie far apart, so a row comes in when it has ended, not when its run
-- waits for the commit to start.
CREATE INDEX runs_job ON runs (job, scheduled_at, id) WHERE state = 'done';

CREATE TABLE outputs (
    run TEXT NOT NULL PRIMARY KEY,
    head BLOB NOT NULL,
    tail BLOB NOT NULL,
    total INTEGER NOT NULL
) STRICT;

CREATE TABLE files (
    root TEXT NOT NULL,
    path TEXT NOT NULL,
    hash TEXT NOT NULL,
    definitions TEXT NOT NULL,
    PRIMARY KEY (root, path)
) STRICT;

-- Written to find out whether writing works.
CREATE TABLE probe (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    times INTEGER NOT NULL
) STRICT;

INSERT INTO probe (id, times) VALUES (1, 0);
