-- Dictionaries and refreshable materialized views that read mutable tables.

CREATE DATABASE sql_dict;
CREATE TABLE sql_dict.t (id UInt64, s String, n Int32) ENGINE = MutableMergeTree ORDER BY id;
INSERT INTO sql_dict.t VALUES (1, 'one', 10), (2, 'two', 20), (3, 'three', 30);
UPDATE sql_dict.t SET s = 'TWO' WHERE id = 2;
DELETE FROM sql_dict.t WHERE id = 3;

CREATE DICTIONARY sql_dict.flat (id UInt64, s String DEFAULT 'none', n Int32)
  PRIMARY KEY id SOURCE(CLICKHOUSE(DB 'sql_dict' TABLE 't')) LAYOUT(FLAT()) LIFETIME(0);
SELECT dictGet('sql_dict.flat', 's', toUInt64(number)) FROM numbers(1, 3) ORDER BY number;
--> one
--> TWO
--> none
SELECT dictHas('sql_dict.flat', toUInt64(3)), dictGet('sql_dict.flat', ('s', 'n'), toUInt64(1));
--> 0	('one',10)
SELECT * FROM sql_dict.flat ORDER BY id;
--> 1	one	10
--> 2	TWO	20
DELETE FROM sql_dict.t WHERE id = 1;
UPSERT INTO sql_dict.t VALUES (4, 'four', 40);
SYSTEM RELOAD DICTIONARY sql_dict.flat;
SELECT * FROM sql_dict.flat ORDER BY id;
--> 2	TWO	20
--> 4	four	40
CREATE DICTIONARY sql_dict.queried (id UInt64, s String)
  PRIMARY KEY id
  SOURCE(CLICKHOUSE(QUERY 'SELECT id, upper(s) AS s FROM sql_dict.t WHERE n > 20'))
  LAYOUT(HASHED()) LIFETIME(0);
SELECT * FROM sql_dict.queried ORDER BY id;
--> 4	FOUR
-- A dictionary in what a statement writes.
UPDATE sql_dict.t SET s = dictGet('sql_dict.queried', 's', id) WHERE id = 4;
--# 1
INSERT INTO sql_dict.t SELECT 5, dictGet('sql_dict.flat', 's', toUInt64(2)), 0;
SELECT * FROM sql_dict.t ORDER BY id;
--> 2	TWO	20
--> 4	FOUR	40
--> 5	TWO	0
SYSTEM RELOAD DICTIONARIES;
SELECT t.id, d.s FROM sql_dict.t AS t JOIN sql_dict.flat AS d ON d.id = t.id ORDER BY id;
--> 2	TWO
--> 4	FOUR
--> 5	TWO
DROP DICTIONARY sql_dict.queried;
DROP DICTIONARY sql_dict.flat;

-- Refreshable views read whole states of the table.

CREATE MATERIALIZED VIEW sql_dict.r REFRESH EVERY 1 YEAR (id UInt64, s String)
  ENGINE = MergeTree ORDER BY id EMPTY AS SELECT id, s FROM sql_dict.t;
SELECT count() FROM sql_dict.r;
--> 0
SYSTEM REFRESH VIEW sql_dict.r;
SYSTEM WAIT VIEW sql_dict.r;
SELECT * FROM sql_dict.r ORDER BY id;
--> 2	TWO
--> 4	FOUR
--> 5	TWO
UPDATE sql_dict.t SET s = 'later' WHERE id = 2;
DELETE FROM sql_dict.t WHERE id = 5;
SYSTEM REFRESH VIEW sql_dict.r;
SYSTEM WAIT VIEW sql_dict.r;
SELECT * FROM sql_dict.r ORDER BY id;
--> 2	later
--> 4	FOUR
DROP TABLE sql_dict.r;
CREATE TABLE sql_dict.target (s String, c UInt64) ENGINE = MergeTree ORDER BY s;
CREATE MATERIALIZED VIEW sql_dict.r REFRESH EVERY 1 YEAR TO sql_dict.target
  EMPTY AS SELECT s, count() AS c FROM sql_dict.t GROUP BY s;
SYSTEM REFRESH VIEW sql_dict.r;
SYSTEM WAIT VIEW sql_dict.r;
SELECT * FROM sql_dict.target ORDER BY s;
--> FOUR	1
--> later	1
DROP VIEW sql_dict.r;

-- Incremental ones would see superseded rows.

CREATE MATERIALIZED VIEW sql_dict.m ENGINE = MergeTree ORDER BY id AS SELECT id FROM sql_dict.t;
--! materialized
CREATE MATERIALIZED VIEW sql_dict.m TO sql_dict.target
  AS SELECT s, toUInt64(1) AS c FROM sql_dict.t;
--! materialized
CREATE MATERIALIZED VIEW sql_dict.m TO sql_dict.target
  AS SELECT p AS s, toUInt64(1) AS c FROM sql_dict.p JOIN sql_dict.t ON 1;
--!
CREATE TABLE sql_dict.plain (s String) ENGINE = MergeTree ORDER BY s;
CREATE MATERIALIZED VIEW sql_dict.m TO sql_dict.t
  AS SELECT 9 AS id, s, 9 AS n FROM sql_dict.plain;
--! materialized
INSERT INTO sql_dict.plain VALUES ('x');
SELECT count() FROM sql_dict.t;
--> 2
-- On plain tables they are no business of ours.
CREATE MATERIALIZED VIEW sql_dict.m TO sql_dict.target
  AS SELECT s, toUInt64(1) AS c FROM sql_dict.plain;
INSERT INTO sql_dict.plain VALUES ('y');
SELECT * FROM sql_dict.target WHERE s = 'y';
--> y	1

DROP DATABASE sql_dict;
