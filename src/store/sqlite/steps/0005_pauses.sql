-- The last pause of each job that had one, under way or over: somebody said that it fires nothing for
-- a while.
CREATE TABLE pauses (
    job TEXT NOT NULL PRIMARY KEY,
    since INTEGER NOT NULL,
    until INTEGER,
    ended_at INTEGER,
    reason TEXT,
    author TEXT NOT NULL
) STRICT, WITHOUT ROWID;
