-- Migration 3 of a shared count: when two machines were told apart under one
-- CMID last (seconds since 1970; 0: never), so that the warning goes once the
-- second one has not come for 30 days.  Run it once, as the owner of the
-- tables; hosts that know migration 2 go on beside it, and leave the time as it
-- was; where they alone have told two machines apart it is the last contact:
--
--   psql -v group=muster -f 003-twin.sql DATABASE
\set ON_ERROR_STOP on
\if :{?group}
\else
\set group muster
\endif

BEGIN;
SET LOCAL search_path TO :"group";
ALTER TABLE client ADD COLUMN twin bigint NOT NULL DEFAULT 0;
UPDATE client SET twin = last WHERE is_duplicate;
INSERT INTO migration (number, name, works_with) VALUES (3, 'twin', 1);
COMMIT;
