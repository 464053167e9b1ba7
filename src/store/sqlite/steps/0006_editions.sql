-- What a definition is known by: of the run, of the job's last success, and of its first failure after
-- that, with the run that it was; nothing where there is none.
ALTER TABLE runs ADD COLUMN definition INTEGER;
ALTER TABLE jobs ADD COLUMN good INTEGER;
ALTER TABLE jobs ADD COLUMN failing_run TEXT;
ALTER TABLE jobs ADD COLUMN failing_at INTEGER;
ALTER TABLE jobs ADD COLUMN failing_revision TEXT;
ALTER TABLE jobs ADD COLUMN failing_definition INTEGER;

-- Editions of each job's definition, numbered from the oldest, with the reload that put each in force
-- and the keys that it changed, as JSON. `at` is nothing for what was in force before this table.
CREATE TABLE editions (
    job INTEGER NOT NULL,
    number INTEGER NOT NULL,
    definition INTEGER NOT NULL,
    at INTEGER,
    revision TEXT,
    author TEXT,
    changed TEXT,
    PRIMARY KEY (job, number)
) STRICT, WITHOUT ROWID;
