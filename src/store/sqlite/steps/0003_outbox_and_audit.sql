-- Letters to sages that are not delivered yet. A number is never used again: whoever has read up
-- to one asks for what came after it.
CREATE TABLE letters (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    sage TEXT NOT NULL,
    job TEXT,
    event TEXT NOT NULL,
    at INTEGER NOT NULL,
    body TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_attempt_at INTEGER
) STRICT;

-- What is remembered of what sages were told: of jobs in trouble, and of elder's own troubles.
CREATE TABLE said (
    subject TEXT NOT NULL PRIMARY KEY,
    text TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Who did what. Rows are only ever added, and pruned from the oldest on.
CREATE TABLE audit (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    origin TEXT,
    action TEXT NOT NULL,
    subject TEXT,
    result TEXT NOT NULL,
    detail TEXT,
    hash_before TEXT,
    hash_after TEXT,
    request TEXT
) STRICT;
