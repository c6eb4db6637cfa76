-- Migration 1 of a shared count: all tables.  Run it once, as their owner:
--
--   psql -v group=muster -v role=muster_host -f 001-tables.sql DATABASE
--
-- `group` names the schema, as `store_group` of musterd.conf does; `role` is
-- who musterd connects as, and gets the rights that it needs and no other.
\set ON_ERROR_STOP on
\if :{?group}
\else
\set group muster
\endif
\if :{?role}
\else
\set role muster_host
\endif

BEGIN;
CREATE SCHEMA :"group";
SET LOCAL search_path TO :"group";

-- `works_with`: the oldest host schema that may go on beside this migration.
CREATE TABLE migration (
  number integer PRIMARY KEY,
  name text NOT NULL,
  works_with integer NOT NULL,
  applied timestamptz NOT NULL DEFAULT now()
);

-- The one clock of all hosts, in seconds since 1970.
CREATE FUNCTION clock() RETURNS bigint LANGUAGE sql VOLATILE
  AS $$ SELECT floor(extract(epoch FROM clock_timestamp()))::bigint $$;

-- A counting group.  Who holds its row may change its cache.  (epoch, seq) is
-- the version of the cache: a host whose copy has the epoch reads the records
-- above its seq; with another epoch it reads all.  Records below `floor` are
-- gone, and those that were too old at the time `cleaned`.
CREATE TABLE grp (
  publisher uuid NOT NULL,
  grp bigint NOT NULL,
  capacity bigint NOT NULL DEFAULT 0,
  seq bigint NOT NULL DEFAULT 0,
  floor bigint NOT NULL DEFAULT 0,
  cleaned bigint NOT NULL DEFAULT 0,
  epoch bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (publisher, grp)
) WITH (fillfactor = 10);

-- The count cache (b3): the most recent CMIDs of each group.
CREATE TABLE cache (
  publisher uuid NOT NULL,
  grp bigint NOT NULL,
  cmid uuid NOT NULL,
  seq bigint NOT NULL,
  seen bigint NOT NULL,
  PRIMARY KEY (publisher, grp, seq)
);

-- The inventory (b5): a client and a product.
CREATE TABLE client (
  publisher uuid NOT NULL,
  product uuid NOT NULL,
  cmid uuid NOT NULL,
  machine uuid NOT NULL,
  name text NOT NULL,
  state bigint NOT NULL,
  threshold bigint NOT NULL,
  first bigint NOT NULL,
  last bigint NOT NULL,
  count bigint NOT NULL,
  contacts bigint NOT NULL CHECK (contacts > 0),
  address bytea NOT NULL CHECK (length(address) = 16),
  is_duplicate boolean NOT NULL,
  other_machine uuid NOT NULL,
  other_name text NOT NULL,
  chain bytea NOT NULL CHECK (length(chain) = 50),
  -- What clean-up looks for.  They change once a day at most, so that a
  -- renewal need not touch the index.
  renewed boolean GENERATED ALWAYS AS (contacts > 1) STORED,
  day bigint GENERATED ALWAYS AS (last / 86400) STORED,
  PRIMARY KEY (publisher, product, cmid)
) WITH (fillfactor = 80);
CREATE INDEX client_day ON client (renewed, day);

INSERT INTO migration (number, name, works_with) VALUES (1, 'tables', 1);

GRANT USAGE ON SCHEMA :"group" TO :"role";
GRANT SELECT ON migration TO :"role";
GRANT EXECUTE ON FUNCTION clock() TO :"role";
GRANT SELECT, INSERT, UPDATE ON grp TO :"role";
GRANT SELECT, INSERT, DELETE ON cache TO :"role";
GRANT SELECT, INSERT, UPDATE, DELETE ON client TO :"role";
COMMIT;
