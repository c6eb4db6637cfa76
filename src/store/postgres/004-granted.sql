-- Migration 4 of a shared count: when a client was last answered with a count
-- that reached its threshold (seconds since 1970; 0: never), so that a lease
-- stays in the figures when a later answer is below.  Run it once, as the owner
-- of the tables; hosts that know migration 3 go on beside it, and leave the time
-- as it was; where their last answer reached the threshold it is the last
-- contact:
--
--   psql -v group=muster -f 004-granted.sql DATABASE
\set ON_ERROR_STOP on
\if :{?group}
\else
\set group muster
\endif

BEGIN;
SET LOCAL search_path TO :"group";
ALTER TABLE client ADD COLUMN granted bigint NOT NULL DEFAULT 0;
INSERT INTO migration (number, name, works_with) VALUES (4, 'granted', 1);
COMMIT;
