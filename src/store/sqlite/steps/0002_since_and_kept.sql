-- Since when a job's present schedule counts; nothing where it counts since the first sight.
ALTER TABLE jobs ADD COLUMN since INTEGER;

-- How much of a job's history is kept, where its definition says so: rows of each class, and
-- nanoseconds.
ALTER TABLE jobs ADD COLUMN keep INTEGER;
ALTER TABLE jobs ADD COLUMN keep_for INTEGER;

CREATE INDEX jobs_kept ON jobs (id) WHERE keep IS NOT NULL;
