-- Migration 2 of a shared count: which host served a client last.  Run it
-- once, as the owner of the tables; hosts that know migration 1 go on beside
-- it, and leave the name as it was:
--
--   psql -v group=muster -f 002-host.sql DATABASE
\set ON_ERROR_STOP on
\if :{?group}
\else
\set group muster
\endif

BEGIN;
SET LOCAL search_path TO :"group";
ALTER TABLE client ADD COLUMN host text NOT NULL DEFAULT '';
INSERT INTO migration (number, name, works_with) VALUES (2, 'host', 1);
COMMIT;
