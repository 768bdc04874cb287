-- ALTER TABLE of mutable tables: columns, indices, constraints, comments.

CREATE DATABASE sql_alter;
CREATE TABLE sql_alter.t (id UInt32, n Int32) ENGINE = MutableMergeTree ORDER BY id;
INSERT INTO sql_alter.t VALUES (1, 1), (2, 2), (3, 3);
UPDATE sql_alter.t SET n = 20 WHERE id = 2;
DELETE FROM sql_alter.t WHERE id = 3;

-- ADD COLUMN: rows of before have the default.

ALTER TABLE sql_alter.t ADD COLUMN s String;
SELECT * FROM sql_alter.t ORDER BY id;
--> 1	1	
--> 2	20	
ALTER TABLE sql_alter.t ADD COLUMN d Int32 DEFAULT n + 1 AFTER id;
SELECT * FROM sql_alter.t ORDER BY id;
--> 1	2	1	
--> 2	21	20	
ALTER TABLE sql_alter.t ADD COLUMN first UInt8 DEFAULT 7 FIRST;
SELECT * FROM sql_alter.t ORDER BY id;
--> 7	1	2	1	
--> 7	2	21	20	
ALTER TABLE sql_alter.t ADD COLUMN IF NOT EXISTS s String;
ALTER TABLE sql_alter.t ADD COLUMN s String;
--! already exists
ALTER TABLE sql_alter.t ADD COLUMN x Nullable(Int8), ADD COLUMN y Array(String) DEFAULT ['a', 'b'];
SELECT * FROM sql_alter.t ORDER BY id;
--> 7	1	2	1		\N	['a','b']
--> 7	2	21	20		\N	['a','b']
-- They take part in everything at once.
INSERT INTO sql_alter.t (id, s, x) VALUES (3, 'three', 3);
UPDATE sql_alter.t SET s = 'one', y = arrayConcat(y, ['c']) WHERE id = 1;
--# 1
UPSERT INTO sql_alter.t (id, n) VALUES (2, 5);
SELECT * FROM sql_alter.t ORDER BY id;
--> 7	1	2	1	one	\N	['a','b','c']
--> 7	2	6	5		\N	['a','b']
--> 7	3	1	0	three	3	['a','b']
SELECT name FROM system.columns WHERE database = 'sql_alter' AND table = 't' ORDER BY position;
--> first
--> id
--> d
--> n
--> s
--> x
--> y
SELRAW first, id, d, n, s, x, y, _INTERNAL_DELMARK FROM sql_alter.t WHERE id = 3
  ORDER BY _INTERNAL_VERSION DESC LIMIT 1;
--> 7	3	1	0	three	3	['a','b']	0

-- DROP and RENAME COLUMN.

ALTER TABLE sql_alter.t DROP COLUMN first;
ALTER TABLE sql_alter.t DROP COLUMN IF EXISTS first;
ALTER TABLE sql_alter.t DROP COLUMN first;
--! first
ALTER TABLE sql_alter.t DROP COLUMN x, DROP COLUMN y;
SELECT * FROM sql_alter.t ORDER BY id;
--> 1	2	1	one
--> 2	6	5	
--> 3	1	0	three
SELECT first FROM sql_alter.t;
--! first
ALTER TABLE sql_alter.t DROP COLUMN id;
--!
ALTER TABLE sql_alter.t DROP COLUMN d;
ALTER TABLE sql_alter.t RENAME COLUMN n TO number;
SELECT id, number, s FROM sql_alter.t ORDER BY id;
--> 1	1	one
--> 2	5	
--> 3	0	three
SELECT n FROM sql_alter.t;
--!
UPDATE sql_alter.t SET number = number + 1 WHERE number > 0;
--# 2
ALTER TABLE sql_alter.t RENAME COLUMN IF EXISTS nosuch TO other;
ALTER TABLE sql_alter.t RENAME COLUMN nosuch TO other;
--! nosuch
ALTER TABLE sql_alter.t RENAME COLUMN number TO s;
--!
ALTER TABLE sql_alter.t RENAME COLUMN id TO key;
--!
-- A dropped name that comes back begins anew.
ALTER TABLE sql_alter.t DROP COLUMN s;
ALTER TABLE sql_alter.t ADD COLUMN s String DEFAULT 'fresh';
SELECT * FROM sql_alter.t ORDER BY id;
--> 1	2	fresh
--> 2	6	fresh
--> 3	0	fresh
ALTER TABLE sql_alter.t CLEAR COLUMN s IN PARTITION tuple();
--!

-- MODIFY COLUMN: types, defaults, codecs, comments.

ALTER TABLE sql_alter.t MODIFY COLUMN number Int64;
INSERT INTO sql_alter.t (id, number) VALUES (4, 5000000000);
UPDATE sql_alter.t SET number = number * 2 WHERE id IN (1, 4);
SELECT id, number, toTypeName(number) FROM sql_alter.t ORDER BY id;
--> 1	4	Int64
--> 2	6	Int64
--> 3	0	Int64
--> 4	10000000000	Int64
ALTER TABLE sql_alter.t MODIFY COLUMN number Nullable(Int64);
UPDATE sql_alter.t SET number = NULL WHERE id = 3;
ALTER TABLE sql_alter.t MODIFY COLUMN s LowCardinality(String) DEFAULT 'modified';
INSERT INTO sql_alter.t (id) VALUES (5);
SELECT * FROM sql_alter.t ORDER BY id;
--> 1	4	fresh
--> 2	6	fresh
--> 3	\N	fresh
--> 4	10000000000	fresh
--> 5	\N	modified
ALTER TABLE sql_alter.t ALTER COLUMN number TYPE Nullable(Float64);
SELECT id, number + 0.5 FROM sql_alter.t WHERE id < 4 ORDER BY id;
--> 1	4.5
--> 2	6.5
--> 3	\N
ALTER TABLE sql_alter.t MODIFY COLUMN number DEFAULT 1.5;
INSERT INTO sql_alter.t (id) VALUES (6);
ALTER TABLE sql_alter.t MODIFY COLUMN number REMOVE DEFAULT;
INSERT INTO sql_alter.t (id) VALUES (7);
SELECT id, number FROM sql_alter.t WHERE id > 5 ORDER BY id;
--> 6	1.5
--> 7	\N
ALTER TABLE sql_alter.t MODIFY COLUMN number CODEC(ZSTD(3));
ALTER TABLE sql_alter.t COMMENT COLUMN number 'a number';
ALTER TABLE sql_alter.t MODIFY COLUMN s COMMENT 'a string';
ALTER TABLE sql_alter.t MODIFY COMMENT 'a table';
SHOW CREATE TABLE sql_alter.t;
--~ CODEC(ZSTD(3))
--~ a number
--~ a string
--~ a table
--~ ENGINE = MutableMergeTree
--^ _INTERNAL
ALTER TABLE sql_alter.t MODIFY COLUMN id String;
--!
ALTER TABLE sql_alter.t MODIFY COLUMN s NoSuchType;
--! NoSuchType
ALTER TABLE sql_alter.t MODIFY COLUMN nosuch String;
--! nosuch
ALTER TABLE sql_alter.t MODIFY COLUMN IF EXISTS nosuch String;
-- Values that the new type does not hold: the table stays as it was.
ALTER TABLE sql_alter.t ADD COLUMN text String DEFAULT 'word';
UPDATE sql_alter.t SET text = 'written' WHERE id = 1;
ALTER TABLE sql_alter.t MODIFY COLUMN text Int32;
--!
SELECT text FROM sql_alter.t WHERE id = 1;
--> written
UPDATE sql_alter.t SET text = 'still' WHERE id = 2;
SELECT text FROM sql_alter.t WHERE id = 2;
--> still
ALTER TABLE sql_alter.t DROP COLUMN text;

-- Indices and constraints.

ALTER TABLE sql_alter.t ADD INDEX by_s s TYPE bloom_filter GRANULARITY 1;
ALTER TABLE sql_alter.t ADD INDEX IF NOT EXISTS by_s s TYPE bloom_filter GRANULARITY 1;
ALTER TABLE sql_alter.t ADD INDEX by_s s TYPE bloom_filter GRANULARITY 1;
--!
SELECT count() FROM sql_alter.t WHERE s = 'modified';
--> 3
UPDATE sql_alter.t SET s = 'indexed' WHERE id = 6;
SELECT id FROM sql_alter.t WHERE s = 'indexed';
--> 6
SHOW CREATE TABLE sql_alter.t;
--~ INDEX by_s
ALTER TABLE sql_alter.t DROP INDEX by_s;
ALTER TABLE sql_alter.t DROP INDEX by_s;
--! by_s
SHOW CREATE TABLE sql_alter.t;
--^ by_s
ALTER TABLE sql_alter.t ADD CONSTRAINT small CHECK id < 100;
INSERT INTO sql_alter.t (id) VALUES (100);
--! small
UPDATE sql_alter.t SET id = id + 99 WHERE id = 1;
--! small
ALTER TABLE sql_alter.t DROP CONSTRAINT small;
INSERT INTO sql_alter.t (id) VALUES (100);
SELECT count() FROM sql_alter.t WHERE id = 100;
--> 1

-- TTL by the key.

CREATE TABLE sql_alter.expiring (id UInt32, ts DateTime, n Int32)
  ENGINE = MutableMergeTree ORDER BY (id, ts);
INSERT INTO sql_alter.expiring VALUES (1, '2024-01-01 00:00:00', 1), (1, '2024-01-01 00:00:00', 2);
ALTER TABLE sql_alter.expiring MODIFY TTL ts + INTERVAL 50 YEAR;
SHOW CREATE TABLE sql_alter.expiring;
--~ TTL ts + toIntervalYear(50)
SELECT * FROM sql_alter.expiring;
--> 1	2024-01-01 00:00:00	2
ALTER TABLE sql_alter.expiring REMOVE TTL;
SHOW CREATE TABLE sql_alter.expiring;
--^ TTL
SELECT * FROM sql_alter.expiring;
--> 1	2024-01-01 00:00:00	2

-- Several at once, words, quotes and names.

alter table sql_alter.t add column `a b` Int8 default 1, add column "c``d" String, drop column s;
UPDATE sql_alter.t SET `a b` = 2, `c````d` = 'x' WHERE id = 1;
SELECT * FROM sql_alter.t WHERE id < 3 ORDER BY id;
--> 1	4	2	x
--> 2	6	1	
ALTER TABLE `sql_alter`.`t` /* comment */ RENAME COLUMN `a b` TO `größe`, DROP COLUMN "c``d" -- end
;
SELECT * FROM sql_alter.t WHERE id < 3 ORDER BY id;
--> 1	4	2
--> 2	6	1
ALTER TABLE sql_alter.t (ADD COLUMN p UInt8), (ADD COLUMN q UInt8 DEFAULT 9);
SELECT * FROM sql_alter.t WHERE id < 3 ORDER BY id;
--> 1	4	2	0	9
--> 2	6	1	0	9
-- One bad command of several: nothing happens.
ALTER TABLE sql_alter.t ADD COLUMN r UInt8, DROP COLUMN nosuch;
--! nosuch
SELECT * FROM sql_alter.t WHERE id < 3 ORDER BY id;
--> 1	4	2	0	9
--> 2	6	1	0	9
ALTER TABLE sql_alter.nosuch ADD COLUMN r UInt8;
--! nosuch

-- Views read on.

CREATE VIEW sql_alter.v AS SELECT id, number FROM sql_alter.t WHERE id < 3;
ALTER TABLE sql_alter.t DROP COLUMN p, ADD COLUMN z String FIRST;
SELECT * FROM sql_alter.v ORDER BY id;
--> 1	4
--> 2	6

-- Deleted rows stay away through all of it.

CREATE TABLE sql_alter.gone (id UInt32, n Int32, s String) ENGINE = MutableMergeTree ORDER BY id;
INSERT INTO sql_alter.gone SELECT number, number, toString(number) FROM numbers(1000);
DELETE FROM sql_alter.gone WHERE id % 2 = 1;
ALTER TABLE sql_alter.gone MODIFY COLUMN n String;
SELECT count(), countIf(id % 2 = 1), countIf(n != s) FROM sql_alter.gone;
--> 500	0	0
ALTER TABLE sql_alter.gone DROP COLUMN s, ADD COLUMN t UInt8 DEFAULT 1;
DELETE FROM sql_alter.gone WHERE id % 4 = 0;
ALTER TABLE sql_alter.gone RENAME COLUMN n TO m;
SELECT count(), sum(id), sum(toUInt32(m)), sum(t) FROM sql_alter.gone;
--> 250	125000	125000	250

DROP DATABASE sql_alter;
