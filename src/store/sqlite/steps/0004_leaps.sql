-- The last long stretch in which nothing of a job ran, and what is closed beyond its mark because it
-- ran under a clock that was ahead; nothing where there is none.
ALTER TABLE jobs ADD COLUMN leap_from INTEGER;
ALTER TABLE jobs ADD COLUMN leap_until INTEGER;
ALTER TABLE jobs ADD COLUMN closed_from INTEGER;
ALTER TABLE jobs ADD COLUMN closed_until INTEGER;
