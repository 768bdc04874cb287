-- What once was wrong.

CREATE DATABASE sql_found;

-- A key is changed where rows match at random: none is lost.
CREATE TABLE sql_found.r (id UInt64) ENGINE = MutableMergeTree ORDER BY id;
INSERT INTO sql_found.r SELECT number FROM numbers(1000);
UPDATE sql_found.r SET id = id + 10000 WHERE rand() % 2 = 0;
SELECT count(), uniqExact(id % 10000) FROM sql_found.r;
--> 1000	1000

-- An expression that gives several rows leaves one for each key, among many too.
CREATE TABLE sql_found.aj (id UInt64, n Int8) ENGINE = MutableMergeTree ORDER BY id;
INSERT INTO sql_found.aj SELECT number, 0 FROM numbers(210000);
UPDATE sql_found.aj SET n = arrayJoin([1, 2]) WHERE 1;
SELECT count(), uniqExact(id), min(n), max(n) FROM sql_found.aj;
--> 210000	210000	2	2

-- Keys that may be null are compared by value.
CREATE TABLE sql_found.dst (k Nullable(DateTime('Europe/Berlin')), v Int8)
  ENGINE = MutableMergeTree ORDER BY k SETTINGS allow_nullable_key = 1;
INSERT INTO sql_found.dst VALUES (1729989000, 0), (1729992600, 1), (NULL, 2);
OPTIMIZE TABLE sql_found.dst;
UPDATE sql_found.dst SET v = 10 WHERE v = 0;
SELECT v FROM sql_found.dst ORDER BY v;
--> 1
--> 2
--> 10
CREATE TABLE sql_found.nif (a Int8, v Int8) ENGINE = MutableMergeTree ORDER BY nullIf(a, 0)
  SETTINGS allow_nullable_key = 1;
INSERT INTO sql_found.nif VALUES (0, 1), (1, 1), (2, 2);
OPTIMIZE TABLE sql_found.nif;
INSERT INTO sql_found.nif VALUES (2, 3);
INSERT INTO sql_found.nif VALUES (0, 9);
SELECT * FROM sql_found.nif ORDER BY a;
--> 0	9
--> 1	1
--> 2	3
CREATE TABLE sql_found.f (a Int8) ENGINE = MutableMergeTree ORDER BY log(a);
--! floating-point

-- Key columns may have any name.
CREATE TABLE sql_found.vk (version UInt64, key UInt64, v String)
  ENGINE = MutableMergeTree ORDER BY (version, key);
IMPORT INTO sql_found.vk (version, key, v, _INTERNAL_VERSION, _INTERNAL_DELMARK)
  VALUES (1, 1, 'new', 1000, 0);
OPTIMIZE TABLE sql_found.vk;
IMPORT INTO sql_found.vk (version, key, v, _INTERNAL_VERSION, _INTERNAL_DELMARK)
  VALUES (1, 1, 'old', 500, 0);
SELECT v FROM sql_found.vk;
--> new

-- A statement on several tables that fails half-way.
CREATE TABLE sql_found.one (id UInt8) ENGINE = MutableMergeTree ORDER BY id;
INSERT INTO sql_found.one VALUES (1);
DROP TABLE sql_found.one, sql_found.nothing;
--! nothing
DROP TABLE IF EXISTS sql_found.one;
CREATE TABLE sql_found.one (id UInt8) ENGINE = MutableMergeTree ORDER BY id;
INSERT INTO sql_found.one VALUES (2);
SELECT * FROM sql_found.one;
--> 2
CREATE TABLE sql_found.two (id UInt8) ENGINE = MutableMergeTree ORDER BY id;
INSERT INTO sql_found.two VALUES (1);
RENAME TABLE sql_found.two TO sql_found.three, sql_found.nothing TO sql_found.four;
--! nothing
INSERT INTO sql_found.three VALUES (2);
SELECT * FROM sql_found.three ORDER BY id;
--> 1
--> 2
INSERT INTO sql_found.two VALUES (3);
--! sql_found.two

-- Nothing takes a mutable table's place unnoticed.
REPLACE TABLE sql_found.three (id UInt8) ENGINE = MergeTree ORDER BY id;
--! drop it first
CREATE OR REPLACE MATERIALIZED VIEW sql_found.three REFRESH EVERY 1 DAY ENGINE = Memory
  AS SELECT 1 AS id;
--! drop it first
CREATE TABLE sql_found.five AS sql_found.three COMMENT 'x';
--! MutableMergeTree
CREATE TEMPORARY TABLE five AS sql_found.three;
--! MutableMergeTree

-- A database in which tables do not last.
CREATE DATABASE sql_found_memory ENGINE = Memory;
CREATE TABLE sql_found_memory.t (id UInt8) ENGINE = MutableMergeTree ORDER BY id;
--! Atomic
RENAME TABLE sql_found.three TO sql_found_memory.three;
--! Atomic
DROP DATABASE sql_found_memory;

-- Rows that many others deleted stay deleted.
CREATE TABLE sql_found.bd (id UInt64) ENGINE = MutableMergeTree ORDER BY id;
INSERT INTO sql_found.bd SELECT number FROM numbers(250000);
DELETE FROM sql_found.bd WHERE 1;
--# 250000
IMPORT INTO sql_found.bd (id, _INTERNAL_VERSION, _INTERNAL_DELMARK) VALUES (1, 3, 0);
--! too old

-- Masks count, and the settings by which rows last stay.
SELECT count() FROM sql_found.bd SETTINGS apply_deleted_mask = 0;
--! apply_deleted_mask
ALTER TABLE sql_found.bd MODIFY SETTING fsync_after_insert = 0;
--! fsync_after_insert

-- Names with their database in an UPDATE.
CREATE TABLE sql_found.q (id UInt8, v Int8) ENGINE = MutableMergeTree ORDER BY id;
INSERT INTO sql_found.q VALUES (1, 1);
UPDATE sql_found.q SET v = sql_found.q.v + q.v WHERE sql_found.q.id = 1;
SELECT v FROM sql_found.q;
--> 2

-- Constraints hold for updated rows, not for deleted ones.
CREATE TABLE sql_found.c (id UInt8, v Int8, CONSTRAINT positive CHECK v > 0)
  ENGINE = MutableMergeTree ORDER BY id;
INSERT INTO sql_found.c VALUES (1, 1), (2, 2);
UPDATE sql_found.c SET v = -1 WHERE id = 1;
--! positive
DELETE FROM sql_found.c WHERE id = 1;
SELECT * FROM sql_found.c;
--> 2	2
DROP DATABASE sql_found;
